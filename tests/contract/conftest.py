"""Pairs of clusters behind the pivot's port: in memory, and real. The same suite runs on both."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "sim"))

import fleet
from control_plane import COMPONENTS, control_planes, install_crds
from fake_cluster import FakeCluster
from pair import Pair

from bootstrapper.adapters.assemble import bundle_folder
from bootstrapper.adapters.layout import Layout

BINARIES = ("etcd", "kube-apiserver", "kube-controller-manager")


@pytest.fixture(scope="session")
def real_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the real API servers keep what they need; `source.kubeconfig` and `target.kubeconfig` among it."""
    return tmp_path_factory.mktemp("control-planes")


@pytest.fixture(scope="session")
def real_pair(real_folder: Path) -> Iterator[Pair]:
    """Two real API servers with Cluster API's CRDs; the binaries and CRDs come from the bundle."""
    bundle, folder = Layout.open(bundle_folder()), real_folder
    binaries = {name: bundle.executable(name, folder / "bin") for name in BINARIES}
    texts = [bundle.text(components, file) for components, file in COMPONENTS.items()]
    with control_planes(folder, binaries, ("source", "target")) as clusters:
        for cluster in clusters.values():
            install_crds(cluster, texts)
        yield Pair(clusters["source"], clusters["target"])


@pytest.fixture(params=["fake", "real"])
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    """A source and a target, empty."""
    if request.param == "fake":
        yield Pair(FakeCluster("source", fleet.KINDS), FakeCluster("target", fleet.KINDS))
        return
    both: Pair = request.getfixturevalue("real_pair")
    yield both
    both.wipe()
