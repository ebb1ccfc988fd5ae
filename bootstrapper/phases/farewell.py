"""The bootstrap cluster leaves; only after everything else is proven."""

from __future__ import annotations

from bootstrapper.config import ManagementCluster
from bootstrapper.errors import NotInCharge
from bootstrapper.phases import charge
from bootstrapper.step import Step
from bootstrapper.world import World, bootstrap_name


def steps(config: ManagementCluster, world: World) -> list[Step]:
    """A throw-away bootstrap cluster is gone; one that lives on stays."""
    name = bootstrap_name(config)

    def gap() -> str | None:
        if not world.backend.throw_away or not world.backend.exists(name):
            return None
        return f"bootstrap cluster {name} is still there"

    def close() -> None:
        # The steps before this one have shown it; asked again because this is the one thing that can't be undone.
        if not charge.in_charge(config, world):
            raise NotInCharge(f"bootstrap cluster {name} isn't removed", f"{config.name} isn't in charge")
        world.backend.remove(name)

    return [Step("farewell", "the bootstrap cluster is gone", gap, close)]
