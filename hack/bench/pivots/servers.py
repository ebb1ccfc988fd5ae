"""Two kube-apiservers on one etcd, as the contract tests start them, which write audit logs besides."""

from __future__ import annotations

import contextlib
import itertools
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from control_plane import COMPONENTS, control_planes, install_crds

from bootstrapper import config
from bootstrapper.adapters.layout import Layout
from bootstrapper.errors import StepError
from bootstrapper.phases.providers import Wanted
from bootstrapper.world import Cluster
from hack.bench.pivots import audit, fleet
from hack.bench.pivots.bare import METADATA_ONLY, Bare, Request, as_bytes
from pivot.ports import NAMESPACE

BINARIES = ("etcd", "kube-apiserver", "kube-controller-manager")
#: All that is asked by who has a token (the programs, the benchmark, the garbage collector), without bodies.
POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata", "users": ["admin"]}, {"level": "None"}],
}
#: Starts a kube-apiserver with what is measured besides. Its name is that of its place in etcd. No rotation: what was
#: read of the log must stay where it is.
AUDITED = """#!/bin/sh
for flag; do case "$flag" in --etcd-prefix=/*) name=${{flag#--etcd-prefix=/}};; esac; done
exec "{binary}" "$@" --audit-policy-file="{policy}" --audit-log-path="{folder}/$name.audit" --audit-log-maxsize=100000
"""
PATIENCE = 300.0
_numbers = itertools.count(1)


@dataclass
class Server:
    """One kube-apiserver. `measured` is the raw client's; `keeper` makes and wipes, and isn't counted."""

    name: str
    kubeconfig: Path
    log: Path
    keeper: Bare = field(init=False, repr=False)
    measured: Bare = field(init=False, repr=False)
    _offset: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        text = self.kubeconfig.read_text(encoding="utf-8")
        self.keeper, self.measured = Bare(text, audit.KEEPER), Bare(text, "bench-bare")

    def mark(self) -> None:
        """What is logged so far isn't of the next run."""
        self._until_logged()
        self._offset = self.log.stat().st_size

    def since(self) -> list[audit.Seen]:
        """What was asked since the mark by the program that is measured."""
        self._until_logged()
        with self.log.open(encoding="utf-8") as file:
            file.seek(self._offset)
            return audit.read(file)

    def _until_logged(self) -> None:
        """Ask something that nobody else asks, and wait for its line: those before it stand in the log then."""
        path = f"/version?bench={next(_numbers)}"
        size = self.log.stat().st_size
        self.keeper.do(Request("GET", path))
        _wait_until(lambda: f'"{path}"' in _tail(self.log, size), f"{self.log.name} shows a request")

    def namespace(self, name: str) -> None:
        """A new namespace."""
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        self.keeper.do(Request("POST", "/api/v1/namespaces", as_bytes(body)))

    def count(self, namespace: str) -> int:
        """How many objects of the fleet are in a namespace."""
        return sum(1 for r in fleet.RESOURCES for _ in self.keeper.pages(r.path(namespace), METADATA_ONLY))

    def wipe(self, namespace: str) -> None:
        """Remove a fleet, and what a pivot noted about it."""
        self.keeper.all(self._without_finalizers(namespace), absent=True)
        for resource in reversed(fleet.RESOURCES):
            self.keeper.do(Request("DELETE", resource.path(namespace)))
        notes = "/api/v1/namespaces/kube-system/configmaps?labelSelector=pivot.bootstrapper/marker"
        self.keeper.do(Request("DELETE", notes))
        claim = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/bootstrapper-pivot"
        self.keeper.do(Request("DELETE", claim), absent=True)
        _wait_until(lambda: self.count(namespace) == 0, f"{self.name} is wiped")

    def _without_finalizers(self, namespace: str) -> Iterator[Request]:
        body = as_bytes({"metadata": {"finalizers": None}})
        for resource in fleet.RESOURCES:
            for item in self.keeper.pages(resource.path(namespace), METADATA_ONLY):
                if item["metadata"].get("finalizers"):
                    path = resource.path(namespace, item["metadata"]["name"])
                    yield Request("PATCH", path, body, "application/merge-patch+json")


@dataclass(frozen=True)
class Pair:
    """Source and target."""

    source: Server
    target: Server

    @property
    def both(self) -> tuple[Server, Server]:
        return self.source, self.target


@contextlib.contextmanager
def pair(bundle: Layout, folder: Path) -> Iterator[Pair]:
    """Both with Cluster API's CRDs and the same providers in clusterctl's inventory; stopped at the end."""
    texts = [bundle.text(components, file) for components, file in COMPONENTS.items()]
    with control_planes(folder, _binaries(bundle, folder), ("source", "target")) as clusters:
        for cluster in clusters.values():
            install_crds(cluster, texts)
            _inventory(cluster, bundle)
        servers = (Server(name, folder / f"{name}.kubeconfig", folder / f"{name}.audit") for name in clusters)
        yield Pair(*servers)


def _binaries(bundle: Layout, folder: Path) -> dict[str, Path]:
    found = {name: bundle.executable(name, folder / "bin") for name in BINARIES}
    policy, audited = folder / "audit-policy.json", folder / "audited-kube-apiserver"
    policy.write_text(json.dumps(POLICY), encoding="utf-8")
    audited.write_text(AUDITED.format(binary=found["kube-apiserver"], policy=policy, folder=folder), encoding="utf-8")
    audited.chmod(0o755)
    return {**found, "kube-apiserver": audited}


def _inventory(cluster: Cluster, bundle: Layout) -> None:
    """What `clusterctl init` notes: `clusterctl move` compares it."""
    for provider in Wanted(config.load(None), bundle).providers:
        entry = provider.inventory()
        name = entry["metadata"]["namespace"]
        if cluster.get(NAMESPACE, None, name) is None:
            cluster.create(NAMESPACE, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        cluster.apply(entry)


def _tail(log: Path, offset: int) -> str:
    with log.open("rb") as file:
        file.seek(offset)
        return file.read().decode("utf-8", "replace")


def _wait_until(holds: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > until:
            raise StepError(f"not within {PATIENCE:.0f} s: {what}")
        time.sleep(0.1)
