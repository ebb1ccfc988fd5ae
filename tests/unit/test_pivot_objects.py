"""What a copy is."""

from __future__ import annotations

from typing import Any

import pytest
from pivot_builders import CLASS, CLUSTER, MACHINE, an, cluster

from pivot.execute import merge_of
from pivot.graph import cluster_names
from pivot.objects import BLOCK_MOVE, DELETE_FOR_MOVE, ORIGIN, PAUSED, WAS_PAUSED, copy_of, difference, restored_fields
from pivot.ports import FIELD_MANAGER, SECRET


def test_what_a_copy_keeps_and_what_it_clears() -> None:
    machine = an(
        MACHINE,
        "m",
        labels=("l",),
        annotations={"a": "b", DELETE_FOR_MOVE: "", ORIGIN: "old"},
        finalizers=("machine.cluster.x-k8s.io",),
        spec={"clusterName": "a"},
        status={"phase": "Running"},
    )
    machine.body["metadata"] |= {"generateName": "m-", "creationTimestamp": "t", "managedFields": [{}]}
    owner = {"kind": "Cluster", "uid": "there", "controller": True, "blockOwnerDeletion": True}
    body = copy_of(machine, "note", [owner], MACHINE)
    metadata = body["metadata"]
    assert body["spec"] == {"clusterName": "a"}
    assert "status" not in body
    assert metadata["labels"] == {"l": ""}
    assert metadata["finalizers"] == ["machine.cluster.x-k8s.io"]
    assert metadata["ownerReferences"] == [owner]
    assert set(metadata["annotations"]) == {"a", ORIGIN}
    cleared = {"uid", "resourceVersion", "generateName", "creationTimestamp", "managedFields", "generation"}
    assert cleared.isdisjoint(metadata)


@pytest.mark.parametrize(("was", "noted"), [({}, "false"), ({"paused": True}, "true")])
def test_a_cluster_arrives_paused_with_a_note_of_what_its_operator_had_done(was: dict[str, Any], noted: str) -> None:
    body = copy_of(cluster("a", spec=was), "note", [], CLUSTER)
    assert body["spec"]["paused"] is True
    assert body["metadata"]["annotations"][WAS_PAUSED] == noted


def test_a_class_arrives_paused_by_its_annotation() -> None:
    body = copy_of(an(CLASS, "c", spec={}), "note", [], CLASS)
    assert PAUSED in body["metadata"]["annotations"]


def test_the_digest_is_blind_to_the_pause_and_to_our_notes_and_to_nothing_else() -> None:
    one = cluster("a", spec={"x": 1})
    same = cluster("a", uid="other", spec={"x": 1, "paused": True}, annotations={WAS_PAUSED: "false"})
    assert one.digest == same.digest
    for other in (
        cluster("a", spec={"x": 2}),
        cluster("a", spec={"x": 1}, labels=("l",)),
        cluster("a", spec={"x": 1}, annotations={BLOCK_MOVE: ""}),
        cluster("a", spec={"x": 1}, finalizers=("f",)),
    ):
        assert one.digest != other.digest


@pytest.mark.parametrize(
    ("wanted", "live", "at"),
    [
        ({"a": 1}, {"a": 1, "b": 2}, None),
        ({"a": 1}, {}, "a"),
        ({"a": {"b": [1, 2]}}, {"a": {"b": [1, 3]}}, "a.b[1]"),
        ({"a": [1]}, {"a": [1, 2]}, "a"),
        ({"a": {}}, {}, None),
        ({"a": []}, {}, None),
        ({"finalizers": ["x"]}, {"finalizers": ["y", "x"]}, None),
        ({"finalizers": ["x"]}, {"finalizers": ["y"]}, "finalizers"),
        ({"a": False}, {}, "a"),
    ],
)
def test_a_copy_may_say_more_but_not_less(wanted: Any, live: Any, at: str | None) -> None:
    assert difference(wanted, live) == at


def test_managed_fields_are_restored_without_ours() -> None:
    entries = (
        {"manager": "topology", "operation": "Apply", "apiVersion": CLUSTER.api_version},
        {"manager": FIELD_MANAGER, "operation": "Update", "apiVersion": CLUSTER.api_version},
        {"manager": FIELD_MANAGER, "operation": "Apply", "apiVersion": CLUSTER.api_version},
        {"manager": "old", "operation": "Update", "apiVersion": "cluster.x-k8s.io/v1alpha3"},
    )
    restored = restored_fields(cluster("a", managed=entries), CLUSTER)
    assert [(e["manager"], e["operation"]) for e in restored] == [("topology", "Apply"), (FIELD_MANAGER, "Apply")]


@pytest.mark.parametrize(
    ("secret", "clusters"),
    [
        ("a-kubeconfig", ["a"]),
        ("a-b-etcd", ["a-b"]),
        ("a-apiserver-etcd-client", ["a"]),
        ("a-client", []),
        ("-ca", []),
        ("ca", []),
    ],
)
def test_the_cluster_that_a_secret_belongs_to(secret: str, clusters: list[str]) -> None:
    assert cluster_names(secret) == clusters


@pytest.mark.parametrize("note", ["", "no json", "[]", '{"source": "s"}'])
def test_a_note_of_origin_that_is_not_ours(note: str) -> None:
    assert an(SECRET, "s", annotations={ORIGIN: note}).origin is None


@pytest.mark.parametrize(
    ("live", "wanted", "patch"),
    [
        ({"a": 1, "b": 2}, {"a": 1, "c": 3}, {"b": None, "c": 3}),
        ({"a": {"x": 1}}, {"a": {"x": 2}}, {"a": {"x": 2}}),
        ({"a": [1]}, {"a": [2]}, {"a": [2]}),
        (None, {"a": 1}, {"a": 1}),
        ({"a": 1}, None, None),
    ],
)
def test_a_merge_patch_makes_the_one_into_the_other(live: Any, wanted: Any, patch: Any) -> None:
    assert merge_of(live, wanted) == patch
