"""A source and a target, and objects that real schemas accept, made through the port alone."""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import fleet
from control_plane import wait_until

from pivot.engine import Pivot
from pivot.errors import NotFound
from pivot.objects import CLUSTERCTL_LABEL
from pivot.ports import CONFIG_MAP, LEASE, NAMESPACE, SECRET, Cluster, Kind, Object
from pivot.seen import Options

_numbers = itertools.count(1)


class Kill(BaseException):
    """The program is gone."""


class RealClock:
    """Time as it passes."""

    def now(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class Mortal:
    """A cluster at which the program is killed after so many writes (of both sides together)."""

    def __init__(self, cluster: Cluster, left: list[int]) -> None:
        self._cluster, self._left = cluster, left

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._cluster, name)
        return self._counted(found) if name in ("create", "patch", "delete") else found

    def _counted(self, write: Any) -> Any:
        def counted(*args: Any, **kwargs: Any) -> Any:
            if self._left[0] <= 0:
                raise Kill
            self._left[0] -= 1
            return write(*args, **kwargs)

        return counted


@dataclass
class Pair:
    """Both clusters; `namespace` is new for each test."""

    source: Cluster
    target: Cluster
    clock: RealClock = field(default_factory=RealClock)

    def namespace(self, *clusters: Cluster) -> str:
        """A new namespace in the source, or in these clusters."""
        name = f"fleet-{next(_numbers)}"
        for cluster in clusters or (self.source,):
            cluster.create(NAMESPACE, {"metadata": {"name": name, "labels": {"team": "x"}}})
        return name

    def pivot(self, dies_after: int | None = None, **options: Any) -> Pivot:
        chosen = Options(stall=30.0, parallel=1 if dies_after is not None else 8, holder="contract", **options)
        left = [dies_after if dies_after is not None else 1_000_000]
        source, target = Mortal(self.source, left), Mortal(self.target, left)
        return Pivot(source, target, chosen, self.clock, lambda _: None, gone=lambda _: True)

    def wipe(self) -> None:
        """Remove what tests left: objects, claims, markers. Namespaces stay: their names aren't used again."""
        for cluster in (self.source, self.target):
            for kind in (*cluster.kinds(), SECRET, CONFIG_MAP, LEASE):
                for body in _listed(cluster, kind):
                    self._remove(cluster, kind, body)

    def _remove(self, cluster: Cluster, kind: Kind, body: Object) -> None:
        metadata = body["metadata"]
        namespace, name = metadata.get("namespace"), metadata["name"]
        if namespace == "kube-system" and not name.startswith("bootstrapper-pivot"):
            return
        try:
            if metadata.get("finalizers"):
                cluster.patch(kind, namespace, name, {"metadata": {"finalizers": None}})
            cluster.delete(kind, namespace, name, uid=metadata["uid"])
        except NotFound:
            return

    def gone(self, cluster: Cluster, kind: Kind, namespace: str, name: str) -> None:
        """Wait until an object is gone; the fake's controllers act at once."""
        wait_until(lambda: cluster.get(kind, namespace, name) is None, f"{kind} {name} is gone", 90)


def _listed(cluster: Cluster, kind: Kind) -> list[Object]:
    try:
        return list(cluster.list(kind))
    except NotFound:
        return []


@dataclass
class Maker:
    """Makes objects in one namespace of one cluster, as real schemas want them."""

    cluster: Cluster
    namespace: str

    def make(self, kind: Kind, name: str, *owners: Object, **parts: Any) -> Object:
        metadata: Object = {"name": name, **parts.pop("metadata", {})}
        if kind.namespaced:
            metadata["namespace"] = self.namespace
        if owners:
            metadata["ownerReferences"] = [fleet.owner_reference(owner) for owner in owners]
        body = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata, **parts}
        return self.cluster.create(kind, body)

    def fleet(self, name: str = "prod", machines: int = 2) -> Object:
        """A Cluster with infrastructure, Machines, Secrets and finalizers."""
        infra = {"apiGroup": fleet.INFRA, "kind": "DevCluster", "name": name}
        finalizers = {"finalizers": ["cluster.cluster.x-k8s.io"]}
        cluster = self.make(fleet.CLUSTER, name, spec={"infrastructureRef": infra}, metadata=finalizers)
        self.make(fleet.DEV_CLUSTER, name, cluster, spec={"backend": {"docker": {}}})
        self.make(SECRET, f"{name}-ca", data={"tls.key": "c2VjcmV0"}, type="cluster.x-k8s.io/secret")
        for number in range(machines):
            self._machine(cluster, f"{name}-{number}", name)
        return cluster

    def _machine(self, owner: Object, name: str, cluster: str) -> None:
        infra = {"apiGroup": fleet.INFRA, "kind": "DevMachine", "name": name}
        boot = {"apiGroup": fleet.BOOT.group, "kind": "KubeadmConfig", "name": name}
        spec = {"clusterName": cluster, "bootstrap": {"configRef": boot}, "infrastructureRef": infra}
        finalizers = {"finalizers": ["machine.cluster.x-k8s.io"]}
        machine = self.make(fleet.MACHINE, name, owner, spec=spec, metadata=finalizers)
        self.make(fleet.DEV_MACHINE, name, machine, spec={"backend": {"docker": {}}})
        config = self.make(fleet.BOOT, name, machine, spec={"format": "cloud-config"})
        self.make(SECRET, name, config, data={"value": "Ym9vdA=="})


def names(cluster: Cluster, namespace: str, kinds: Sequence[Kind] = fleet.KINDS) -> set[tuple[str, str]]:
    """Kind and name of everything of these kinds in a namespace."""
    found = ((kind.kind, body) for kind in (*kinds, SECRET, CONFIG_MAP) for body in _listed(cluster, kind))
    chosen = ((kind, body["metadata"]) for kind, body in found if body["metadata"].get("namespace") == namespace)
    return {(kind, metadata["name"]) for kind, metadata in chosen if metadata["name"] != "kube-root-ca.crt"}


__all__ = ["CLUSTERCTL_LABEL", "Kill", "Maker", "Mapping", "Pair", "names"]
