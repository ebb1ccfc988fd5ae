"""`bootstrapper pivot` as an operator types it, between two real API servers that have no controllers."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fleet
import pytest
import yaml
from control_plane import wait_until
from e2e.command import Done, Running, run
from pair import Maker, Pair, names

from pivot.errors import Refused
from pivot.objects import WAS_PAUSED
from pivot.ports import NAMESPACE, SECRET, Cluster, Object, core_kind


@dataclass
class Operator:
    """Somebody with two kubeconfigs and a state folder."""

    pair: Pair
    folder: Path
    scratch: Path
    namespace: str

    @property
    def sides(self) -> list[str]:
        return ["--kubeconfig", str(self.folder / "source.kubeconfig"), "--to-kubeconfig", self.target]

    @property
    def target(self) -> str:
        return str(self.folder / "target.kubeconfig")

    @property
    def environment(self) -> Mapping[str, str]:
        return {**os.environ, "XDG_STATE_HOME": str(self.scratch / "state")}

    @property
    def ours(self) -> list[str]:
        return [*self.sides, "--namespace", self.namespace]

    def types(self, *words: str) -> Done:
        return run(["pivot", *words], self.environment)

    def begins(self, *words: str) -> Running:
        return Running(["pivot", *self.ours, "--yes", "--json", *words], self.environment, self.scratch)

    def elsewhere(self, tmp_path_factory: pytest.TempPathFactory) -> Operator:
        """The same kubeconfigs on another machine."""
        return Operator(self.pair, self.folder, tmp_path_factory.mktemp("elsewhere"), self.namespace)


@pytest.fixture
def operator(real_pair: Pair, real_folder: Path, tmp_path: Path) -> Any:
    namespace = real_pair.namespace()
    Maker(real_pair.source, namespace).fleet()
    yield Operator(real_pair, real_folder, tmp_path, namespace)
    real_pair.wipe()


def test_a_dry_run_shows_every_object_and_touches_nothing(operator: Operator) -> None:
    before = names(operator.pair.source, operator.namespace)
    done = operator.types(*operator.ours, "--dry-run").must(0)
    for kind, name in before:
        assert f"MOVE    {kind} {operator.namespace}/{name} " in done.out
    assert "hand over: 1 operations" in done.out
    document = operator.types(*operator.ours, "--dry-run", "--json").must(0).document()
    moving = {(v["kind"], v["name"]) for v in document["verdicts"] if v["verdict"] == "MOVE"}
    assert moving == before
    assert names(operator.pair.target, operator.namespace) == set()
    still = operator.pair.source.get(fleet.CLUSTER, operator.namespace, "prod")
    assert still
    assert WAS_PAUSED not in (still["metadata"].get("annotations") or {})


def test_nobody_is_there_to_agree(operator: Operator) -> None:
    done = operator.types(*operator.ours).must(24)
    done.says("wave 1 of", "Nobody is there to answer", "--yes")
    assert names(operator.pair.target, operator.namespace) == set()


def test_it_moves_proves_and_can_be_repeated(operator: Operator) -> None:
    before = names(operator.pair.source, operator.namespace)
    first = operator.types(*operator.ours, "--yes", "--json").must(0)
    proof = first.events()[-1]
    assert proof["in_charge"] == "target"
    assert proof["compared"] == proof["equal"] == len(before)
    assert names(operator.pair.target, operator.namespace) == before
    assert names(operator.pair.source, operator.namespace) == set()
    (kept,) = (operator.scratch / "state").rglob(f"{proof['pivot']}.json")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert yaml.safe_load(kept.read_text()) == proof
    second = operator.types(*operator.ours, "--yes", "--json").must(0)
    assert second.events()[-1]["writes"] == 0
    assert operator.target in operator.types("status", *operator.sides).must(0).out
    late = operator.types("abort", *operator.sides).must(43)
    late.says("is in charge already", "pivot from there to here")


def test_killed_and_aborted_from_another_machine(operator: Operator, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Nothing is needed but the two kubeconfigs: neither the state folder nor the namespaces that were chosen."""
    before = names(operator.pair.source, operator.namespace)
    begun = operator.begins()
    begun.wait_for(lambda event: event["text"].startswith("copy"))
    begun.kill()
    assert begun.finish().code == -9
    other = operator.elsewhere(tmp_path_factory)
    seen = other.types("status", *other.sides, "--json").must(0).document()
    assert (seen["in_charge"], seen["begun"]) == ("source", True)
    other.types("abort", *other.sides).must(0)
    assert names(operator.pair.source, operator.namespace) == before
    assert names(operator.pair.target, operator.namespace) == set()
    back = operator.pair.source.get(fleet.CLUSTER, operator.namespace, "prod")
    assert back
    assert "paused" not in back["spec"]
    assert "no pivot from" in other.types("status", *other.sides).must(0).out


def test_killed_and_run_again_on_another_machine(operator: Operator, tmp_path_factory: pytest.TempPathFactory) -> None:
    before = names(operator.pair.source, operator.namespace)
    begun = operator.begins()
    begun.wait_for(lambda event: event["text"].startswith("retire"))
    begun.kill()
    begun.finish()
    other = operator.elsewhere(tmp_path_factory)
    other.types(*other.ours, "--yes").must(0)
    assert names(operator.pair.target, operator.namespace) == before
    assert names(operator.pair.source, operator.namespace) == set()


def test_a_policy_of_the_target_that_refuses_one_object(operator: Operator) -> None:
    target = operator.pair.target
    target.create(NAMESPACE, {"metadata": {"name": operator.namespace}})
    before = names(operator.pair.source, operator.namespace)
    made = [target.create(kind, body) for kind, body in ((POLICIES, POLICY), (BINDINGS, BINDING))]
    try:
        wait_until(lambda: _refuses(target, operator.namespace), "the policy is in force")
        dry = operator.types(*operator.ours, "--dry-run").must(40)
        assert f"! Secret {operator.namespace}/prod-ca: the target would refuse it" in dry.out
        done = operator.types(*operator.ours, "--yes").must(41)
        done.says(f"the target refuses to create Secret {operator.namespace}/prod-ca", "no authorities here")
        assert names(operator.pair.source, operator.namespace) == before
        assert names(target, operator.namespace) == set()
    finally:
        for kind, body in zip((POLICIES, BINDINGS), made, strict=True):
            target.delete(kind, None, body["metadata"]["name"], uid=body["metadata"]["uid"])
        wait_until(lambda: not _refuses(target, operator.namespace), "the policy is gone")
    operator.types(*operator.ours, "--yes").must(0)


ADMISSION = "admissionregistration.k8s.io"
POLICIES = core_kind("ValidatingAdmissionPolicy", "validatingadmissionpolicies", ADMISSION, False)
BINDINGS = core_kind("ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings", ADMISSION, False)
RULE = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["secrets"], "operations": ["CREATE"]}
POLICY: Object = {
    "metadata": {"name": "authorities"},
    "spec": {
        "matchConstraints": {"resourceRules": [RULE]},
        "validations": [{"expression": "!object.metadata.name.endsWith('-ca')", "message": "no authorities here"}],
    },
}
BINDING: Object = {
    "metadata": {"name": "authorities"},
    "spec": {"policyName": "authorities", "validationActions": ["Deny"]},
}


def _refuses(target: Cluster, namespace: str) -> bool:
    try:
        target.check(SECRET, {"metadata": {"name": "probe-ca", "namespace": namespace}})
    except Refused:
        return True
    return False


def test_two_at_once_the_second_is_refused_and_names_the_first(operator: Operator) -> None:
    """On one machine by the lock; between machines by the claim, which has a test of its own."""
    stuck = operator.pair.source.get(fleet.CLUSTER, operator.namespace, "prod")
    assert stuck
    block = {"metadata": {"annotations": {"clusterctl.cluster.x-k8s.io/block-move": ""}}}
    operator.pair.source.patch(fleet.CLUSTER, operator.namespace, "prod", block)
    first = operator.begins()
    first.wait_for(lambda event: "carries clusterctl.cluster.x-k8s.io/block-move" in event["text"])
    second = operator.types(*operator.ours, "--yes").must(35)
    second.says("is busy", f"process {first.pid} ")
    unblock = {"metadata": {"annotations": {"clusterctl.cluster.x-k8s.io/block-move": None}}}
    operator.pair.source.patch(fleet.CLUSTER, operator.namespace, "prod", unblock)
    first.finish().must(0)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        pytest.param(["--kubeconfig", "SRC"], 2, "needs --kubeconfig SRC and --to-kubeconfig DST", id="one side"),
        pytest.param(["--kubeconfig", "SRC", "--to-kubeconfig", "SRC", "--yes"], 40, "the same cluster", id="same"),
        pytest.param(["--kubeconfig", "/none", "--to-kubeconfig", "DST"], 2, "'/none' does not exist", id="no file"),
        pytest.param(["--kubeconfig", "SRC", "--to-kubeconfig", "BAD"], 21, "it has no clusters", id="no kubeconfig"),
        pytest.param(
            ["--kubeconfig", "SRC", "--to-kubeconfig", "DST", "--namespace", "nowhere", "--yes"],
            40,
            "the source has no namespace nowhere",
            id="no such namespace",
        ),
        pytest.param(
            ["--kubeconfig", "SRC", "--to-kubeconfig", "DST", "--allow", "Machine default/nobody", "--yes"],
            40,
            "--allow names Machine default/nobody, which isn't there",
            id="allow of nothing",
        ),
        pytest.param(["--yes", "abort", "--kubeconfig", "SRC"], 2, "options go behind 'abort'", id="wrong order"),
    ],
)
def test_a_wrong_call_touches_nothing(operator: Operator, words: list[str], code: int, said: str) -> None:
    bad = operator.scratch / "bad.yaml"
    bad.write_text("apiVersion: v1\nkind: Config\n")
    paths = {"SRC": operator.sides[1], "DST": operator.target, "BAD": str(bad)}
    operator.types(*(paths.get(word, word) for word in words)).must(code).says(said)
    assert names(operator.pair.target, operator.namespace) == set()


def test_a_target_that_does_not_answer(operator: Operator) -> None:
    """Nobody waits for a wrong address."""
    config = yaml.safe_load(Path(operator.target).read_text())
    config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    deaf = operator.scratch / "deaf.yaml"
    deaf.write_text(yaml.safe_dump(config))
    done = operator.types("--kubeconfig", operator.sides[1], "--to-kubeconfig", str(deaf), "--yes").must(12)
    done.says("the API server of", "deaf.yaml (https://127.0.0.1:1) isn't ready", "connection refused")
