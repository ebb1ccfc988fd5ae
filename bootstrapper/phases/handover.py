"""Every object moves from the bootstrap cluster into the management cluster: the pivot."""

from __future__ import annotations

import platform

from bootstrapper import world as ports
from bootstrapper.config import ManagementCluster
from bootstrapper.errors import LostContact
from bootstrapper.phases import charge
from bootstrapper.phases.moving import PATIENCE, Moving
from bootstrapper.step import Step
from bootstrapper.world import World
from pivot.gone import GoneSource
from pivot.ports import Cluster
from pivot.seen import Options


def steps(config: ManagementCluster, world: World) -> list[Step]:
    """The management cluster is in charge of everything, and acts."""

    def gap() -> str | None:
        management = ports.management(config, world)
        if management is None:
            return f"{config.name} can't be reached yet"
        if charge.is_done(management):
            return None
        return "it is in charge, and not all of it acts yet" if charge.has_marker(management) else "it isn't in charge"

    def close() -> None:
        _moving(config, world).move()

    return [Step("pivot", f"every object is moved into {config.name}", gap, close)]


def _moving(config: ManagementCluster, world: World) -> Moving:
    source, target = _source(config, world), ports.management(config, world)
    if source is None or target is None:
        raise LostContact("the pivot's two clusters can't both be reached")
    # The lock on the state folder lets one run at a time be here, so a claim of this name is left by a killed one and
    # taken over at once.
    holder = f"init of {config.name} on {platform.node()}"
    options = Options(source="destroyed-later" if world.backend.throw_away else "keep", holder=holder)
    return Moving(source, target.patient(PATIENCE), options, world.clock, world.state)


def _source(config: ManagementCluster, world: World) -> Cluster | None:
    """The bootstrap cluster. Where somebody removed it after the hand-over, what it left in the target is enough."""
    bootstrap = ports.bootstrap(config, world)
    if bootstrap is not None:
        return bootstrap.patient(PATIENCE)
    management = ports.management(config, world)
    marker = charge.marker(management) if management else None
    return GoneSource(marker.source, management.patient(PATIENCE)) if management and marker else None
