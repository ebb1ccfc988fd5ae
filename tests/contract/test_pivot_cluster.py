"""What the pivot relies on an API server for. The same on the fake and on a real one: so the fake can't lie."""

from __future__ import annotations

import fleet
import pytest
from control_plane import wait_until
from pair import Maker, Pair

from pivot.errors import AlreadyExists, Conflict, NotFound, Refused
from pivot.ports import CONFIG_MAP, FIELD_MANAGER, NAMESPACE


@pytest.fixture
def maker(pair: Pair) -> Maker:
    return Maker(pair.source, pair.namespace())


def test_the_identity_is_stable_and_tells_two_clusters_apart(pair: Pair) -> None:
    assert pair.source.identity() == pair.source.identity() != pair.target.identity()


def test_kinds_are_discovered_with_their_labels_and_served_versions(pair: Pair) -> None:
    kinds = {(kind.group, kind.kind): kind for kind in pair.source.kinds()}
    found = kinds["cluster.x-k8s.io", "Cluster"]
    assert found.namespaced
    assert found.version in found.served
    assert "clusterctl.cluster.x-k8s.io" in found.labels


def test_a_create_gives_uid_and_resource_version_and_drops_the_status(maker: Maker) -> None:
    spec = {"infrastructureRef": {"apiGroup": fleet.INFRA, "kind": "DevCluster", "name": "a"}}
    made = maker.make(fleet.CLUSTER, "a", spec=spec, status={"phase": "Provisioned"})
    assert made["metadata"]["uid"]
    assert made["metadata"]["resourceVersion"]
    assert made["metadata"]["generation"] == 1
    assert not made.get("status")


def test_a_name_that_is_taken(maker: Maker) -> None:
    maker.make(CONFIG_MAP, "a")
    with pytest.raises(AlreadyExists):
        maker.make(CONFIG_MAP, "a")


def test_asking_makes_nothing_and_answers_as_a_create_does(pair: Pair) -> None:
    maker = Maker(pair.source, pair.namespace())

    def ask(name: str, namespace: str) -> None:
        pair.source.check(CONFIG_MAP, {"metadata": {"name": name, "namespace": namespace}})

    ask("a", maker.namespace)
    assert pair.source.get(CONFIG_MAP, maker.namespace, "a") is None
    maker.make(CONFIG_MAP, "a")
    with pytest.raises(AlreadyExists):
        ask("a", maker.namespace)
    with pytest.raises(NotFound):
        ask("a", "nowhere")


def test_a_namespace_that_does_not_exist(pair: Pair) -> None:
    with pytest.raises(NotFound):
        Maker(pair.source, "nowhere").make(CONFIG_MAP, "a")


def test_a_namespace_that_is_being_deleted_takes_nothing_new(pair: Pair) -> None:
    maker = Maker(pair.source, pair.namespace())
    maker.make(CONFIG_MAP, "held", metadata={"finalizers": ["example.org/hold"]})
    home = pair.source.get(NAMESPACE, None, maker.namespace)
    assert home
    pair.source.delete(NAMESPACE, None, maker.namespace, uid=home["metadata"]["uid"])
    with pytest.raises(Refused):
        maker.make(CONFIG_MAP, "late")
    pair.source.patch(CONFIG_MAP, maker.namespace, "held", {"metadata": {"finalizers": None}})
    wait_until(lambda: pair.source.get(NAMESPACE, None, maker.namespace) is None, "the namespace is gone")


def test_an_object_that_is_absent(maker: Maker) -> None:
    assert maker.cluster.get(CONFIG_MAP, maker.namespace, "a") is None
    maker.cluster.delete(CONFIG_MAP, maker.namespace, "a", uid="x")
    with pytest.raises(NotFound):
        maker.cluster.patch(CONFIG_MAP, maker.namespace, "a", {"data": {"x": "1"}})


def test_a_patch_of_an_older_resource_version_is_a_conflict(maker: Maker) -> None:
    maker.make(CONFIG_MAP, "a", data={"x": "1"})
    patch = {"metadata": {"resourceVersion": "1"}, "data": {"x": "2"}}
    with pytest.raises(Conflict):
        maker.cluster.patch(CONFIG_MAP, maker.namespace, "a", patch)


def test_a_patch_of_another_uid_is_refused_as_a_change_of_what_cannot_change(maker: Maker) -> None:
    """Not as a conflict: so who is refused has to look whether it still is the same object."""
    maker.make(CONFIG_MAP, "a", data={"x": "1"})
    patch = {"metadata": {"uid": "another"}, "data": {"x": "2"}}
    with pytest.raises(Refused):
        maker.cluster.patch(CONFIG_MAP, maker.namespace, "a", patch)
    unchanged = maker.cluster.get(CONFIG_MAP, maker.namespace, "a")
    assert unchanged
    assert unchanged["data"] == {"x": "1"}


def test_a_delete_of_another_uid(maker: Maker) -> None:
    maker.make(CONFIG_MAP, "a")
    with pytest.raises(Conflict):
        maker.cluster.delete(CONFIG_MAP, maker.namespace, "a", uid="another")


def test_a_merge_patch_adds_changes_and_removes(maker: Maker) -> None:
    made = maker.make(CONFIG_MAP, "a", data={"x": "1", "y": "1"})
    patch = {"metadata": {"uid": made["metadata"]["uid"]}, "data": {"x": None, "y": "2", "z": "3"}}
    assert maker.cluster.patch(CONFIG_MAP, maker.namespace, "a", patch)["data"] == {"y": "2", "z": "3"}


def test_the_generation_grows_with_the_spec_alone(maker: Maker) -> None:
    spec = {"infrastructureRef": {"apiGroup": fleet.INFRA, "kind": "DevCluster", "name": "a"}}
    maker.make(fleet.CLUSTER, "a", spec=spec)
    noted = {"metadata": {"annotations": {"a": "b"}}}
    assert maker.cluster.patch(fleet.CLUSTER, maker.namespace, "a", noted)["metadata"]["generation"] == 1
    paused = {"spec": {"paused": True}}
    assert maker.cluster.patch(fleet.CLUSTER, maker.namespace, "a", paused)["metadata"]["generation"] == 2


def test_managed_fields_can_be_replaced_and_leave_nothing_of_ours(maker: Maker) -> None:
    made = maker.make(CONFIG_MAP, "a", data={"x": "1"})
    assert [entry["manager"] for entry in made["metadata"]["managedFields"]] == [FIELD_MANAGER]
    entry = {
        "manager": "topology",
        "operation": "Apply",
        "apiVersion": "v1",
        "time": "2026-01-01T00:00:00Z",
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:data": {"f:x": {}}},
    }
    patched = maker.cluster.patch(CONFIG_MAP, maker.namespace, "a", {"metadata": {"managedFields": [entry]}})
    assert [entry["manager"] for entry in patched["metadata"]["managedFields"]] == ["topology"]


def test_a_finalizer_holds_an_object_until_it_is_removed(maker: Maker) -> None:
    made = maker.make(CONFIG_MAP, "a", metadata={"finalizers": ["example.org/hold"]})
    maker.cluster.delete(CONFIG_MAP, maker.namespace, "a", uid=made["metadata"]["uid"])
    held = maker.cluster.get(CONFIG_MAP, maker.namespace, "a")
    assert held
    assert held["metadata"]["deletionTimestamp"]
    maker.cluster.patch(CONFIG_MAP, maker.namespace, "a", {"metadata": {"finalizers": None}})
    assert maker.cluster.get(CONFIG_MAP, maker.namespace, "a") is None


def test_the_garbage_collector_takes_what_has_no_living_owner_and_leaves_what_has_one(pair: Pair) -> None:
    maker = Maker(pair.source, pair.namespace())
    one, two = maker.make(CONFIG_MAP, "one"), maker.make(CONFIG_MAP, "two")
    maker.make(CONFIG_MAP, "of-one", one)
    maker.make(CONFIG_MAP, "of-both", one, two)
    pair.source.delete(CONFIG_MAP, maker.namespace, "one", uid=one["metadata"]["uid"])
    pair.gone(pair.source, CONFIG_MAP, maker.namespace, "of-one")
    assert pair.source.get(CONFIG_MAP, maker.namespace, "of-both")


def test_lists_by_label_and_by_namespace(pair: Pair) -> None:
    maker, elsewhere = Maker(pair.source, pair.namespace()), Maker(pair.source, pair.namespace())
    maker.make(CONFIG_MAP, "a", metadata={"labels": {"k": "v"}})
    maker.make(CONFIG_MAP, "b")
    elsewhere.make(CONFIG_MAP, "c", metadata={"labels": {"k": "w"}})
    found = {body["metadata"]["name"] for body in pair.source.list(CONFIG_MAP, labels="k")}
    assert found == {"a", "c"}
    assert [b["metadata"]["name"] for b in pair.source.list(CONFIG_MAP, labels="k=v")] == ["a"]
    here = {b["metadata"]["name"] for b in pair.source.list(CONFIG_MAP, maker.namespace)}
    assert here - {"kube-root-ca.crt"} == {"a", "b"}
    assert all(b["kind"] == "ConfigMap" and b["apiVersion"] == "v1" for b in pair.source.list(CONFIG_MAP))
