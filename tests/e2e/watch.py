"""A watcher beside a pivot: does the workload answer all the while, and is any machine made, ended or started anew?"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from e2e import outside
from e2e.outside import Kubectl

#: Seconds between two requests to each workload cluster.
EVERY = 0.5


def machines(*clusters: str) -> dict[str, tuple[str, str]]:
    """Each container of these clusters: its id and since when it runs."""
    names = [found.name for cluster in clusters for found in outside.containers(cluster)]
    found = json.loads(outside.docker("inspect", *names))
    return {one["Name"].lstrip("/"): (one["Id"], one["State"]["StartedAt"]) for one in found}


@dataclass
class Watch:
    """Asks each workload cluster's API server for its nodes, again and again, until it is left."""

    workloads: dict[str, Kubectl]

    def __enter__(self) -> Self:
        self.answers = 0
        self.silent: list[str] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, t: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()

    def _ask(self) -> None:
        while not self._over.wait(EVERY):
            for name, cluster in self.workloads.items():
                done = cluster.run("get", "nodes", "--output=name", "--request-timeout=10s")
                self.answers += done.returncode == 0
                self.silent += [f"{name}: {done.stderr}"] if done.returncode else []
