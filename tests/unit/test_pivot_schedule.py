"""Which operations may run side by side, and that each waits for what it rests on and for nothing else."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from pivot_builders import CLUSTER, MACHINE, an

from pivot.graph import Graph
from pivot.objects import Key
from pivot.observe import _trimmed
from pivot.plan import Operation, Stage, chain
from pivot.ports import CONFIG_MAP, Object
from pivot.schedule import parts, rests_on, run

A, B = an(CLUSTER, "a"), an(CLUSTER, "b")
M = an(MACHINE, "m", A)
N = an(MACHINE, "n", M, B)
GRAPH = Graph({item.key: item for item in (A, B, M, N)})


def operations(action: str, *keys: Key, side: str = "target") -> tuple[Operation, ...]:
    return tuple(Operation(action, side, key) for key in keys)


def test_waves_that_copy_belong_together_and_so_do_those_that_remove() -> None:
    namespaces = operations("create namespace", Key("", "Namespace", "", "x"))
    opened = operations("unlink", M.key)
    away = [operations("discard", N.key), operations("discard", A.key)]
    copies = [operations("create", A.key), (*operations("link", B.key), *operations("adopt", M.key))]
    assert parts([namespaces, opened, *away, *copies]) == [[namespaces], [opened], away, copies]
    assert parts([]) == []


def test_a_copy_rests_on_its_owners() -> None:
    waves = [operations("create", A.key, B.key), operations("create", M.key), operations("create", N.key)]
    assert rests_on(waves, GRAPH.owners, GRAPH.below) == [set(), set(), {0}, {1, 2}]


def test_an_owner_that_stands_already_is_not_waited_for() -> None:
    waves = [operations("create", B.key), operations("create", N.key)]
    assert rests_on(waves, GRAPH.owners, GRAPH.below) == [set(), {0}]


def test_a_removal_rests_on_what_the_object_owns() -> None:
    waves = [operations("retire", N.key), operations("retire", M.key), operations("retire", A.key, B.key)]
    assert rests_on(waves, GRAPH.owners, GRAPH.below) == [set(), {0}, {1}, {0}]


def test_an_owner_cycle_is_no_deadlock() -> None:
    first = an(CONFIG_MAP, "x", uid="x-uid")
    second = an(CONFIG_MAP, "y", first, uid="y-uid")
    again = an(CONFIG_MAP, "x", second, uid="x-uid")
    graph = Graph({item.key: item for item in (again, second)})
    waves = [operations("create", again.key), operations("create", second.key)]
    assert rests_on(waves, graph.owners, graph.below) == [set(), {0}]


@pytest.mark.parametrize("parallel", [1, 2, 32])
def test_each_begins_when_what_it_rests_on_is_done(parallel: int) -> None:
    keys = [Key("", "ConfigMap", "d", f"{number:03}") for number in range(60)]
    todo = [*operations("create", *keys)]
    waits = [{place - 7} if place >= 7 else set[int]() for place in range(60)]
    done: list[Key] = []
    at_once, most, lock = [0], [0], threading.Lock()

    def do(operation: Operation) -> None:
        place = keys.index(operation.key or keys[0])
        with lock:
            at_once[0] += 1
            most[0] = max(most[0], at_once[0])
            assert place < 7 or keys[place - 7] in done
        with lock:
            done.append(keys[place])
            at_once[0] -= 1

    told: list[int] = []
    run(todo, waits, do, parallel, told.append)
    assert sorted(done) == keys
    assert most[0] <= parallel
    assert told[-1] == 60


def test_one_that_is_slow_holds_back_only_what_rests_on_it() -> None:
    slow, quick, above = (Key("", "ConfigMap", "d", name) for name in ("slow", "quick", "above quick"))
    reached = threading.Event()

    def do(operation: Operation) -> None:
        if operation.key == slow:
            assert reached.wait(30), "it was held back by the slow one, which is none of its owners"
        if operation.key == above:
            reached.set()

    run([*operations("create", slow, quick, above)], [set(), set(), {1}], do, 2, lambda done: None)


def test_the_first_failure_stops_what_has_not_begun() -> None:
    keys = [Key("", "ConfigMap", "d", f"{number:03}") for number in range(40)]
    begun: list[Key] = []

    def do(operation: Operation) -> None:
        assert operation.key
        begun.append(operation.key)
        if operation.key == keys[3]:
            raise RuntimeError("refused")

    with pytest.raises(RuntimeError, match="refused"):
        run([*operations("create", *keys)], [set() for _ in keys], do, 1, lambda done: None)
    assert begun == keys[:4]


@pytest.mark.parametrize(
    ("names", "good_for"),
    [
        (["pause", "barrier", "copy"], 2),
        (["copy", "fence", "hand over"], 1),
        (["fence", "hand over"], 1),
        (["hand over", "retire"], 1),
        (["retire", "retired", "close"], 1),
        (["retired", "resume classes", "resume clusters", "start managers", "release source", "close"], 6),
    ],
    ids=str,
)
def test_how_far_one_look_is_good(names: list[str], good_for: int) -> None:
    assert [stage.name for stage in chain([Stage(name) for name in names])] == names[:good_for]


def trimmed(body: Object, change: Callable[[Object], None] = lambda body: None, *, whole: bool = False) -> Object:
    change(body)
    return _trimmed(body, MACHINE, whole)


def test_a_look_keeps_only_what_is_asked_for() -> None:
    pause = {"type": "Paused", "status": "True"}
    status = {"phase": "Running", "observedGeneration": 2, "conditions": [{"type": "Ready"}, pause]}
    applied = {"manager": "t", "operation": "Apply", "fieldsV1": {"f:spec": {}}}
    edited = {"manager": "m", "operation": "Update", "fieldsV1": {"f:spec": {}}}
    peer = {**edited, "manager": "clusterctl"}
    body: Object = {"metadata": {"managedFields": [edited, peer]}, "spec": {"x": 1}, "status": status}
    assert trimmed(body) == {
        "metadata": {"managedFields": [{"manager": "m", "operation": "Update"}, peer]},
        "spec": {"x": 1},
        "status": {"conditions": [pause], "v1beta2": {"conditions": []}, "observedGeneration": 2},
    }
    assert trimmed(body, whole=True)["status"] == status
    body["metadata"]["managedFields"].append(applied)
    assert trimmed(body)["metadata"] == body["metadata"], "all are restored where one applies"
