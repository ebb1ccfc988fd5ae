"""The world of `init` in memory, with what must hold at every write to anything in it."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

from fake_cluster import Name, clone
from init_api import ApiServer, Power, PowerLost
from init_components import Bundle
from init_controllers import ClusterApi, Kubernetes
from init_room import Backend, Existing, Infrastructure, Room, State, kubeconfig
from init_turns import Clock, in_turns

from bootstrapper import config as requests
from bootstrapper import document, init
from bootstrapper.config import ManagementCluster
from bootstrapper.errors import LostContact
from bootstrapper.phases.proof import MANAGED_BY
from bootstrapper.request import Bootstrap
from bootstrapper.step import Event, Item, Runner
from bootstrapper.world import Cluster, Object, World
from pivot.seen import DONE, MARKER_LABEL

STALL = 120.0
CLUSTER = ("cluster.x-k8s.io", "Cluster")
LEASE: Name = ("coordination.k8s.io", "Lease", "kube-system", "bootstrapper-pivot")
#: Reading YAML is slow and always gives the same.
_read = functools.lru_cache(maxsize=None)(document.read)


def request(backend: str = "kind", workers: int = 1) -> ManagementCluster:
    """What the operator asks for: one control-plane machine and a worker pool."""
    text = f"""
apiVersion: bootstrapper/v1alpha1
kind: ManagementCluster
metadata: {{name: mgmt}}
spec: {{workers: [{{name: md-0, replicas: {workers}}}]}}
"""
    found = requests.parse(text, "test")
    return found if backend == "kind" else replace(found, bootstrap=Bootstrap("existing", Path("their.kubeconfig")))


class Scene:
    """An empty machine, or one with a cluster that the operator has (`backend` existing)."""

    def __init__(self, backend: str = "kind", workers: int = 1) -> None:
        self.config = request(backend, workers)
        self.power = Power()
        self.clock = Clock(self.tick)
        self.room = Room(self.power)
        self.backend = (Backend if backend == "kind" else Existing)(self.power, self.clock)
        self.infrastructure, self.state = Infrastructure(self.room), State(self.power)
        self.events: list[Event] = []
        self.power.watch = self.watch
        self.ports = World(
            self.backend, self.infrastructure, Bundle(), self.state, self._clock_of_the_program(), self.connect
        )

    def _clock_of_the_program(self) -> Any:
        """The clock as the program has it: a dead program doesn't wait."""
        clock, power = self.clock, self.power

        class Watched:
            def now(self) -> float:
                power.alive()
                return clock.now()

            def sleep(self, seconds: float) -> None:
                power.alive()
                clock.sleep(seconds)

        return Watched()

    # -- runs

    def run(self, items: Sequence[Item] | None = None, **options: bool) -> None:
        """One run of the program: `init`, or these steps."""
        self.power.dead = False
        with in_turns(self.clock), mock.patch.object(document, "read", _read):
            todo = init.steps(self.config, self.ports, **options) if items is None else items
            Runner(self.ports.clock, self.events.append, STALL).run(todo)

    def run_until(self, at: int, when: str) -> bool:
        """Run until the power is lost at the write; False when the run ended before that."""
        self.power.lose = (self.power.writes + at, when)
        try:
            self.run()
        except PowerLost:
            return True
        finally:
            self.power.lose = None
        return False

    def connect(self, text: str, name: str) -> Cluster:
        self.power.alive()
        for server in self.servers():
            if text == self.text_of(server):
                return server
        raise LostContact(f"the API server of {name} isn't there", "connection refused")

    def text_of(self, server: ApiServer) -> str:
        bootstrap = server is self.backend.server
        return kubeconfig(f"mgmt-bootstrap#{self.backend.made}" if bootstrap else server.name)

    # -- time

    def tick(self) -> None:
        """Machines boot, controllers act."""
        self.power.ticks += 1
        self.room.tick()
        for server in self.servers():
            if server.up:
                server.settle()
                Kubernetes(server, functools.partial(self._has_images, server)).act()
                ClusterApi(server, self.room).act()
        self.check()

    def wait(self, ticks: int = 20) -> None:
        """Time passes and nobody runs the program."""
        for _ in range(ticks):
            self.clock.pass_until(self.clock.time + 1.0)

    def _has_images(self, server: ApiServer, images: set[str]) -> bool:
        if self.backend.node and server is self.backend.server:
            return images <= self.backend.node.images
        return self.room.has_images(server.name, images)

    # -- what is there

    def servers(self) -> list[ApiServer]:
        return [*([self.backend.server] if self.backend.server else []), *self.room.servers.values()]

    @property
    def management(self) -> ApiServer | None:
        return self.room.servers.get("mgmt")

    def markers(self) -> list[Object]:
        there = self.management.objects.values() if self.management else ()
        return [b for b in there if b["kind"] == "ConfigMap" and MARKER_LABEL in (b["metadata"].get("labels") or {})]

    def moving(self) -> bool:
        """Whether a pivot out of the bootstrap cluster has begun."""
        return bool(self.backend.server and LEASE in self.backend.server.objects)

    # -- what must hold

    def watch(self, when: str, what: str) -> None:
        if when == "before" and what == "backend: stop the node":
            self.proven()
        if when == "before" and (self.moving() or self.markers()):
            source = self.backend.server.name if self.backend.server else ""
            scaffold = re.match(rf"backend: (make|finish|load)|{source}: apply", what)
            assert not scaffold, f"scaffolding is built after the pivot began: {what}"
        self.check()

    def check(self) -> None:
        """A Cluster is un-paused in one place at most, and no machine was made twice."""
        active = [
            n for s in self.servers() for n, b in s.objects.items() if n[:2] == CLUSTER and not b["spec"].get("paused")
        ]
        assert len(active) == len(set(active)), f"un-paused in two clusters: {active}"
        roles = [c.role for c in self.room.of("mgmt")]
        assert roles.count("control-plane") <= 1, f"machines made twice: {self.room.ever}"

    def proven(self) -> None:
        """What was shown before the bootstrap cluster may leave."""
        server = self.management
        assert server
        assert [m["data"]["state"] for m in self.markers()] == [DONE], "there is no marker of a pivot that ended"
        itself = server.objects[*CLUSTER, "default", "mgmt"]
        assert not itself["spec"].get("paused")
        assert any(c["type"] == "Available" and c["status"] == "True" for c in itself["status"]["conditions"])
        nodes = [b for b in server.objects.values() if b["kind"] == "Node"]
        assert any(n["metadata"]["labels"].get(MANAGED_BY) == server.identity() for n in nodes), "nobody acted there"
        assert self.backend.server
        pods = [n for n in self.backend.server.objects if n[1] == "Pod"]
        assert not pods, f"managers still run in the bootstrap cluster: {pods}"

    def end(self) -> Object:
        """Everything that is there, with names instead of UIDs: equal for equal ends, whatever happened on the way.

        But for the pivot's report: that is evidence for people, written once, and nothing rests upon it.
        """
        return {
            "bootstrap": described(self.backend.server) if self.backend.server else None,
            "management": described(self.management) if self.management else None,
            "machines": {name: sorted(c.images) for name, c in sorted(self.room.containers.items())},
            "ever made": self.room.ever,
            "kept": {name: text for name, text in self.state.files.items() if not name.endswith(".json")},
        }


def described(server: ApiServer) -> dict[Name, Object]:
    """What an API server has: owners by name; certificates, never the same twice, by whether they are there."""
    names = {body["metadata"]["uid"]: name for name, body in server.objects.items()}
    found: dict[Name, Object] = {}
    for name, body in sorted(server.objects.items()):
        if name[1] in ("Pod", "Lease"):
            continue
        kept = {part: clone(text) for part, text in body.items() if part not in ("metadata", "status")}
        if name[3] == "webhook-cert":
            kept["data"] = sorted(kept["data"])
        if "webhooks" in kept:
            for hook in kept["webhooks"]:
                hook["clientConfig"]["caBundle"] = bool(hook["clientConfig"]["caBundle"])
        if name[3].startswith("bootstrapper-pivot-"):
            name, kept = (*name[:3], "marker"), {"state": body["data"]["state"], "mode": body["data"]["mode"]}
        metadata = body["metadata"]
        notes = {key: text for key, text in (metadata.get("annotations") or {}).items() if not key.endswith("/origin")}
        owners = sorted(str(names.get(o["uid"], "dead")) for o in metadata.get("ownerReferences") or [])
        labels = metadata.get("labels") or {}
        found[name] = {
            **kept,
            "labels": labels,
            "notes": notes,
            "owners": owners,
            "fin": metadata.get("finalizers") or [],
        }
    return found


__all__ = ["LEASE", "PowerLost", "Scene", "described", "request"]
