"""Between real API servers on a bad line: 429, 500, 503, connections that end before or after a write was done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import fleet
import pytest
from chaos import Chaos
from pair import Maker, Pair, names

from bootstrapper.adapters import kube
from bootstrapper.world import Cluster
from pivot.engine import Pivot
from pivot.errors import TargetRefused, Unavailable
from pivot.ports import SECRET
from pivot.seen import Options

#: Seconds for which a request is repeated.
PATIENCE = 30.0


@dataclass
class Line:
    """Both clusters, straight and through the bad line."""

    pair: Pair
    source: Chaos
    target: Chaos
    namespace: str

    def pivot(self, patience: float = PATIENCE) -> Pivot:
        def through(chaos: Chaos, name: str) -> Cluster:
            return kube.connect(chaos.kubeconfig.read_text(), name).patient(patience)

        options = Options((self.namespace,), stall=60.0, parallel=8, holder="bad line")
        source, target = through(self.source, "source"), through(self.target, "target")
        return Pivot(source, target, options, self.pair.clock, lambda _: None)


@pytest.fixture
def line(real_pair: Pair, real_folder: Path, tmp_path: Path) -> Iterator[Line]:
    namespace = real_pair.namespace()
    Maker(real_pair.source, namespace).fleet(machines=4)
    with ExitStack() as stack:
        source, target = (
            stack.enter_context(Chaos(real_folder / f"{name}.kubeconfig", tmp_path, seed))
            for seed, name in enumerate(("source", "target"), 1)
        )
        yield Line(real_pair, source, target, namespace)
    real_pair.wipe()


def test_it_moves_all_the_same(line: Line) -> None:
    everything = names(line.pair.source, line.namespace)
    line.source.often = line.target.often = 0.15
    proof = line.pivot().run()
    assert proof.in_charge == "target"
    assert names(line.pair.target, line.namespace) == everything
    assert names(line.pair.source, line.namespace) == set()
    assert len(line.source.hit) > 2, line.source.hit
    assert len(line.target.hit) > 2, line.target.hit


def test_a_target_that_becomes_read_only_leaves_the_source_as_it_was(line: Line) -> None:
    """As an etcd without space does it: every write fails, for good."""
    everything = names(line.pair.source, line.namespace)
    line.target.answer = lambda method, path: (
        (500, "etcdserver: mvcc: database space exceeded") if method != "GET" and "/devmachines" in path else None
    )
    with pytest.raises(Unavailable, match="database space exceeded"):
        line.pivot(patience=3.0).run()
    source = line.pair.source.get(fleet.CLUSTER, line.namespace, "prod")
    assert source
    assert "paused" not in source["spec"]
    assert names(line.pair.source, line.namespace) == everything
    line.target.answer = lambda method, path: None
    line.pivot().run()
    assert names(line.pair.target, line.namespace) == everything


def test_a_permission_that_lacks_is_not_asked_for_again(line: Line) -> None:
    asked: list[str] = []

    def forbid(method: str, path: str) -> tuple[int, str] | None:
        if method == "POST" and "/secrets" in path:
            asked.append(path)
            return 403, "secrets is forbidden"
        return None

    line.target.answer = forbid
    with pytest.raises(TargetRefused, match="secrets is forbidden"):
        line.pivot().run()
    assert 1 <= len(asked) <= len(list(line.pair.source.list(SECRET, line.namespace))), "a refusal was repeated"
    assert names(line.pair.target, line.namespace) == set()
