"""The pivot benchmark's pure parts: what an audit log says, what is sent again, medians, goals, the picture."""

from __future__ import annotations

import json
from typing import Any
from xml.etree import ElementTree

import pytest

from hack.bench.pivots import audit, copies, fleet, page, plot, results, watched
from hack.bench.pivots.results import BARE, LATER, OURS, PEER, Run, Side


def event(
    verb: str, second: float, took: float = 0.5, agent: str = "clusterctl/v1", query: str = "", **about: str
) -> str:
    begin, end = (f"2026-01-01T00:00:{at:09.6f}Z" for at in (second, second + took))
    times = {"requestReceivedTimestamp": begin, "stageTimestamp": end}
    named = {"objectRef": about} if about else {}
    path = f"/api/v1/things?{query}"
    return json.dumps(
        {"stage": "ResponseComplete", "verb": verb, "requestURI": path, "userAgent": agent, **named, **times}
    )


def run(side: Side, objects: int, seconds: float, copy: float = 1.0, target: int = 0, memory: int = 1 << 20) -> Run:
    return Run(side, objects, 1, seconds, copy, {"target": {"create": target}, "source": {"list": 7}}, memory, 0.5)


def goals(*runs: Run) -> dict[str, bool]:
    return {goal.wanted: goal.met for goal in results.goals(results.rows(runs))}


# the audit log

LOG = [
    event("get", 0),
    event("create", 1, query="fieldManager=x&dryRun=All", resource="clusters", namespace="f"),
    event("create", 1, resource="namespaces", namespace="f", name="f"),
    event("create", 2, resource="clusters", namespace="f"),
    event("create", 3, resource="secrets", namespace="f"),
    event("patch", 3.5, 0.75, resource="clusters", namespace="f"),
    event("create", 5, resource="configmaps", namespace="kube-system"),
    event("create", 1, agent="bench-keeper", resource="clusters", namespace="f"),
    event("get", 9, agent="kube-controller-manager/v1.36 (linux)", resource="clusters", namespace="f"),
    event("get", 9).replace("ResponseComplete", "Panic"),
]


def test_requests_of_others_are_not_counted() -> None:
    assert audit.verbs(audit.read(LOG)) == {"create": 4, "dry run": 1, "get": 1, "patch": 1}


def test_the_copy_lasts_from_the_first_create_that_counts_to_the_end_of_the_last_one() -> None:
    seen = audit.read(LOG)
    assert audit.copy_seconds(seen, "f") == pytest.approx(1.5)
    assert audit.write_seconds(seen, "f") == pytest.approx(2.25)


def test_where_nothing_was_created_the_copy_took_no_time() -> None:
    assert audit.copy_seconds(audit.read(LOG), "elsewhere") == 0


# the fleet


@pytest.mark.parametrize(("objects", "clusters"), [(1, 1), (20, 1), (21, 2), (100, 5), (5000, 250)])
def test_so_many_clusters_have_so_many_objects(objects: int, clusters: int) -> None:
    assert fleet.clusters_for(objects) == clusters


def test_a_cluster_has_its_objects_once_and_owners_first() -> None:
    wishes = fleet.cluster(7)
    assert len(wishes) == fleet.PER_CLUSTER
    assert len({(wish.resource.kind, wish.body["metadata"]["name"]) for wish in wishes}) == len(wishes)
    assert all(wish.owner is None or wish.owner < place for place, wish in enumerate(wishes))
    assert [wish.resource.kind for wish in wishes if wish.owner is None] == ["Cluster"]


@pytest.mark.parametrize(
    ("child", "owner"),
    [
        ("MachineSet", {"MachineDeployment"}),
        ("Machine", {"KubeadmControlPlane", "MachineSet"}),
        ("DevMachine", {"Machine"}),
        ("KubeadmConfig", {"Machine"}),
        ("Secret", {"KubeadmConfig", "KubeadmControlPlane"}),
    ],
)
def test_who_owns_what(child: str, owner: set[str]) -> None:
    wishes = fleet.cluster(0)
    found = {wishes[w.owner].resource.kind for w in wishes if w.resource.kind == child and w.owner is not None}
    assert found == owner


def test_two_clusters_have_no_name_in_common() -> None:
    first, second = ({(w.resource.kind, w.body["metadata"]["name"]) for w in fleet.cluster(n)} for n in (1, 2))
    assert not first & second


def test_an_object_is_placed_below_its_owner() -> None:
    owner = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a", "uid": "u"}}
    placed = fleet.placed(fleet.cluster(0)[1], "f", owner)["metadata"]
    assert placed["namespace"] == "f"
    assert placed["ownerReferences"][0]["uid"] == "u"
    assert placed["ownerReferences"][0]["controller"] is True


# what the bare client sends


def item(kind: str, name: str, *owners: str, applied: bool = False) -> dict[str, Any]:
    references = [{"kind": owner, "name": "real", "uid": "real-uid", "controller": True} for owner in owners]
    managers = [{"operation": "Apply" if applied else "Update", "manager": "m"}]
    metadata = {"name": name, "uid": "u", "resourceVersion": "1", "namespace": "old", "managedFields": managers}
    body = {"apiVersion": "v", "kind": kind, "spec": {"a": 1}, "status": {"b": 2}}
    return {**body, "metadata": {**metadata, **({"ownerReferences": references} if owners else {})}}


ITEMS = [item("Cluster", "c"), item("Machine", "m", "Cluster", applied=True), item("Secret", "s", "Machine")]


def test_each_kind_that_owns_something_has_a_stand_in_without_owners() -> None:
    bodies = [json.loads(request.body or b"") for request in copies.stand_ins(ITEMS, "new")]
    assert {body["kind"] for body in bodies} == {"Cluster", "Machine"}
    assert all(body["metadata"] == {"name": "stand-in", "labels": {}, "namespace": "new"} for body in bodies)


def test_a_create_has_the_body_and_names_the_stand_in_as_owner() -> None:
    owners = {kind: {"metadata": {"name": "stand-in", "uid": f"{kind}-uid"}} for kind in ("Cluster", "Machine")}
    requests = copies.creates(ITEMS, "new", owners)
    bodies = [json.loads(request.body or b"") for request in requests]
    assert [body["metadata"]["name"] for body in bodies] == ["c", "m", "s"]
    assert bodies[0] == {"apiVersion": "v", "kind": "Cluster", "spec": {"a": 1}, "metadata": bodies[0]["metadata"]}
    assert bodies[0]["metadata"] == {"name": "c", "namespace": "new"}
    reference = {"kind": "Machine", "name": "stand-in", "uid": "Machine-uid", "controller": True}
    assert bodies[2]["metadata"]["ownerReferences"] == [reference]
    assert requests[2].path == "/api/v1/namespaces/new/secrets?fieldManager=bootstrapper"


def test_only_what_was_applied_has_its_managers_restored() -> None:
    (request,) = copies.restores(ITEMS, "new")
    assert (request.method, request.path.partition("?")[0].rsplit("/", 2)[1:]) == ("PATCH", ["machines", "m"])
    assert json.loads(request.body or b"") == {"metadata": {"managedFields": ITEMS[1]["metadata"]["managedFields"]}}


# results


def test_ours_and_the_peer_take_turns_and_the_bare_client_follows_ours() -> None:
    orders = [results.order(number) for number in (1, 2)]
    assert [order[0] for order in orders] == [OURS, PEER]
    assert all(set(order) == set(results.SIDES) and order.index(BARE) > order.index(OURS) for order in orders)


def test_rows_are_medians_by_size_and_program() -> None:
    table = results.rows([run(PEER, 100, 9), run(OURS, 100, 1), run(OURS, 100, 5), run(OURS, 100, 2, 4.0, 150)])
    assert [(row.side, row.objects, row.runs, row.seconds) for row in table] == [(OURS, 100, 3, 2), (PEER, 100, 1, 9)]
    assert (table[0].copy, table[0].rate, table[0].target, table[0].source) == (1.0, 100, 0, 0.07)


@pytest.mark.parametrize(("seconds", "met"), [(100.0, True), (99.0, False)])
def test_ten_times_as_fast_as_the_peer(seconds: float, met: bool) -> None:
    found = goals(run(OURS, 1000, 10), run(PEER, 1000, seconds))
    assert found["1,000 objects: at least 10 times as fast as clusterctl move"] is met


def test_below_a_thousand_objects_nothing_is_wanted_but_memory() -> None:
    found = goals(run(OURS, 100, 10, target=900), run(PEER, 100, 5), run(BARE, 100, 1))
    assert list(found) == ["100 objects: at most 1,024 MiB of memory"]


@pytest.mark.parametrize(("target", "met"), [(2000, True), (2001, False)])
def test_two_requests_an_object(target: int, met: bool) -> None:
    found = goals(run(OURS, 1000, 10, target=target))
    assert found["1,000 objects: at most 2 requests to the target an object"] is met


@pytest.mark.parametrize(("seconds", "met"), [(7.0, True), (6.9, False)])
def test_seventy_percent_of_the_same_writes(seconds: float, met: bool) -> None:
    found = goals(run(OURS, 1000, 20, copy=10.0), run(BARE, 1000, seconds, copy=1.0))
    assert found["1,000 objects: at least 70% of the bare client's objects a second"] is met


@pytest.mark.parametrize(("memory", "met"), [(1 << 30, True), ((1 << 30) + 1, False)])
def test_a_gibibyte_of_memory(memory: int, met: bool) -> None:
    assert goals(run(OURS, 20000, 10, memory=memory))["20,000 objects: at most 1,024 MiB of memory"] is met


@pytest.mark.parametrize(("seconds", "met"), [(50.0, True), (50.1, False)])
def test_time_grows_in_proportion_to_the_last_size(seconds: float, met: bool) -> None:
    found = goals(run(OURS, 100, 3), run(OURS, 5000, 10), run(OURS, 20000, seconds))
    assert found["from 5,000 to 20,000 objects: time grows in proportion"] is met


def test_text_json_and_page_say_the_same() -> None:
    runs = [run(OURS, 1000, 2.5, target=1350), run(PEER, 1000, 50), run(LATER, 1000, 2), run(BARE, 1000, 0.8, 0.5)]
    machine = page.Machine(2, 24 << 30, "2026-01-01", {"kubernetes": "v1.36.3"})
    text, document, written = (
        results.as_text(runs),
        json.loads(results.as_json(runs)),
        page.page(runs, machine, new_namespace=False),
    )
    assert "met: 1,000 objects: at least 10 times as fast as clusterctl move: 20.0 times" in text
    assert "| 1,000 | ours | 1 | 2.50 | 1,000 | 1.35, 0.01 | 1 |" in written
    assert f"({page.PLOT})" in written
    assert [row["seconds"] for row in document["rows"]] == [2.5, 50, 2, 0.8]
    assert document["runs"][0]["requests"]["target"] == {"create": 1350}


# the picture and the memory


def test_the_plot_is_svg_and_proportion_is_a_straight_line() -> None:
    table = results.rows([run(OURS, 100, 0.1), run(OURS, 1000, 1), run(OURS, 10000, 10), run(BARE, 1000, 1)])
    root = ElementTree.fromstring(plot.svg(table))
    circles = [(float(c.attrib["cx"]), float(c.attrib["cy"])) for c in root.iter() if c.tag.endswith("circle")]
    assert len(circles) == 3
    (a, b), (c, d), (e, f) = circles
    assert (c - a, d - b) == pytest.approx((e - c, f - d), abs=0.2)


@pytest.mark.parametrize(
    ("status", "found"),
    [
        pytest.param("Name:\tx\nVmPeak:\t 9000 kB\nVmHWM:\t    1234 kB\nVmRSS:\t 12 kB\n", 1234 * 1024, id="alive"),
        pytest.param("Name:\tx\nState:\tZ (zombie)\n", 0, id="ending"),
    ],
)
def test_the_peak_of_memory_is_the_kernels(status: str, found: int) -> None:
    assert watched.high_water(status) == found
