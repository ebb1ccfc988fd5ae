"""Whole pivots on the fake and on real API servers with a garbage collector."""

from __future__ import annotations

import fleet
import pytest
from pair import Kill, Maker, Pair, names

from pivot.errors import PreflightRefused, TooLate
from pivot.objects import ORIGIN, WAS_PAUSED
from pivot.ports import CONFIG_MAP, NAMESPACE, SECRET, Object


def test_a_fleet_moves_from_a_source_that_lives_on(pair: Pair) -> None:
    maker = Maker(pair.source, pair.namespace())
    maker.fleet()
    maker.make(CONFIG_MAP, "unrelated")
    everything = names(pair.source, maker.namespace)
    proof = pair.pivot(namespaces=(maker.namespace,)).run()
    assert names(pair.source, maker.namespace) == {("ConfigMap", "unrelated")}
    assert names(pair.target, maker.namespace) == everything - {("ConfigMap", "unrelated")}
    assert proof.compared == proof.equal == len(everything) - 1
    _owners_resolve(pair, maker.namespace)
    moved = pair.target.get(fleet.CLUSTER, maker.namespace, "prod")
    assert moved
    assert "paused" not in moved["spec"]
    assert WAS_PAUSED not in moved["metadata"]["annotations"]
    home = pair.target.get(NAMESPACE, None, maker.namespace)
    assert home
    assert home["metadata"]["labels"]["team"] == "x"


def test_a_throw_away_source_keeps_everything_paused(pair: Pair) -> None:
    maker = Maker(pair.source, pair.namespace())
    maker.fleet()
    before = names(pair.source, maker.namespace)
    pair.pivot(namespaces=(maker.namespace,), source="destroyed-later").run()
    assert names(pair.source, maker.namespace) == before == names(pair.target, maker.namespace)
    left = pair.source.get(fleet.CLUSTER, maker.namespace, "prod")
    assert left
    assert left["spec"]["paused"] is True


def test_there_and_back_again(pair: Pair) -> None:
    maker = Maker(pair.source, pair.namespace())
    maker.fleet()
    before = _essentials(pair.source.get(fleet.CLUSTER, maker.namespace, "prod"))
    pair.pivot(namespaces=(maker.namespace,)).run()
    Pair(pair.target, pair.source).pivot(namespaces=(maker.namespace,)).run()
    assert _essentials(pair.source.get(fleet.CLUSTER, maker.namespace, "prod")) == before
    assert names(pair.target, maker.namespace) == set()
    pair.pivot(namespaces=(maker.namespace,)).run()
    assert ("Cluster", "prod") in names(pair.target, maker.namespace)


@pytest.mark.parametrize("dies_after", [1, 3, 6, 12, 16, 20, 30, 40])
def test_killed_after_some_writes_and_run_again(pair: Pair, dies_after: int) -> None:
    maker = Maker(pair.source, pair.namespace())
    maker.fleet()
    everything = names(pair.source, maker.namespace)
    with pytest.raises(Kill):
        pair.pivot(dies_after, namespaces=(maker.namespace,)).run()
    pair.pivot(namespaces=(maker.namespace,)).run()
    assert names(pair.target, maker.namespace) == everything
    assert names(pair.source, maker.namespace) == set()
    _owners_resolve(pair, maker.namespace)


@pytest.mark.parametrize("dies_after", [1, 2, 8, 14])
def test_killed_and_aborted(pair: Pair, dies_after: int) -> None:
    maker = Maker(pair.source, pair.namespace())
    maker.fleet()
    everything = names(pair.source, maker.namespace)
    with pytest.raises(Kill):
        pair.pivot(dies_after, namespaces=(maker.namespace,)).run()
    pair.pivot(namespaces=(maker.namespace,)).abort()
    assert names(pair.source, maker.namespace) == everything
    assert names(pair.target, maker.namespace) == set()
    back = pair.source.get(fleet.CLUSTER, maker.namespace, "prod")
    assert back
    assert "paused" not in back["spec"]
    assert WAS_PAUSED not in (back["metadata"].get("annotations") or {})


def test_an_abort_after_the_hand_over_is_refused(pair: Pair) -> None:
    maker = Maker(pair.source, pair.namespace())
    maker.fleet()
    pair.pivot(namespaces=(maker.namespace,)).run()
    with pytest.raises(TooLate):
        pair.pivot(namespaces=(maker.namespace,)).abort()


def test_a_stranger_of_the_same_name_in_the_target(pair: Pair) -> None:
    namespace = pair.namespace(pair.source, pair.target)
    Maker(pair.source, namespace).fleet()
    Maker(pair.target, namespace).make(SECRET, "prod-ca", data={"tls.key": "b3RoZXI="})
    with pytest.raises(PreflightRefused, match="prod-ca"):
        pair.pivot(namespaces=(namespace,)).run()
    stranger = pair.target.get(SECRET, namespace, "prod-ca")
    assert stranger
    assert stranger["data"] == {"tls.key": "b3RoZXI="}
    assert names(pair.target, namespace) == {("Secret", "prod-ca")}


def test_server_side_apply_managers_survive_and_we_leave_none(pair: Pair) -> None:
    maker = Maker(pair.source, pair.namespace())
    cluster = maker.fleet(machines=0)
    maker.make(CONFIG_MAP, "applied", cluster, data={"x": "1"})
    entry = {
        "manager": "topology",
        "operation": "Apply",
        "apiVersion": "v1",
        "time": "2026-01-01T00:00:00Z",
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:data": {"f:x": {}}},
    }
    pair.source.patch(CONFIG_MAP, maker.namespace, "applied", {"metadata": {"managedFields": [entry]}})
    pair.pivot(namespaces=(maker.namespace,)).run()
    moved = pair.target.get(CONFIG_MAP, maker.namespace, "applied")
    assert moved
    assert [(e["manager"], e["operation"]) for e in moved["metadata"]["managedFields"]] == [("topology", "Apply")]


def test_a_large_secret_and_a_long_name(pair: Pair) -> None:
    maker = Maker(pair.source, pair.namespace())
    cluster = maker.fleet(machines=0)
    name = ("n" * 60 + ".") * 4 + "n" * 9
    assert len(name) == 253
    maker.make(SECRET, name, cluster, data={"x": "QUFB" * 340_000})
    pair.pivot(namespaces=(maker.namespace,)).run()
    moved = pair.target.get(SECRET, maker.namespace, name)
    assert moved
    assert len(moved["data"]["x"]) == 1_360_000


def _owners_resolve(pair: Pair, namespace: str) -> None:
    bodies = [b for k in (*fleet.KINDS, SECRET) for b in _all(pair, k) if b["metadata"].get("namespace") == namespace]
    alive = {body["metadata"]["uid"] for body in bodies}
    for body in bodies:
        for owner in body["metadata"].get("ownerReferences") or []:
            assert owner["uid"] in alive, body["metadata"]["name"]


def _all(pair: Pair, kind: object) -> list[Object]:
    from pair import _listed

    return _listed(pair.target, kind)  # type: ignore[arg-type]


def _essentials(body: Object | None) -> Object:
    assert body
    notes = {k: t for k, t in (body["metadata"].get("annotations") or {}).items() if k != ORIGIN}
    return {"spec": body["spec"], "notes": notes, "finalizers": body["metadata"].get("finalizers")}
