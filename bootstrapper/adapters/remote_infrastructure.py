"""Machines that this machine can't reach below Kubernetes: they pull by themselves, and their provider removes them."""

from __future__ import annotations

from collections.abc import Sequence

from bootstrapper import doctor
from bootstrapper.adapters import machine
from bootstrapper.adapters import state as states
from bootstrapper.config import ClusterRequest
from bootstrapper.step import Cause
from bootstrapper.world import Finding


class RemoteInfrastructure:
    """See `bootstrapper.world.Infrastructure`: nothing is to be prepared, nothing can be read."""

    def findings(self, config: ClusterRequest) -> list[Finding]:
        """What is unfit about this machine; the provider itself judges its own."""
        return doctor.machine(machine.read(states.State(config.name).folder), here=1)

    def unprepared(self, request: ClusterRequest) -> str | None:
        """Nothing is missing."""
        return None

    def prepare(self, request: ClusterRequest) -> None:
        """Nothing to do."""

    def missing_images(self, cluster: str, images: Sequence[str]) -> str | None:
        """None: its machines pull."""
        return None

    def load_images(self, cluster: str, images: Sequence[str]) -> None:
        """Nothing to do."""

    def machine_cause(self, cluster: str, machine: str) -> Cause | None:
        """None: what a machine says can't be read from here."""
        return None

    def kubeconfig(self, cluster: str) -> str | None:
        """None: its machines can't be asked."""
        return None

    def leftovers(self, cluster: str) -> list[str]:
        """Nothing that can be seen from here."""
        return []

    def remove_leftovers(self, cluster: str) -> None:
        """Nothing to do."""
