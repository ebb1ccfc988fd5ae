"""The `existing` backend: the bootstrap cluster is one that the operator already has, named by a kubeconfig."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bootstrapper.adapters import kubeconfigs
from bootstrapper.step import Cause


class ExistingBackend:
    """See `bootstrapper.world.Backend`. It is never created and never removed; its nodes pull images by themselves."""

    throw_away = False

    def __init__(self, kubeconfig: Path) -> None:
        self._path = kubeconfig

    def gap(self, name: str) -> str | None:
        """None: that its API server answers is looked at through the kubeconfig."""
        return None

    def start(self, name: str) -> None:
        """Nothing to start."""

    def kubeconfig(self, name: str) -> str | None:
        """The operator's kubeconfig."""
        return kubeconfigs.read(self._path)

    def missing_images(self, name: str, images: Sequence[str]) -> str | None:
        """None: its nodes pull."""
        return None

    def load_images(self, name: str, images: Sequence[str]) -> None:
        """Nothing to load."""

    def exists(self, name: str) -> bool:
        """Always: it was there before us."""
        return True

    def remove(self, name: str) -> None:
        """Never: it isn't ours."""

    def cause(self, name: str) -> Cause | None:
        """Its own affair."""
        return None
