"""The way back: clusters and what lies below them are gone, seen to be gone."""

from __future__ import annotations

from collections.abc import Callable

from bootstrapper import capi
from bootstrapper.errors import Declined
from bootstrapper.step import Step
from bootstrapper.world import Cluster, World


def deleted(home: Callable[[], Cluster], namespace: str, name: str, world: World) -> list[Step]:
    """A workload cluster is deleted by its management cluster, which removes its machines first."""

    def gap() -> str | None:
        cluster = home()
        found = cluster.one(*capi.CLUSTER, namespace, name)
        if found is None:
            return None
        left = len(cluster.find(*capi.MACHINE, namespace, f"{capi.CLUSTER_LABEL}={name}"))
        return f"Cluster {namespace}/{name} is still there with {left} machines"

    def close() -> None:
        cluster = home()
        found, kind = cluster.one(*capi.CLUSTER, namespace, name), cluster.kind(*capi.CLUSTER)
        if found is not None and kind is not None and "deletionTimestamp" not in found["metadata"]:
            cluster.delete(kind, namespace, name, uid=found["metadata"]["uid"])

    return [Step("deleted", f"cluster {name} is deleted", gap, close), nothing_left(name, world)]


def nothing_left(name: str, world: World) -> Step:
    """Nothing of a cluster is left outside Kubernetes."""

    def gap() -> str | None:
        left = world.infrastructure.leftovers(name)
        return f"still there: {', '.join(left)}" if left else None

    return Step(
        "nothing-left",
        f"nothing of {name} is left on the infrastructure",
        gap,
        lambda: world.infrastructure.remove_leftovers(name),
    )


def management(name: str, bootstrap: str, world: World) -> list[Step]:
    """A management cluster and its bootstrap cluster are gone. It can't delete itself: its machines are taken away."""
    return [
        Step(
            "bootstrap-gone",
            "the bootstrap cluster is gone",
            lambda: f"bootstrap cluster {bootstrap} is still there" if _throw_away(bootstrap, world) else None,
            lambda: world.backend.remove(bootstrap),
        ),
        nothing_left(name, world),
    ]


def refuse_while_it_manages(name: str, cluster: Cluster) -> None:
    """Refuse to take away a management cluster that others depend on.

    Raises:
        Declined: names the clusters.
    """
    others = [capi.title(c) for c in cluster.find(*capi.CLUSTER) if c["metadata"]["name"] != name]
    if others:
        raise Declined(
            f"management cluster {name} isn't destroyed",
            f"it manages {', '.join(others)}, and without it nobody would",
            "Delete them first ('bootstrapper cluster delete NAME'), or move them: 'bootstrapper pivot'.",
        )


def _throw_away(bootstrap: str, world: World) -> bool:
    return world.backend.throw_away and world.backend.exists(bootstrap)
