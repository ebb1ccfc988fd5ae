"""Every object moves from the bootstrap cluster into the management cluster: the pivot."""

from __future__ import annotations

import json
import platform

from bootstrapper import world as ports
from bootstrapper.config import ManagementCluster
from bootstrapper.errors import LostContact, NotInCharge
from bootstrapper.phases import charge
from bootstrapper.step import Step, say
from bootstrapper.world import World
from pivot.engine import Pivot
from pivot.seen import Options

#: Seconds for which one request of the pivot is repeated while the answer is transient.
PATIENCE = 60.0


def steps(config: ManagementCluster, world: World) -> list[Step]:
    """The management cluster is in charge of everything, and acts."""

    def gap() -> str | None:
        management = ports.management(config, world)
        if management is None:
            return f"{config.name} can't be reached yet"
        if charge.is_done(management):
            return None
        if ports.bootstrap(config, world) is None and charge.has_marker(management):
            raise _half_way(config)
        status = _pivot(config, world).status()
        left = sum(status.left.values())
        return f"the {status.in_charge} is in charge; next: {status.stage}; {left} operations are left"

    def close() -> None:
        proof = _pivot(config, world).run()
        world.state.write("pivot.json", json.dumps(proof.as_dict(), indent=2, sort_keys=True) + "\n")
        say(str(proof))

    return [Step("pivot", f"every object is moved into {config.name}", gap, close)]


def _pivot(config: ManagementCluster, world: World) -> Pivot:
    source, target = ports.bootstrap(config, world), ports.management(config, world)
    if source is None or target is None:
        raise LostContact("the pivot's two clusters can't both be reached")
    # The lock on the state folder lets one run at a time be here, so a claim of this name is left by a killed one and
    # taken over at once.
    holder = f"init of {config.name} on {platform.node()}"
    options = Options(source="destroyed-later" if world.backend.throw_away else "keep", holder=holder)
    return Pivot(
        source.patient(PATIENCE),
        target.patient(PATIENCE),
        options,
        world.clock,
        lambda progress: say(str(progress)),
    )


def _half_way(config: ManagementCluster) -> NotInCharge:
    return NotInCharge(
        f"{config.name} is in charge, but the pivot didn't end",
        "its source is gone, so it isn't known which clusters their operator had paused",
        "See 'kubectl get clusters -A' and un-pause those that are to be managed: set spec.paused to false.",
    )
