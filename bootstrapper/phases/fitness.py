"""What can be known to fail fails here, all at once, before anything is touched."""

from __future__ import annotations

from collections.abc import Sequence

from bootstrapper.config import ManagementCluster
from bootstrapper.errors import BootstrapperError, BundleError, ConfigError, EngineUnavailable, NotEnough
from bootstrapper.phases import charge
from bootstrapper.phases.providers import Wanted
from bootstrapper.step import Step
from bootstrapper.world import Finding, World

#: By whose problem a finding is; the first of these that was found decides.
REFUSALS: dict[str, type[BootstrapperError]] = {
    "engine": EngineUnavailable,
    "bundle": BundleError,
    "request": ConfigError,
    "machine": NotEnough,
}


def steps(config: ManagementCluster, world: World, wanted: Wanted) -> list[Step]:
    """This machine can carry it, the parts are there, and it isn't lost already."""

    def gap() -> str | None:
        blocking = [f for f in world.infrastructure.findings(config) if f.blocks]
        if blocking:
            raise refusal(config.name, blocking)
        for image in wanted.images:
            world.bundle.version("image", image)
        return None

    return [
        charge.not_lost(config, world),
        Step("fitness", "this machine is fit", gap, lambda: None),
    ]


def refusal(name: str, blocking: Sequence[Finding]) -> BootstrapperError:
    """All that blocks, as one error. `blocking` isn't empty."""
    whose = {finding.whose for finding in blocking}
    error = next(kind for problem, kind in REFUSALS.items() if problem in whose)
    count = "1 finding" if len(blocking) == 1 else f"{len(blocking)} findings"
    return error(
        f"{name} can't be made here: {count}",
        "\n".join(f"{f.subject}: {f.text}\n  -> {f.remedy}" for f in blocking),
        "Follow the remedies, then run the same command again.",
    )
