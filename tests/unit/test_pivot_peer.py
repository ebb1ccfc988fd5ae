"""What a `clusterctl move` that was cut short left: recognised, and ended or explained."""

from __future__ import annotations

from typing import Any

import pytest
from pivot_builders import CLASS, MACHINE, an, cluster, look

from pivot.objects import DELETE_FOR_MOVE, PAUSED, PEER, Item, was_paused
from pivot.plan import Plan, plan
from pivot.ports import Object
from pivot.seen import Options
from pivot.verdict import Verdict

KEEP = Options()


def entry(manager: str, fields: Object) -> Object:
    return {"manager": manager, "operation": "Update", "fieldsType": "FieldsV1", "fieldsV1": fields}


SPEC: Object = {"f:spec": {"f:paused": {}}}
NOTE: Object = {"f:metadata": {"f:annotations": {f"f:{PAUSED}": {}}}}


def stopped(manager: str = PEER, **parts: Any) -> Item:
    """A Cluster that this field manager paused."""
    return cluster("a", spec={"x": 1, "paused": True}, managed=(entry(manager, SPEC),), **parts)


def removed(item: Item, **changes: Any) -> Item:
    """As clusterctl leaves it before it is gone: other annotations, maybe no finalizers."""
    body = item.body
    metadata = {**body["metadata"], "annotations": {DELETE_FOR_MOVE: ""}, **changes}
    return Item(item.key, item.uid, item.kind, {**body, "metadata": metadata})


@pytest.mark.parametrize(
    ("says", "item", "noted"),
    [
        ("clusterctl paused the Cluster", stopped(), "clusterctl"),
        ("its operator did", stopped("kubectl-edit"), "true"),
        ("clusterctl wrote something else", cluster("a", spec={"paused": True}, managed=(entry(PEER, NOTE),)), "true"),
        ("no managers are known", cluster("a", spec={"paused": True}), "true"),
        ("not paused", cluster("a", managed=(entry(PEER, SPEC),)), "false"),
        (
            "clusterctl paused the ClusterClass",
            an(CLASS, "c", annotations={PAUSED: ""}, managed=(entry(PEER, NOTE),)),
            "clusterctl",
        ),
        ("its operator did that", an(CLASS, "c", annotations={PAUSED: ""}, managed=(entry("k", NOTE),)), "true"),
    ],
    ids=lambda part: part if isinstance(part, str) else "",
)
def test_who_paused_it(says: str, item: Item, noted: str) -> None:
    assert was_paused(item) == noted, says


def reason(made: Plan, kind: str) -> tuple[Verdict, str]:
    (judgement,) = [j for j in made.judgements if j.key.kind == kind]
    return judgement.verdict, judgement.reason


def test_a_pause_of_a_dead_move_is_told_and_taken_away_at_the_end() -> None:
    made = plan(look(stopped()), KEEP)
    (pause,) = made.stages[0].operations
    assert pause.why == "a clusterctl move that didn't end had paused it: it will be un-paused"
    (resume,) = next(stage for stage in made.stages if stage.name == "resume clusters").operations
    assert resume.why == ""


def test_killed_while_it_removed_what_stands_in_the_target() -> None:
    """Annotations and finalizers of what was being removed are gone; the rest is compared."""
    a = stopped(finalizers=("f",), annotations={"team": "x"})
    machine = an(MACHINE, "m", a, spec={"y": 1}, finalizers=("g",), annotations={"z": ""})
    half = removed(machine, deletionTimestamp="2026-01-01T00:00:00Z", finalizers=[])
    made = plan(look(a, half, target=(a, machine)), KEEP)
    assert made.findings == ()
    assert reason(made, "Machine")[0] is Verdict.MOVE
    assert not [op for stage in made.stages for op in stage.operations if op.action == "create"]


@pytest.mark.parametrize(
    ("says", "there"),
    [
        ("the target has nothing of it", ()),
        ("the target has another", (an(MACHINE, "m", spec={"y": 2}),)),
    ],
    ids=lambda part: part if isinstance(part, str) else "",
)
def test_half_removed_and_not_in_this_target(says: str, there: tuple[Item, ...]) -> None:
    a = stopped()
    half = removed(an(MACHINE, "m", a, spec={"y": 1}), deletionTimestamp="2026-01-01T00:00:00Z")
    made = plan(look(a, half, target=(a, *there)), KEEP)
    assert reason(made, "Machine") == (
        Verdict.REFUSED,
        "a clusterctl move was removing it, and this target doesn't have it: give the target of that move",
    ), says


def test_half_removed_and_active_in_the_target() -> None:
    """clusterctl un-pauses only when nothing is left in its source: this isn't its target."""
    half = removed(stopped())
    made = plan(look(half, target=(cluster("a", spec={"x": 1}),)), KEEP)
    assert reason(made, "Cluster")[0] is Verdict.REFUSED


def test_killed_when_only_un_pausing_was_left() -> None:
    (finding,) = plan(look(target=(stopped(),)), KEEP).findings
    assert "a clusterctl move that was cut short has left Cluster default/a paused in target" in finding
    assert "set spec.paused to null" in finding
