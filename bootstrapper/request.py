"""The frozen request: one cluster, as it is to be made. config.py builds it from what the operator wrote."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Backend = Literal["kind", "existing"]
ProviderType = Literal["core", "bootstrap", "control-plane", "infrastructure"]


@dataclass(frozen=True)
class Bootstrap:
    """Which cluster makes the first one; `kubeconfig` (absolute) with backend existing only."""

    backend: Backend
    kubeconfig: Path | None


@dataclass(frozen=True)
class Infrastructure:
    """`provider`: its name alone, such as "docker"."""

    provider: str


@dataclass(frozen=True)
class ControlPlane:
    replicas: int


@dataclass(frozen=True)
class WorkerPool:
    name: str
    replicas: int


@dataclass(frozen=True)
class Network:
    """IPv4 ranges; `cni` is a manifest (absolute) that replaces the built-in pod network."""

    pods: str
    services: str
    cni: Path | None


@dataclass(frozen=True)
class Provider:
    """A Cluster API provider to install; `version` None is the bundle's."""

    type: ProviderType
    name: str
    version: str | None


@dataclass(frozen=True, kw_only=True)
class ClusterRequest:
    """One cluster, as it is to be made.

    kubernetes_version  "v1.36.3"
    template            own Cluster API YAML (absolute), None: the built-in one for the provider
    variables           values for the template's own variables
    source              where this was asked for, for messages: a file's path, or a command line
    """

    name: str
    namespace: str
    kubernetes_version: str
    infrastructure: Infrastructure
    control_plane: ControlPlane
    workers: tuple[WorkerPool, ...]
    network: Network
    template: Path | None
    variables: Mapping[str, str]
    source: str = field(compare=False)

    @property
    def shares_control_plane(self) -> bool:
        """Whether pods of every kind may run on control plane machines: with no others, they must."""
        return not any(pool.replicas for pool in self.workers)


@dataclass(frozen=True, kw_only=True)
class WorkloadCluster(ClusterRequest):
    """A cluster that a management cluster makes."""


@dataclass(frozen=True, kw_only=True)
class ManagementCluster(ClusterRequest):
    """The cluster that is to manage itself. `bundle`: its folder (absolute), None: none was named."""

    bootstrap: Bootstrap
    bundle: Path | None
    providers: tuple[Provider, ...]

    @property
    def shares_control_plane(self) -> bool:
        """Always: the managers must have a machine while every worker is being replaced."""
        return True
