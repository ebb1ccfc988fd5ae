"""The containers of a run: kind and the docker provider label theirs with the cluster's name."""

from __future__ import annotations

from collections.abc import Sequence

from bootstrapper.adapters.engine import Engine


def remove(engine: Engine, clusters: Sequence[str]) -> None:
    """Remove them with their volumes. The network stays: both sides find it alike."""
    for cluster in clusters:
        for container in engine.containers(cluster):
            engine.remove(container.name)
