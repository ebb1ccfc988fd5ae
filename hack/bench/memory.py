"""What all containers of a run use together, looked at every other second."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import docker
import docker.errors

from bootstrapper.adapters.engine import CLUSTER_LABEL

#: Seconds between two looks: few enough to cost nothing, often enough for clusters, which grow for minutes.
EVERY = 2.0
#: What `docker stats` subtracts: page cache that nobody looked at lately; by its name on cgroup v1 and v2.
CACHE = ("total_inactive_file", "inactive_file")


class Peak:
    """A context manager; `bytes` is the most that was seen at one time."""

    def __init__(self, clusters: Sequence[str]) -> None:
        self.bytes = 0
        self._clusters = set(clusters)
        self._api = docker.from_env(timeout=30).api
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="memory", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(EVERY):
            self.bytes = max(self.bytes, self._now())

    def _now(self) -> int:
        found: list[dict[str, Any]] = self._api.containers(filters={"label": CLUSTER_LABEL})
        ours = [item["Id"] for item in found if item["Labels"][CLUSTER_LABEL] in self._clusters]
        return sum(self._used(identity) for identity in ours)

    def _used(self, identity: str) -> int:
        try:
            stats: Any = self._api.stats(identity, stream=False, one_shot=True)
        except (docker.errors.APIError, ValueError):  # removed since it was listed; just now, and the answer is empty
            return 0
        return used(stats.get("memory_stats") or {})


def used(stats: dict[str, Any]) -> int:
    """Bytes that a container uses, as `docker stats` counts them; 0 for one that doesn't run."""
    usage, detail = int(stats.get("usage", 0)), stats.get("stats") or {}
    return max(0, usage - next((int(detail[name]) for name in CACHE if name in detail), 0))
