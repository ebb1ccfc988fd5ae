"""A throw-away cluster for the controllers that make the first real one."""

from __future__ import annotations

from bootstrapper.config import ManagementCluster
from bootstrapper.step import Step
from bootstrapper.world import World, bootstrap, bootstrap_name


def steps(config: ManagementCluster, world: World) -> list[Step]:
    """It runs and its API server answers."""
    name = bootstrap_name(config)

    def answers() -> str | None:
        found = bootstrap(config, world)
        if found is None:
            return f"bootstrap cluster {name} has no kubeconfig yet"
        found.alive()
        return None

    return [
        Step(
            "bootstrap-cluster",
            "a throw-away bootstrap cluster runs",
            lambda: world.backend.gap(name) or answers(),
            lambda: world.backend.start(name),
            lambda: world.backend.cause(name),
        ),
    ]
