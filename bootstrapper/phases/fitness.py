"""What can be known to fail fails here, all at once, before anything is touched."""

from __future__ import annotations

from bootstrapper.config import ManagementCluster
from bootstrapper.errors import NotEnough
from bootstrapper.phases import charge
from bootstrapper.step import Step
from bootstrapper.world import World


def steps(config: ManagementCluster, world: World) -> list[Step]:
    """This machine can carry it, and it isn't lost already."""

    def gap() -> str | None:
        blocking = [f for f in world.infrastructure.findings(config) if f.blocks]
        if blocking:
            raise NotEnough(
                f"this machine can't carry {config.name}: {len(blocking)} findings",
                "\n".join(f"{f.subject}: {f.text}\n  -> {f.remedy}" for f in blocking),
                "Follow the remedies, then run the same command again.",
            )
        return None

    return [
        charge.not_lost(config, world),
        Step("fitness", "this machine is fit", gap, lambda: None),
    ]
