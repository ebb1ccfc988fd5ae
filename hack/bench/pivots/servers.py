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
from hack.bench.pivots.bare import MERGE, METADATA_ONLY, Bare, Request, as_bytes, side_by_side
from hack.bench.pivots.fleet import Object, Resource
from pivot.ports import NAMESPACE

BINARIES = ("etcd", "kube-apiserver", "kube-controller-manager")
#: What a pivot notes: who is in charge in the target, and who moves in the source.
MARKERS = "/api/v1/namespaces/kube-system/configmaps?labelSelector=pivot.bootstrapper/marker"
CLAIM = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/bootstrapper-pivot"
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
#: etcd keeps each version of an object until it is compacted, every five minutes: more than its two GiB by default.
ROOMY = """#!/bin/sh
exec "{binary}" "$@" --quota-backend-bytes=8589934592
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
        return sum(1 for resource in fleet.RESOURCES for _ in self._names(resource, namespace))

    def wipe(self, namespace: str) -> None:
        """Remove a fleet, and what a pivot noted about it."""
        doomed = [(r, item) for r in reversed(fleet.RESOURCES) for item in self._names(r, namespace)]
        side_by_side(doomed, lambda named: self._remove(*named))
        self.keeper.do(Request("DELETE", MARKERS))
        self.keeper.do(Request("DELETE", CLAIM), absent=True)
        _wait_until(lambda: self.count(namespace) == 0, f"{self.name} is wiped")

    def _names(self, resource: Resource, namespace: str) -> Iterator[Object]:
        """The metadata of each object of a kind."""
        return (item["metadata"] for item in self.keeper.pages(resource.path(namespace), METADATA_ONLY))

    def _remove(self, resource: Resource, metadata: Object) -> None:
        path = resource.path(metadata["namespace"], metadata["name"])
        if metadata.get("finalizers"):
            self.keeper.do(Request("PATCH", path, as_bytes({"metadata": {"finalizers": None}}), MERGE), absent=True)
        self.keeper.do(Request("DELETE", path), absent=True)


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
    policy = folder / "audit-policy.json"
    policy.write_text(json.dumps(POLICY), encoding="utf-8")
    api_server = AUDITED.format(binary=found["kube-apiserver"], policy=policy, folder=folder)
    etcd = ROOMY.format(binary=found["etcd"])
    scripts = {"kube-apiserver": api_server, "etcd": etcd}
    return {**found, **{name: _script(folder / f"{name}.sh", text) for name, text in scripts.items()}}


def _script(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return path


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
