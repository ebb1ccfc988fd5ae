"""The world: every port on one page.

Steps share the config and this, nothing else. What another step made is found by its name. The implementations stand in
`adapters/`; tests bring their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import pivot.ports
from bootstrapper.config import ClusterRequest, ManagementCluster
from bootstrapper.step import Cause, Clock

#: A Kubernetes object as its API server gives it.
Object = dict[str, Any]
# `Cluster.list` hides the builtin within the class.
Objects = list[Object]


class Cluster(pivot.ports.Cluster, Protocol):
    """An API server. Adds to the pivot's port what installing needs."""

    server: str

    def patient(self, seconds: float) -> Cluster:
        """The same API server; a request whose answer is transient is repeated for so long."""
        ...

    def alive(self) -> None:
        """Return when the API server answers and says it is ready.

        Raises:
            LostContact: it doesn't; `why` says how it failed.
        """
        ...

    def kind(self, api_version: str, kind: str) -> pivot.ports.Kind | None:
        """The kind as this API server knows it, None when it doesn't."""
        ...

    def apply(self, obj: Object) -> Object:
        """Server-side apply of one object, as field manager `bootstrapper`, taking over fields in conflict."""
        ...

    def find(self, api_version: str, kind: str, namespace: str | None = None, labels: str | None = None) -> Objects:
        """All objects of a kind; none when the API server doesn't know the kind."""
        ...

    def names(self, api_version: str, kind: str) -> set[tuple[str, str]]:
        """(namespace or "", name) of all objects of a kind; their bodies aren't sent. None when it isn't known."""
        ...

    def one(self, api_version: str, kind: str, namespace: str | None, name: str) -> Object | None:
        """One object by its name; None when it or its kind isn't there."""
        ...


class Backend(Protocol):
    """Where the bootstrap cluster runs. Each method takes the bootstrap cluster's name."""

    #: Whether the bootstrap cluster is ours to destroy at the end.
    throw_away: bool

    def gap(self, name: str) -> str | None:
        """Why the bootstrap cluster can't be used yet, as one sentence; None when it can."""
        ...

    def start(self, name: str) -> None:
        """Make it, or go on where a killed run left it."""
        ...

    def kubeconfig(self, name: str) -> str | None:
        """Its kubeconfig as YAML text, None while there is none."""
        ...

    def missing_images(self, name: str, images: Sequence[str]) -> str | None:
        """Which of the images its nodes lack, as one sentence; None when none (or when it pulls by itself)."""
        ...

    def load_images(self, name: str, images: Sequence[str]) -> None:
        """Give its nodes the images."""
        ...

    def exists(self, name: str) -> bool:
        """Whether anything of it is there, finished or not."""
        ...

    def remove(self, name: str) -> None:
        """Remove it with everything in it; absent is fine."""
        ...

    def cause(self, name: str) -> Cause | None:
        """Why it doesn't come up, from its own logs."""
        ...


class Infrastructure(Protocol):
    """What lies below the machines of one infrastructure provider, as far as this machine can reach it."""

    def findings(self, config: ClusterRequest) -> list[Finding]:
        """What is unfit here for this provider."""
        ...

    def unprepared(self, request: ClusterRequest) -> str | None:
        """What must be there before the first machine can be made, as one sentence (images in the engine, say)."""
        ...

    def prepare(self, request: ClusterRequest) -> None:
        """Make it so."""
        ...

    def missing_images(self, cluster: str, images: Sequence[str]) -> str | None:
        """Which of the images the machines of a cluster lack; None when none, or when they pull by themselves."""
        ...

    def load_images(self, cluster: str, images: Sequence[str]) -> None:
        """Give the machines of a cluster the images."""
        ...

    def machine_cause(self, cluster: str, machine: str) -> Cause | None:
        """What the machine itself says about why it doesn't come up (is it stopped? kubeadm's and kubelet's logs)."""
        ...

    def kubeconfig(self, cluster: str) -> str | None:
        """The admin kubeconfig read from a control-plane machine itself; None when that can't be had here."""
        ...

    def leftovers(self, cluster: str) -> list[str]:
        """What exists outside Kubernetes for this cluster (containers, volumes, networks), named."""
        ...

    def remove_leftovers(self, cluster: str) -> None:
        """Remove just that."""
        ...


class Bundle(Protocol):
    """The parts: see `bootstrapper.adapters.layout.Layout`."""

    def version(self, kind: str, name: str) -> str:
        """The version of an artifact (`components`, `core/cluster-api`)."""
        ...

    def text(self, components: str, file: str) -> str:
        """A file (`core-components.yaml`) of a components artifact (`core/cluster-api`)."""
        ...

    def docker_archive(self, names: Sequence[str]) -> Iterator[bytes]:
        """Images as one tar stream."""
        ...

    def missing(self) -> list[str]:
        """Every blob that the bundle should have and hasn't."""
        ...


class State(Protocol):
    """The state folder of one management cluster: see `bootstrapper.adapters.state.State`."""

    def read(self, file: str) -> str | None:
        """The text of a file, None when it isn't there."""
        ...

    def write(self, file: str, text: str) -> None:
        """Keep a file, mode 0600, atomically."""
        ...


@dataclass(frozen=True)
class Finding:
    """What a check found. `blocks` tells whether a run can't work; `remedy` what to do; `whose` whose problem it is."""

    subject: str
    text: str
    remedy: str
    blocks: bool = True
    whose: Literal["machine", "engine", "bundle", "request"] = "machine"


@dataclass(frozen=True)
class World:
    """Everything outside the program."""

    backend: Backend
    infrastructure: Infrastructure
    bundle: Bundle
    state: State
    clock: Clock
    #: An API server by its kubeconfig (YAML text) and the name it is called in messages.
    connect: Callable[[str, str], Cluster]


def bootstrap_name(config: ClusterRequest) -> str:
    """The bootstrap cluster's name."""
    return f"{config.name}-bootstrap"


def bootstrap(config: ManagementCluster, world: World) -> Cluster | None:
    """The bootstrap cluster, None while it can't be used."""
    text = world.backend.kubeconfig(bootstrap_name(config))
    return world.connect(text, bootstrap_name(config)) if text else None


def management(config: ManagementCluster, world: World) -> Cluster | None:
    """The management cluster by its kept kubeconfig, None while nothing is kept.

    The kubeconfig is kept by the step that sees its API server for the first time.
    """
    text = world.state.read("kubeconfig")
    return world.connect(text, config.name) if text else None
