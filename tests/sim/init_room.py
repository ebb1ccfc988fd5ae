"""What lies below Kubernetes: containers that are machines, the bootstrap cluster's node, the state folder."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from init_api import NODE, ApiServer, Power
from init_turns import Clock

from bootstrapper.config import ClusterRequest
from bootstrapper.errors import LostContact
from bootstrapper.step import Cause
from bootstrapper.world import Finding

BALANCER, CONTROL_PLANE, WORKER = "balancer", "control-plane", "worker"
#: Ticks from a container's start to its API server, and to its Node.
SERVES, JOINS = 3, 5


@dataclass
class Container:
    """A machine, or a load balancer."""

    name: str
    cluster: str
    role: str
    images: set[str] = field(default_factory=set)
    age: int = 0


class Room:
    """Every machine that there is, and the API servers that run on them. `ever` keeps what was once made."""

    def __init__(self, power: Power) -> None:
        self.power = power
        self.containers: dict[str, Container] = {}
        self.servers: dict[str, ApiServer] = {}
        self.ever: list[str] = []
        self.engine_images: set[str] = set()
        self.numbers = itertools.count(1)
        #: API servers that don't answer, and for how many ticks.
        self.silent: dict[str, int] = {}
        #: Machines whose Node isn't ready, whatever else is.
        self.sick: set[str] = set()

    def make(self, name: str, cluster: str, role: str) -> None:
        """Make a container; one that is there is left alone."""
        if name in self.containers:
            return
        assert "node-image" in self.engine_images, f"{name} is to be made, and the engine has no image for it"
        self.containers[name] = Container(name, cluster, role)
        self.ever.append(name)
        if role == BALANCER:
            self.servers[cluster] = ApiServer(cluster, self.power)

    def remove(self, name: str) -> None:
        """Remove a container, and its Node with it."""
        gone = self.containers.pop(name, None)
        if gone is None:
            return
        server = self.servers[gone.cluster]
        server.objects.pop(("", "Node", "", name), None)
        if gone.role == BALANCER:
            server.up = False

    def of(self, cluster: str, *roles: str) -> list[Container]:
        """The containers of a cluster, of these roles when any is named."""
        return [c for c in self.containers.values() if c.cluster == cluster and (not roles or c.role in roles)]

    def hush(self, cluster: str, ticks: int) -> None:
        """The API server of a cluster doesn't answer for so long."""
        self.silent[cluster] = ticks
        self.servers[cluster].up = False

    def tick(self) -> None:
        """Machines boot."""
        self.silent = {cluster: left - 1 for cluster, left in self.silent.items() if left > 1}
        for container in list(self.containers.values()):
            container.age += 1
            server = self.servers[container.cluster]
            if container.role == CONTROL_PLANE and container.age >= SERVES and container.cluster not in self.silent:
                server.up = True
            if container.role != BALANCER and container.age >= JOINS and server.up:
                self._join(server, container)

    def _join(self, server: ApiServer, container: Container) -> None:
        name = ("", "Node", "", container.name)
        if name not in server.objects:
            server.put(NODE, {"metadata": {"name": container.name, "labels": {}}})
        network = ("", "ConfigMap", "kube-system", "node-routes") in server.objects
        ready = network and container.name not in self.sick
        server.objects[name]["status"] = {"conditions": [{"type": "Ready", "status": str(ready)}]}

    def has_images(self, cluster: str, images: set[str]) -> bool:
        """Whether pods of these images start on every control-plane machine of a cluster."""
        return all(images <= c.images for c in self.of(cluster, CONTROL_PLANE))


class Infrastructure:
    """See `bootstrapper.world.Infrastructure`."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self.found: list[Finding] = []

    def findings(self, config: ClusterRequest) -> list[Finding]:
        return self.found

    def unprepared(self, request: ClusterRequest) -> str | None:
        return None if "node-image" in self.room.engine_images else "the node image isn't in the engine yet"

    def prepare(self, request: ClusterRequest) -> None:
        _write(self.room.power, "engine: load node-image", lambda: self.room.engine_images.add("node-image"))

    def missing_images(self, cluster: str, images: Sequence[str]) -> str | None:
        nodes = self.room.of(cluster, CONTROL_PLANE, WORKER)
        if not nodes:
            return f"cluster {cluster} has no running machine yet"
        lacking = [c.name for c in nodes if not set(images) <= c.images]
        return f"images aren't on {', '.join(lacking)} yet" if lacking else None

    def load_images(self, cluster: str, images: Sequence[str]) -> None:
        nodes = self.room.of(cluster, CONTROL_PLANE, WORKER)
        if not nodes:
            raise LostContact(f"cluster {cluster} has no running machine yet")
        for container in nodes:
            if not set(images) <= container.images:
                _write(self.room.power, f"{container.name}: load images", partial(container.images.update, images))

    def machine_cause(self, cluster: str, machine: str) -> Cause | None:
        return None

    def kubeconfig(self, cluster: str) -> str | None:
        return kubeconfig(cluster) if cluster in self.room.servers else None

    def leftovers(self, cluster: str) -> list[str]:
        return [f"container {c.name}" for c in self.room.of(cluster)]

    def remove_leftovers(self, cluster: str) -> None:
        for container in sorted(self.room.of(cluster), key=lambda c: c.role == BALANCER):
            _write(self.room.power, f"remove {container.name}", partial(self.room.remove, container.name))


@dataclass
class _Boot:
    """The bootstrap cluster's node. `ready` once its API server answered."""

    server: ApiServer
    images: set[str] = field(default_factory=set)
    ready: bool = False


class Backend:
    """See `bootstrapper.world.Backend`: like kind, making the cluster takes a while and may be killed half-way."""

    throw_away = True

    def __init__(self, power: Power, clock: Clock) -> None:
        self.power, self.clock = power, clock
        self.node: _Boot | None = None
        self.made = 0

    @property
    def server(self) -> ApiServer | None:
        """Its API server, while there is one."""
        return self.node.server if self.node else None

    def gap(self, name: str) -> str | None:
        self.power.alive()
        if self.node is None:
            return f"there is no bootstrap cluster {name}"
        return None if self.node.ready else f"bootstrap cluster {name} isn't finished"

    def start(self, name: str) -> None:
        self.clock.sleep(1.0)  # the API server of one that isn't finished is given some time to answer
        if self.node and not self.node.ready:
            _write(self.power, "backend: remove the unfinished node", self._removed)
        if self.node is None:
            _write(self.power, "backend: make the node", lambda: self._made(name))
            self.clock.sleep(2.0)
            _write(self.power, "backend: finish the node", self._finished)

    def kubeconfig(self, name: str) -> str | None:
        self.power.alive()
        return kubeconfig(f"{name}#{self.made}") if self.node and self.node.ready else None

    def missing_images(self, name: str, images: Sequence[str]) -> str | None:
        if self.node is None:
            return f"bootstrap cluster {name} has no running node yet"
        return None if set(images) <= self.node.images else "images aren't on the bootstrap cluster's node yet"

    def load_images(self, name: str, images: Sequence[str]) -> None:
        if self.node is None:
            raise LostContact(f"bootstrap cluster {name} has no running node yet")
        for image in images:
            if self.node and image not in self.node.images:
                _write(self.power, f"backend: load {image}", partial(self._loaded, image))

    def exists(self, name: str) -> bool:
        self.power.alive()
        return self.node is not None

    def remove(self, name: str) -> None:
        if self.node is not None:
            _write(self.power, "backend: stop the node", self._stopped)
            _write(self.power, "backend: remove the node", self._removed)

    def cause(self, name: str) -> Cause | None:
        return None

    def _made(self, name: str) -> None:
        self.made += 1
        self.node = _Boot(ApiServer(name, self.power, f"{name}#{self.made}"))

    def _finished(self) -> None:
        assert self.node
        self.node.ready = self.node.server.up = True

    def _loaded(self, image: str) -> None:
        assert self.node
        self.node.images.add(image)

    def _stopped(self) -> None:
        assert self.node
        self.node.ready = self.node.server.up = False

    def _removed(self) -> None:
        self.node = None


class Existing(Backend):
    """A cluster that the operator has had before: it pulls its images itself, and isn't ours to make or to remove."""

    throw_away = False

    def __init__(self, power: Power, clock: Clock) -> None:
        super().__init__(power, clock)
        self._made("operators-own")
        self._finished()

    def start(self, name: str) -> None:
        raise AssertionError("it runs already")

    def missing_images(self, name: str, images: Sequence[str]) -> str | None:
        assert self.node
        self.node.images.update(images)
        return None

    def remove(self, name: str) -> None:
        raise AssertionError("a cluster that isn't ours is to be removed")


class State:
    """See `bootstrapper.world.State`."""

    def __init__(self, power: Power) -> None:
        self.power = power
        self.files: dict[str, str] = {}

    def read(self, file: str) -> str | None:
        self.power.alive()
        return self.files.get(file)

    def write(self, file: str, text: str) -> None:
        _write(self.power, f"state: {file}", lambda: self.files.update({file: text}))


def kubeconfig(cluster: str) -> str:
    """The text that stands for a kubeconfig here."""
    return f"kubeconfig of {cluster}"


def _write(power: Power, what: str, act: Callable[[], object]) -> None:
    power.before(what)
    act()
    power.after(what)
