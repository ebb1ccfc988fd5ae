"""Who is in charge: told by evidence of presence alone.

The target of a pivot is in charge when the pivot's marker is in it. While the managers of a throw-away bootstrap
cluster run, no hand-over has been: the pivot stops them first, and starts them again only in a cluster that lives on.
That the bootstrap cluster is gone says nothing.
"""

from __future__ import annotations

from bootstrapper import capi
from bootstrapper import world as ports
from bootstrapper.config import ManagementCluster
from bootstrapper.errors import LostContact, NotInCharge
from bootstrapper.phases.cluster import Made
from bootstrapper.step import Step
from bootstrapper.world import Cluster, World
from pivot import claim, scope
from pivot.managers import DeploymentManagers
from pivot.seen import DONE, Marker


def in_charge(config: ManagementCluster, world: World) -> bool:
    """Whether the management cluster manages itself.

    Raises:
        LostContact: its API server would have to be asked, and doesn't answer.
    """
    management = ports.management(config, world)
    if management is None:
        return False
    if world.backend.throw_away and _undisturbed(config, world):
        return False
    management.alive()
    return has_marker(management)


def has_marker(management: Cluster) -> bool:
    """Whether a pivot of all namespaces was handed over to this cluster."""
    return marker(management) is not None


def marker(management: Cluster) -> Marker | None:
    """The marker of a pivot of all namespaces that was handed over to this cluster; one that didn't end goes first."""
    whole = [marker for marker in scope.markers(management) if not marker.namespaces]
    return min(whole, key=lambda marker: marker.state == DONE, default=None)


def is_done(management: Cluster) -> bool:
    """Whether such a pivot came to its end: what it moved isn't paused any more."""
    return any(not marker.namespaces and marker.state == DONE for marker in scope.markers(management))


def moving(config: ManagementCluster, world: World) -> bool:
    """Whether a pivot out of the bootstrap cluster has begun: from then on nothing is built there any more."""
    bootstrap = _answering(config, world)
    return bootstrap is not None and claim.read(bootstrap) is not None


def others(config: ManagementCluster, world: World) -> tuple[str, ...]:
    """The managers outside the management cluster that still act on its objects; none when there is no other."""
    bootstrap = _answering(config, world)
    if bootstrap is None or bootstrap.one(*capi.CLUSTER, config.namespace, config.name) is None:
        return ()
    return DeploymentManagers(bootstrap).running()


def fence(config: ManagementCluster, world: World) -> None:
    """Stop the bootstrap cluster's managers; only ever called when it isn't in charge."""
    bootstrap = _answering(config, world)
    if bootstrap is not None:
        DeploymentManagers(bootstrap).stop()


def not_lost(config: ManagementCluster, world: World) -> Step:
    """This isn't a case for `rebuild`: it exists, isn't in charge, and its bootstrap cluster is gone."""

    def gap() -> str | None:
        if ports.management(config, world) is None or world.backend.exists(ports.bootstrap_name(config)):
            return None
        if not in_charge(config, world):
            raise NotInCharge(
                f"management cluster {config.name} exists and doesn't manage itself, and its bootstrap cluster is gone",
                "what describes it is in neither; made anew, its machines would be left without a manager",
                f"Restore it from a backup, or take it away: bootstrapper destroy {config.name}",
            )
        return None

    return Step("not-lost", f"{config.name} is new, under way, or in charge", gap, lambda: None)


def kubeconfig_kept(made: Made, config: ManagementCluster, world: World) -> Step:
    """Its kubeconfig is in the state folder: the only way in once the bootstrap cluster is gone."""

    def gap() -> str | None:
        kept = world.state.read("kubeconfig")
        if kept and (moving(config, world) or in_charge(config, world)):
            return None
        text = made.kubeconfig()  # a state folder may be lost while a pivot is under way
        if text is None:
            raise LostContact(f"{config.name} has no kubeconfig yet")
        return None if kept == text else f"the kubeconfig of {config.name} isn't kept yet"

    def close() -> None:
        text = made.kubeconfig()
        if text is not None:
            world.state.write("kubeconfig", text)

    return Step("kubeconfig", f"the kubeconfig of {config.name} is kept", gap, close)


def _undisturbed(config: ManagementCluster, world: World) -> bool:
    """Whether the bootstrap cluster's managers run and no pivot has begun there."""
    bootstrap = _answering(config, world)
    return bootstrap is not None and bool(DeploymentManagers(bootstrap).running()) and claim.read(bootstrap) is None


def _answering(config: ManagementCluster, world: World) -> Cluster | None:
    bootstrap = ports.bootstrap(config, world)
    if bootstrap is None:
        return None
    try:
        bootstrap.alive()
    except LostContact:
        return None
    return bootstrap
