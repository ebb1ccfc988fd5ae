"""The peer itself, on the same API servers: what it moved we move, what we moved it moves, what it left half done we
end. `clusterctl` is the one of the bundle.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import fleet
import pytest
from control_plane import PATIENCE
from pair import Maker, Pair, names

from bootstrapper.adapters.assemble import bundle_folder
from bootstrapper.adapters.layout import Layout
from pivot.errors import PreflightRefused
from pivot.ports import NAMESPACE, SECRET, Cluster, Object

MACHINES = 8
WHEN = "2026-01-01T00:00:00Z"


@dataclass
class Peer:
    """Both clusters in one namespace with a fleet that clusterctl finds fit to move."""

    pair: Pair
    clusterctl: Path
    folder: Path
    home: Path
    namespace: str

    def begins(self, source: str, target: str) -> subprocess.Popen[bytes]:
        words = [
            f"--kubeconfig={self.folder / source}.kubeconfig",
            f"--to-kubeconfig={self.folder / target}.kubeconfig",
        ]
        environment = {**os.environ, "XDG_CONFIG_HOME": str(self.home), "CLUSTERCTL_DISABLE_VERSIONCHECK": "true"}
        return subprocess.Popen(
            [self.clusterctl, "move", f"--namespace={self.namespace}", *words],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )

    def ends(self, source: str, target: str) -> tuple[int, str]:
        """A whole run: its exit code, and what it said."""
        process = self.begins(source, target)
        _, said = process.communicate(timeout=PATIENCE)
        return process.returncode, said.decode()

    def moves(self, source: str, target: str) -> None:
        code, said = self.ends(source, target)
        assert code == 0, said

    def is_killed(self, when: Callable[[], bool]) -> None:
        """It begins to move forth, and is killed as soon as this is so."""
        process = self.begins("source", "target")
        until = time.monotonic() + PATIENCE
        while not when():
            assert process.poll() is None, f"it ended before: {process.communicate()[1].decode()}"
            assert time.monotonic() < until
        process.kill()
        process.communicate()

    def in_(self, cluster: Cluster) -> set[tuple[str, str]]:
        return names(cluster, self.namespace) - {("Provider", "cluster-api")}

    def cluster_in(self, cluster: Cluster) -> Object | None:
        return cluster.get(fleet.CLUSTER, self.namespace, "prod")


@pytest.fixture
def peer(real_pair: Pair, real_folder: Path, tmp_path: Path) -> Iterator[Peer]:
    namespace = real_pair.namespace()
    bundle = Layout.open(bundle_folder())
    for cluster in (real_pair.source, real_pair.target):
        if cluster.get(NAMESPACE, None, "capi-system") is None:
            cluster.create(NAMESPACE, {"metadata": {"name": "capi-system"}})
        provider = {"providerName": "cluster-api", "type": "CoreProvider", "version": "v1.14.2"}
        labels = {"clusterctl.cluster.x-k8s.io/core": "inventory"}
        Maker(cluster, "capi-system").make(fleet.PROVIDER, "cluster-api", metadata={"labels": labels}, **provider)
    Maker(real_pair.source, namespace).fleet(machines=MACHINES)
    _provisioned(real_pair.source, namespace)
    yield Peer(real_pair, bundle.executable("clusterctl", tmp_path / "bin"), real_folder, tmp_path, namespace)
    real_pair.wipe()


def _provisioned(cluster: Cluster, namespace: str) -> None:
    """The status that clusterctl asks for before it begins."""
    condition = {"type": "ControlPlaneInitialized", "status": "True", "reason": "Yes", "message": ""}
    condition["lastTransitionTime"] = WHEN
    status = {"initialization": {"infrastructureProvisioned": True}, "conditions": [condition]}
    cluster.patch(fleet.CLUSTER, namespace, "prod", {"status": status}, subresource="status")
    for machine in list(cluster.list(fleet.MACHINE, namespace)):
        name = machine["metadata"]["name"]
        status = {"status": {"nodeRef": {"name": name}}}
        cluster.patch(fleet.MACHINE, namespace, name, status, subresource="status")


def test_ours_there_and_clusterctl_back_and_ours_again(peer: Peer) -> None:
    pair, everything = peer.pair, peer.in_(peer.pair.source)
    pair.pivot(namespaces=(peer.namespace,)).run()
    assert (peer.in_(pair.source), peer.in_(pair.target)) == (set(), everything)
    _provisioned(pair.target, peer.namespace)
    peer.moves("target", "source")
    assert (peer.in_(pair.source), peer.in_(pair.target)) == (everything, set())
    proof = pair.pivot(namespaces=(peer.namespace,)).run()
    assert proof.in_charge == "target"
    assert (peer.in_(pair.source), peer.in_(pair.target)) == (set(), everything)
    _is_active(peer)


def test_clusterctl_there_and_ours_back(peer: Peer) -> None:
    pair, everything = peer.pair, peer.in_(peer.pair.source)
    peer.moves("source", "target")
    Pair(pair.target, pair.source).pivot(namespaces=(peer.namespace,)).run()
    assert (peer.in_(pair.source), peer.in_(pair.target)) == (everything, set())


def _paused(peer: Peer) -> bool:
    found = peer.cluster_in(peer.pair.source)
    return bool(found and found["spec"].get("paused"))


def _creating(peer: Peer) -> bool:
    return any(True for _ in peer.pair.target.list(fleet.MACHINE, peer.namespace))


def _removing(peer: Peer) -> bool:
    """The Machines' Secrets go first: nothing hangs below them."""
    secrets = len(list(peer.pair.source.list(SECRET, peer.namespace)))
    return secrets < MACHINES + 1


@pytest.mark.parametrize("moment", [_paused, _creating, _removing], ids=lambda m: m.__name__.strip("_"))
def test_clusterctl_is_killed_and_ours_ends_it(peer: Peer, moment: Callable[[Peer], bool]) -> None:
    everything = peer.in_(peer.pair.source)
    peer.is_killed(lambda: moment(peer))
    assert peer.ends("source", "target")[0] != 0, "clusterctl can end it by itself"
    peer.pair.pivot(namespaces=(peer.namespace,)).run()
    assert (peer.in_(peer.pair.source), peer.in_(peer.pair.target)) == (set(), everything)
    _is_active(peer)


def test_clusterctl_is_killed_when_it_had_only_to_un_pause(peer: Peer) -> None:
    peer.is_killed(lambda: peer.cluster_in(peer.pair.source) is None)
    left = peer.cluster_in(peer.pair.target)
    assert left
    if left["spec"].get("paused"):  # it may have been faster than the kill
        with pytest.raises(PreflightRefused, match="a clusterctl move that was cut short has left Cluster"):
            peer.pair.pivot(namespaces=(peer.namespace,)).run()


def _is_active(peer: Peer) -> None:
    moved = peer.cluster_in(peer.pair.target)
    assert moved
    assert "paused" not in moved["spec"]
