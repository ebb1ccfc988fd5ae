"""The commands about workload clusters."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import click

from bootstrapper import capi, overview, show
from bootstrapper import config as requests
from bootstrapper.adapters import assemble
from bootstrapper.commands import management
from bootstrapper.commands.running import confirm, result, run
from bootstrapper.errors import RequestError, UnknownCluster
from bootstrapper.phases import removal
from bootstrapper.phases import scale as scaling
from bootstrapper.phases.cluster import Made
from bootstrapper.phases.cluster import steps as made
from bootstrapper.settings import Settings
from bootstrapper.world import Cluster, Object, World


def create(
    settings: Settings,
    owner: str | None,
    namespace: str,
    name: str,
    *,
    control_plane: int,
    workers: int,
    kubernetes_version: str | None,
    template: Path | None,
) -> None:
    """Create a workload cluster and wait until it is whole."""
    home = _home(owner)
    request = requests.workload(
        name,
        namespace=namespace,
        kubernetes_version=kubernetes_version,
        control_plane=control_plane,
        workers=workers,
        provider=_provider(home),
        template=template,
    )
    world = _world(home)
    run(settings, made(Made(request, lambda: home, world)))
    if not settings.as_json:
        click.echo(f"cluster {name} is whole. Its kubeconfig: bootstrapper cluster kubeconfig {name}")


def list_all(settings: Settings, owner: str | None, namespace: str) -> None:
    """The clusters of a management cluster."""
    home = _home(owner)
    rows = overview.clusters(home)
    headers = ("name", "namespace", "version", "control plane", "workers", "state")
    result(
        settings,
        [dict(zip(headers, row, strict=True)) for row in rows],
        show.table(headers, rows) if rows else f"{home.name} manages no cluster",
    )


def status(settings: Settings, owner: str | None, namespace: str, name: str) -> None:
    """The tree of one cluster."""
    home = _home(owner)
    node = overview.cluster(home, _cluster(home, namespace, name))
    result(settings, asdict(node), show.tree(node))


def scale(
    settings: Settings,
    owner: str | None,
    namespace: str,
    name: str,
    *,
    control_plane: int | None,
    workers: int | None,
    pool: str | None,
) -> None:
    """Change the number of machines and wait until it is so."""
    if control_plane is None and workers is None:
        raise RequestError("nothing to scale", "no number was given", "Say --workers N or --control-plane N.")
    if control_plane is not None and control_plane % 2 == 0:
        raise RequestError(
            f"a control plane of {control_plane} machines", "etcd needs an odd number for its quorum", "Say 1, 3 or 5."
        )
    home = _home(owner)
    _cluster(home, namespace, name)
    world = _world(home)
    request = requests.workload(name, namespace=namespace, provider=_provider(home))
    cause = Made(request, lambda: home, world).cause
    run(
        settings,
        scaling.steps(scaling.Scaling(lambda: home, namespace, name, control_plane, workers, pool, cause)),
    )


def delete(settings: Settings, owner: str | None, namespace: str, name: str, *, yes: bool) -> None:
    """Delete a workload cluster with its machines."""
    home = _home(owner)
    if name == home.name:
        raise RequestError(
            f"cluster {name} is the management cluster",
            "deleting it from within would leave half of it behind",
            f"bootstrapper destroy {name}",
        )
    world = _world(home)
    if world.infrastructure.leftovers(name) == [] or home.one(*capi.CLUSTER, namespace, name) is not None:
        _cluster(home, namespace, name)
    confirm(f"Delete cluster {namespace}/{name} with its machines?", yes)
    run(settings, removal.deleted(lambda: home, namespace, name, world))


def kubeconfig(settings: Settings, owner: str | None, namespace: str, name: str) -> None:
    """The workload cluster's kubeconfig on stdout."""
    home = _home(owner)
    _cluster(home, namespace, name)
    request = requests.workload(name, namespace=namespace, provider=_provider(home))
    text = Made(request, lambda: home, _world(home)).kubeconfig()
    if text is None:
        raise UnknownCluster(
            f"cluster {name} has no kubeconfig yet",
            "its control plane isn't up",
            f"bootstrapper cluster status {name}",
        )
    click.echo(text, nl=False)


def _home(owner: str | None) -> Cluster:
    home = management.reach(owner or management.only())
    home.alive()
    return home


def _world(home: Cluster) -> World:
    return assemble.world(replace(requests.load(None), name=home.name))


def _provider(home: Cluster) -> str:
    """The infrastructure provider of the management cluster, from its inventory."""
    found = [
        p["providerName"]
        for p in home.find("clusterctl.cluster.x-k8s.io/v1alpha3", "Provider")
        if p["type"] == "InfrastructureProvider"
    ]
    return str(found[0]) if found else "docker"


def _cluster(home: Cluster, namespace: str, name: str) -> Object:
    found = home.one(*capi.CLUSTER, namespace, name)
    if found is None:
        raise UnknownCluster(
            f"there is no cluster {namespace}/{name} in {home.name}", "", "'bootstrapper cluster list' names all."
        )
    return found
