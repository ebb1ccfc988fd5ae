"""The two clusters that get the providers, seen alike: the bootstrap cluster first, the management cluster later."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from bootstrapper import world as ports
from bootstrapper.config import ManagementCluster
from bootstrapper.errors import LostContact
from bootstrapper.world import Cluster, Object, World

#: Writes in flight while objects of one kind are applied.
SIDE_BY_SIDE = 8


@dataclass(frozen=True)
class Site:
    """A cluster that gets the providers. `name` begins the names of its steps, `words` stands in sentences."""

    name: str
    words: str
    find: Callable[[], Cluster | None]
    missing_images: Callable[[Sequence[str]], str | None]
    load_images: Callable[[Sequence[str]], None]

    def cluster(self) -> Cluster:
        """The cluster.

        Raises:
            LostContact: it can't be used yet.
        """
        found = self.find()
        if found is None:
            raise LostContact(f"{self.words} can't be reached yet")
        return found


def bootstrap_site(config: ManagementCluster, world: World) -> Site:
    """The throw-away cluster."""
    name = ports.bootstrap_name(config)
    return Site(
        "bootstrap",
        "the bootstrap cluster",
        lambda: ports.bootstrap(config, world),
        lambda images: world.backend.missing_images(name, images),
        lambda images: world.backend.load_images(name, images),
    )


def management_site(config: ManagementCluster, world: World) -> Site:
    """The long-lived cluster."""
    return Site(
        "management",
        f"the management cluster {config.name}",
        lambda: ports.management(config, world),
        lambda images: world.infrastructure.missing_images(config.name, images),
        lambda images: world.infrastructure.load_images(config.name, images),
    )


def absent(cluster: Cluster, objects: Iterable[Object]) -> list[Object]:
    """Those of the objects that the cluster hasn't got, by kind, namespace and name."""
    wanted = list(objects)
    kinds = dict.fromkeys((o["apiVersion"], o["kind"]) for o in wanted)
    have = {(*kind, *name) for kind in kinds for name in cluster.names(*kind)}
    return [o for o in wanted if _key(o) not in have]


def apply(cluster: Cluster, objects: Sequence[Object]) -> None:
    """Apply objects that don't need each other, side by side; the first refusal is raised."""
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        for _ in pool.map(cluster.apply, objects):
            pass


def _key(obj: Object) -> tuple[str, str, str, str]:
    metadata = obj["metadata"]
    return obj["apiVersion"], obj["kind"], metadata.get("namespace", ""), metadata["name"]
