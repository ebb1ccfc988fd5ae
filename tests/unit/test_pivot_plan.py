"""What is done next, as a table over what is seen. The whole protocol, without any cluster."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pivot_builders import CLASS, MACHINE, PROVIDER, an, cluster, look, of_class, reference

from pivot.graph import Graph
from pivot.objects import BLOCK_MOVE, ORIGIN, PAUSED, WAS_PAUSED, Item, copy_of, item_of, origin_note
from pivot.plan import plan, undo
from pivot.ports import CONFIG_MAP, NAMESPACE, SECRET, Object
from pivot.report import plan_dict, status_of
from pivot.seen import DONE, HANDED_OVER, RETIRED, Claim, Marker, Options, Seen, marker_name, marker_of, pivot_name
from pivot.tables import plan_lines, status_lines

PIVOT = pivot_name("source-id", (), None)
KEEP, DESTROYED = Options(source="keep"), Options(source="destroyed-later")


def paused(item: Item, was: str = "false") -> Item:
    """The item as the pause leaves it."""
    body: Object = {**item.body, "metadata": {**item.body["metadata"], "annotations": {WAS_PAUSED: was}}}
    body["spec"] = {**body.get("spec", {}), "paused": True}
    return item_of(body, item.kind)


def copied(item: Item, **changes: Any) -> Item:
    """Its copy in the target."""
    note = origin_note(item, "source-id", PIVOT, moved=True)
    body = copy_of(item, note, [], item.kind)
    body["metadata"] |= {"uid": f"copy-{item.uid}", "resourceVersion": "1", **changes.pop("metadata", {})}
    return item_of({**body, **changes}, item.kind)


def stages(seen: Seen, options: Options = KEEP) -> list[str]:
    return [stage.name for stage in plan(seen, options).stages]


def actions(seen: Seen, stage: str, options: Options = KEEP) -> list[str]:
    found = next(s for s in plan(seen, options).stages if s.name == stage)
    return [f"{operation.action} {operation.key}" for operation in found.operations]


def marker(state: str, mode: str = "keep", number: int = 1) -> Marker:
    return Marker("source-id", number, (), mode, state, "marker-uid")  # type: ignore[arg-type]


A = cluster("a", spec={"x": 1})
PAUSED_A = paused(A)
COPY = copied(PAUSED_A)


@pytest.mark.parametrize(
    ("says", "seen", "options", "first"),
    [
        ("nothing done yet", look(A), KEEP, "pause"),
        ("paused", look(PAUSED_A), KEEP, "copy"),
        (
            "paused by the pivot, un-paused by somebody",
            look(an(A.kind, "a", annotations={WAS_PAUSED: "false"})),
            KEEP,
            "pause",
        ),
        (
            "blocked",
            look(paused(cluster("a")), an(CONFIG_MAP, "x", PAUSED_A, annotations={BLOCK_MOVE: ""})),
            KEEP,
            "barrier",
        ),
        ("copied", look(PAUSED_A, target=(COPY,), running=("m",)), KEEP, "fence"),
        ("copied and fenced", look(PAUSED_A, target=(COPY,), stopped=("m",)), KEEP, "hand over"),
        ("no managers anywhere", look(PAUSED_A, target=(COPY,)), KEEP, "hand over"),
        ("handed over", look(PAUSED_A, target=(COPY,), marker=marker(HANDED_OVER)), KEEP, "retire"),
        ("handed over, source empty", look(target=(COPY,), marker=marker(HANDED_OVER)), KEEP, "retired"),
        ("retired", look(target=(COPY,), marker=marker(RETIRED)), KEEP, "resume clusters"),
        (
            "a source that is destroyed",
            look(PAUSED_A, target=(COPY,), marker=marker(HANDED_OVER, "destroyed-later")),
            DESTROYED,
            "resume clusters",
        ),
        (
            "the marker's mode counts, not the option",
            look(PAUSED_A, target=(COPY,), marker=marker(HANDED_OVER, "destroyed-later")),
            KEEP,
            "resume clusters",
        ),
        (
            "resumed, managers stopped",
            look(target=(cluster("a"),), stopped=("m",), marker=marker(RETIRED)),
            KEEP,
            "start managers",
        ),
        ("resumed", look(target=(cluster("a"),), marker=marker(RETIRED)), KEEP, "close"),
        ("done", look(target=(cluster("a"),), marker=marker(DONE)), KEEP, None),
        (
            "done, and new objects in the source",
            look(cluster("b"), target=(cluster("a"),), marker=marker(DONE)),
            KEEP,
            "pause",
        ),
        (
            "done, and a source to be destroyed",
            look(PAUSED_A, target=(cluster("a"),), marker=marker(DONE, "destroyed-later")),
            DESTROYED,
            None,
        ),
        (
            "blocked after the fence",
            look(PAUSED_A, an(CONFIG_MAP, "x", PAUSED_A, annotations={BLOCK_MOVE: ""}), stopped=("m",)),
            KEEP,
            "unfence",
        ),
        (
            "un-paused after the fence: it does no harm",
            look(an(A.kind, "a", annotations={WAS_PAUSED: "false"}), stopped=("m",)),
            KEEP,
            "copy",
        ),
    ],
)
def test_what_comes_next(says: str, seen: Seen, options: Options, first: str | None) -> None:
    found = plan(seen, options)
    assert not found.findings, says
    assert (found.stages[0].name if found.stages else None) == first, says


def test_the_whole_forecast_of_a_source_that_lives_on() -> None:
    wanted = ["pause", "barrier", "copy", "fence", "hand over", "retire", "resume clusters", "close"]
    assert stages(look(A, running=("m",))) == wanted


def test_nothing_is_retired_from_a_source_that_is_destroyed() -> None:
    assert "retire" not in stages(look(A), DESTROYED)


def test_owners_are_copied_first_and_retired_last() -> None:
    machine = an(MACHINE, "m", A)
    secret = an(SECRET, "s", machine)
    seen = look(secret, machine, A)
    assert actions(seen, "copy") == [
        "create namespace Namespace default",
        "create Cluster default/a",
        "create Machine default/m",
        "create Secret default/s",
    ]
    assert actions(seen, "retire") == [
        "retire Secret default/s",
        "retire Machine default/m",
        "retire Cluster default/a",
    ]


def test_an_owner_cycle_is_copied_and_closed_in_a_second_write() -> None:
    one, two = an(CONFIG_MAP, "one", PAUSED_A, uid="1"), an(CONFIG_MAP, "two", uid="2")
    one.body["metadata"]["ownerReferences"].append(reference(two))
    two.body["metadata"]["ownerReferences"] = [reference(one)]
    waves = Graph({item.key: item for item in (PAUSED_A, one, two)}).waves([PAUSED_A.key, one.key, two.key])
    assert [[key.name for key in wave] for wave in waves] == [["a"], ["one"], ["two"]]
    first = copied(one, metadata={"ownerReferences": [{**reference(PAUSED_A), "uid": COPY.uid}]})
    second = copied(two, metadata={"ownerReferences": [{**reference(one), "uid": first.uid}]})
    assert actions(look(PAUSED_A, one, two, target=(COPY, first, second)), "copy") == ["link ConfigMap default/one"]


@pytest.mark.parametrize(
    ("says", "copy", "action"),
    [
        ("an older version", copied(paused(cluster("a", spec={"x": 0}))), "update"),
        ("of an object that was made anew", copied(paused(cluster("a", spec={"x": 1}, uid="older"))), "discard"),
        ("being deleted", copied(PAUSED_A, metadata={"deletionTimestamp": "t"}), "discard"),
    ],
)
def test_a_copy_that_is_not_right(says: str, copy: Item, action: str) -> None:
    assert actions(look(PAUSED_A, target=(copy,)), "copy")[0] == f"{action} Cluster default/a", says


def test_a_copy_of_something_that_is_gone_is_thrown_away_before_the_hand_over_only() -> None:
    stray = copied(an(CONFIG_MAP, "gone", data={}))
    assert actions(look(PAUSED_A, target=(COPY, stray)), "copy") == ["discard ConfigMap default/gone"]
    after = plan(look(PAUSED_A, target=(COPY, stray), marker=marker(HANDED_OVER)), KEEP)
    assert not [o for stage in after.stages for o in stage.operations if o.action == "discard"]


def test_copies_of_an_earlier_pivot_are_not_ours_to_throw_away() -> None:
    moved = copied(an(CONFIG_MAP, "moved-before"))
    seen = look(cluster("b"), target=(moved,), marker=marker(DONE))
    assert not [o for stage in plan(seen, KEEP).stages for o in stage.operations if o.action == "discard"]
    assert not undo(seen).stages


def test_what_its_operator_had_paused_is_noted_and_stays_paused() -> None:
    sleeping = cluster("a", spec={"paused": True})
    assert "only noted" in next(s for s in plan(look(sleeping), KEEP).stages if s.name == "pause").operations[0].why
    noted = copied(paused(sleeping, was="true"))
    resumed = plan(look(target=(noted,), marker=marker(RETIRED)), KEEP).stages[0].operations[0]
    assert "stays paused" in resumed.why


def test_classes_resume_before_clusters() -> None:
    quick = an(CLASS, "quick", annotations={WAS_PAUSED: "false", PAUSED: ""})
    mine = paused(of_class("a", "quick"))
    seen = look(target=(copied(quick), copied(mine)), marker=marker(RETIRED))
    assert stages(seen)[:2] == ["resume classes", "resume clusters"]


@pytest.mark.parametrize(
    ("condition", "waits"),
    [
        ({"status": "True", "observedGeneration": 2}, False),
        ({"status": "True", "observedGeneration": 1}, True),
        ({"status": "False", "observedGeneration": 2}, True),
        ({"status": "True"}, False),
    ],
)
def test_the_barrier_waits_for_the_paused_condition(condition: Object, waits: bool) -> None:
    shown = {"conditions": [{"type": "Paused", **condition}]}
    item = paused(cluster("a", generation=2, status=shown))
    assert ("barrier" in stages(look(item))) is waits


def test_where_a_kind_has_never_shown_a_paused_condition_there_is_nobody_to_wait_for() -> None:
    assert "barrier" not in stages(look(PAUSED_A))


def test_a_copy_that_differs_from_what_was_written_is_a_mismatch() -> None:
    changed = copied(PAUSED_A, spec={"x": 2, "paused": True})
    assert plan(look(PAUSED_A, target=(changed,)), KEEP).mismatches == (
        "Cluster default/a differs in the target at spec.x: its CRD there, a webhook or somebody changed it",
    )


def test_defaults_of_the_target_are_no_mismatch() -> None:
    defaulted = copied(PAUSED_A, spec={"x": 1, "paused": True, "newer": "default"})
    assert not plan(look(PAUSED_A, target=(defaulted,)), KEEP).mismatches


def test_a_copy_that_somebody_un_paused_before_the_hand_over_is_a_mismatch() -> None:
    found = plan(look(PAUSED_A, target=(copied(PAUSED_A, spec={"x": 1}),)), KEEP).mismatches
    assert found == ("Cluster default/a isn't paused in the target: somebody un-paused it there",)


@pytest.mark.parametrize(
    ("says", "seen", "options", "told"),
    [
        ("an empty source", look(), KEEP, "nothing to move"),
        (
            "a namespace that isn't there",
            look(A, options=Options(namespaces=("x",))),
            Options(namespaces=("x",)),
            "no namespace x",
        ),
        ("the same cluster twice", replace(look(A), target=look(A).source), KEEP, "same cluster"),
        (
            "a provider that the target lacks",
            look(A, an(PROVIDER, "p", providerName="p", type="T", version="v1.0.0")),
            KEEP,
            "no T p",
        ),
        (
            "a provider that is older in the target",
            look(
                A,
                an(PROVIDER, "p", providerName="p", type="T", version="v1.10.0"),
                target=(an(PROVIDER, "p", providerName="p", type="T", version="v1.9.3"),),
            ),
            KEEP,
            "older (v1.9.3)",
        ),
        (
            "claimed for another target",
            look(A, claim=Claim("somebody", "elsewhere", PIVOT)),
            KEEP,
            "another cluster (elsewhere)",
        ),
        (
            "claimed for other namespaces",
            look(A, claim=Claim("somebody", "target-id", "other")),
            KEEP,
            "other namespaces",
        ),
        (
            "a namespace that is being deleted",
            look(A, homes={"default": an(NAMESPACE, "default", deleting=True)}),
            KEEP,
            "is being deleted",
        ),
        (
            "a Cluster that stays in a source that is destroyed",
            look(an(A.kind, "x", namespace="one"), A, options=Options(namespaces=("one",))),
            Options(namespaces=("one",), source="destroyed-later"),
            "stays in a source that will be destroyed",
        ),
    ],
)
def test_what_the_preflight_finds(says: str, seen: Seen, options: Options, told: str) -> None:
    found = plan(seen, options)
    assert told in "; ".join(found.findings), says
    assert not found.stages, "nothing is done when something is found"


def test_a_newer_provider_in_the_target_is_fine() -> None:
    older = an(PROVIDER, "p", providerName="p", type="T", version="v1.9.3")
    newer = an(PROVIDER, "p", providerName="p", type="T", version="v1.10.0", uid="x")
    assert not plan(look(A, older, target=(newer,)), KEEP).findings


def test_undo_puts_the_source_to_work_first_and_removes_only_our_copies() -> None:
    stranger = an(SECRET, "stranger")
    made = an(NAMESPACE, "default", uid="home", annotations=dict(COPY.annotations))
    seen = look(PAUSED_A, target=(COPY, stranger), stopped=("m",))
    seen = replace(seen, target=replace(seen.target, namespaces={"default": made}))
    found = undo(seen)
    assert [stage.name for stage in found.stages] == ["start managers", "un-pause", "discard"]
    assert [str(o.key) for o in found.stages[2].operations] == ["Cluster default/a"]


def test_undo_removes_a_namespace_that_we_made_when_nothing_else_is_in_it() -> None:
    made = an(NAMESPACE, "default", uid="home", annotations={ORIGIN: COPY.annotations[ORIGIN]})
    born = an(CONFIG_MAP, "kube-root-ca.crt")
    seen = look(A, target=(born,))
    seen = replace(seen, target=replace(seen.target, namespaces={"default": made}))
    assert [stage.name for stage in undo(seen).stages] == ["namespaces"]


def test_the_plan_is_deterministic_and_carries_no_secret() -> None:
    secret = an(SECRET, "a-ca", data={"tls.key": "dG9wLXNlY3JldA=="})
    one, two = (plan_dict(plan(look(*items), KEEP)) for items in ((A, secret), (secret, A)))
    assert one == two
    assert "dG9wLXNlY3JldA" not in str(one)


def test_the_table_names_few_and_counts_many() -> None:
    few = plan_lines(plan(look(A, an(MACHINE, "m", A), an(CONFIG_MAP, "x")), KEEP))
    assert few[:6] == [
        "wave 1 of 2",
        "  MOVE    Cluster default/a  a root",
        "wave 2 of 2",
        "  MOVE    Machine default/m  below Cluster default/a",
        "stay",
        "  STAY          1 not below a Cluster, ClusterClass or ClusterResourceSet, and not labelled to move",
    ]
    assert few[6:8] == ["order of operations", "  1. pause: 1 operations"]
    many = [an(MACHINE, f"m{number}", A) for number in range(1000)]
    counted = plan_lines(plan(look(A, *many), KEEP))
    assert "  MOVE      1,000 Machine                     default/m0 ..." in counted
    assert len(counted) < 20


def test_the_table_says_what_is_in_the_way() -> None:
    refused = plan_lines(plan(look(), KEEP))
    assert refused[0].startswith("! source has nothing to move")
    deleted = replace(an(MACHINE, "m", A))
    deleted.body["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    lines = plan_lines(plan(look(A, deleted), KEEP))
    assert lines[0].startswith("! Machine default/m: it is being deleted")
    assert lines[1:5] == [
        "refused",
        "  REFUSED Machine default/m  it is being deleted: wait for the deletion to end",
        "would travel",
        "  MOVE    Cluster default/a  a root",
    ]


def test_the_table_of_what_stands_there_already() -> None:
    assert "needs no copy any more" in plan_lines(plan(look(PAUSED_A, target=(COPY,)), KEEP))


def test_status_says_who_is_in_charge() -> None:
    for seen, charge, stage in (
        (look(A), "source", "pause"),
        (look(PAUSED_A, target=(COPY,), marker=marker(HANDED_OVER)), "target", "retire"),
        (look(target=(cluster("a"),), marker=marker(DONE)), "target", "done"),
        (look(), "source", "refused"),
    ):
        found = status_of(seen, plan(seen, KEEP))
        assert (found.in_charge, found.stage) == (charge, stage)


def test_the_marker_survives_its_own_writing() -> None:
    one = Marker("source-id", 3, ("a", "b"), "keep", RETIRED, "u")
    assert marker_of(one.data("src"), "u") == one


def test_the_name_of_a_pivot_tells_scopes_and_repetitions_apart() -> None:
    assert marker_name("s", ("a", "b")) == marker_name("s", ("b", "a")) != marker_name("s", ())
    assert pivot_name("s", (), None).endswith(".1")
    assert pivot_name("s", (), marker(DONE)).endswith(".2")
    assert pivot_name("s", (), marker(HANDED_OVER)).endswith(".1")


def test_a_status_as_lines() -> None:
    def lines(seen: Seen) -> list[str]:
        return status_lines(status_of(seen, plan(seen, KEEP)), "a.yaml", "b.yaml")

    assert lines(look(A)) == ["no pivot from a.yaml to b.yaml has begun: a.yaml is in charge"]
    begun = lines(look(PAUSED_A, target=(COPY,), claim=Claim("somebody", "target-id", PIVOT)))
    assert begun[:3] == ["in charge: a.yaml (the source)", "claimed by: somebody", "next: hand over"]
    late = lines(look(PAUSED_A, target=(COPY,), marker=marker(HANDED_OVER)))
    assert late[:3] == ["in charge: b.yaml (the target)", "next: retire", "  retire: 1 operations"]
