"""What goes wrong meanwhile, what it says, and what it leaves behind."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import fleet as f
import pytest
from fake_cluster import FakeCluster, Name
from scenarios import SCENARIOS
from world import CLUSTER, PowerLost, World, state

from pivot.claim import SILENCE
from pivot.engine import Pivot
from pivot.errors import (
    AnotherMover,
    PivotError,
    PreflightRefused,
    SourceRefused,
    Stalled,
    TargetRefused,
    TooLate,
    Unavailable,
    VerificationFailed,
)
from pivot.gone import GoneSource
from pivot.objects import BLOCK_MOVE, DELETE_FOR_MOVE, ORIGIN
from pivot.ports import CONFIG_MAP, LEASE, SECRET, VALIDATING_WEBHOOKS, Kind, Object

A: Name = (*CLUSTER, "default", "a")


def one_cluster(source: str = "keep", machines: int = 1) -> World:
    world = World()
    world.options = replace(world.options, source=source)  # type: ignore[arg-type]
    world.fleet.managers()
    world.there.managers()
    world.fleet.cluster_with_machines("a", machines)
    return world


def assert_as_at_first(world: World) -> None:
    for side in (world.source, world.target):
        assert state(side) == world.at_first[side.name]


def refuse(cluster: FakeCluster, kind: str, verb: str = "create", why: str = "quota exceeded") -> None:
    cluster.refusals = lambda v, body: why if v == verb and body.get("kind") == kind else None


# -- before the hand-over: an error leaves the source as it was


def test_a_target_that_refuses_one_object_names_it_and_leaves_both_as_they_were() -> None:
    world = one_cluster().begin()
    refuse(world.target, "DevMachine")
    with pytest.raises(TargetRefused, match=r"DevMachine default/a-m0.*quota exceeded") as caught:
        world.run()
    assert caught.value.exit_code == 41
    assert_as_at_first(world)


def test_a_source_that_refuses_the_pause() -> None:
    world = one_cluster().begin()
    refuse(world.source, "Cluster", "patch", "denied by policy")
    with pytest.raises(SourceRefused, match="denied by policy"):
        world.run()
    assert_as_at_first(world)


def test_a_target_that_changes_what_it_is_given_fails_the_verification() -> None:
    world = one_cluster().begin()
    name = (f.INFRA, "DevMachine", "default", "a-m0")

    def prune(number: int) -> None:
        if name in world.target.objects and world.target.objects[name]["spec"]:
            world.target.edit(name, lambda b: b.update(spec={}))

    world.on_write = prune
    with pytest.raises(VerificationFailed, match=r"DevMachine default/a-m0 differs in the target at spec.id") as caught:
        world.run()
    assert caught.value.exit_code == 42
    assert_as_at_first(world)


def test_a_block_that_nobody_lifts_ends_the_wait_and_names_the_object() -> None:
    world = one_cluster()
    world.source.edit(A, lambda b: b["metadata"].update(annotations={BLOCK_MOVE: ""}))
    world.begin()
    with pytest.raises(Stalled, match=r"Cluster default/a carries .*block-move: nothing has changed for \d+ s"):
        world.run()
    assert_as_at_first(world)


def test_a_controller_that_never_shows_the_pause() -> None:
    world = one_cluster()
    world.source.controllers.remove(world.reconcile)
    world.begin()
    with pytest.raises(Stalled, match="doesn't show the pause yet"):
        world.run()
    assert_as_at_first(world)


def test_somebody_who_un_pauses_again_and_again_is_noticed_before_the_fence() -> None:
    world = one_cluster().begin()

    def unpause(number: int) -> None:
        if not world.handed_over() and "was-paused" in str(world.source.objects[A]["metadata"].get("annotations")):
            world.source.edit(A, lambda b: b["spec"].pop("paused", None))

    world.on_write = unpause
    with pytest.raises(Stalled, match="somebody else undoes it"):
        world.run()
    world.on_write = lambda number: None
    assert_as_at_first(world)


def test_an_object_that_begins_to_be_deleted_meanwhile_stops_the_run() -> None:
    world = one_cluster(machines=0)
    cluster = world.source.objects[A]
    world.fleet.make(CONFIG_MAP, "held", cluster, finalizers=["x"])
    world.begin()
    name = ("", "ConfigMap", "default", "held")

    def delete(number: int) -> None:
        if number == 4:
            world.source.remove(name)

    world.on_write = delete
    with pytest.raises(PreflightRefused, match="it is being deleted"):
        world.run()
    assert not [n for n in world.target.objects if n[2] == "default"]
    assert "paused" not in world.source.objects[A]["spec"]


# -- an API server that doesn't answer


@pytest.mark.parametrize("at", range(12))
def test_a_target_that_stops_answering_is_undone_or_explained(at: int) -> None:
    world = one_cluster().begin()
    down = _down_after(world, world.target, at)
    with pytest.raises(Unavailable) as caught:
        world.run()
    assert "run the same command again" in caught.value.hint
    down.clear()
    world.run()
    assert not [n for n in world.source.objects if n[1] == "Cluster"]


def test_a_hand_over_without_an_answer_is_never_undone() -> None:
    world = one_cluster().begin()
    before, after = world.target.before_write, world.target.after_write
    lost: list[Name] = []

    def vanish(verb: str, name: Name) -> None:
        after(verb, name)
        if name[3].startswith("bootstrapper-pivot-") and not lost:
            lost.append(name)
            raise Unavailable("create", "connection reset")

    world.target.before_write, world.target.after_write = before, vanish
    with pytest.raises(Unavailable, match="connection reset") as caught:
        world.run()
    assert "isn't known" in caught.value.hint
    assert world.source.objects[A]["spec"]["paused"]
    world.run()
    assert A not in world.source.objects
    assert A in world.target.objects


def _down_after(world: World, cluster: FakeCluster, writes: int) -> list[bool]:
    """The cluster answers nothing any more after so many writes, until the list is cleared."""
    down: list[bool] = []
    before, seen = cluster.before_write, cluster.writes

    def fail(verb: str, name: Name) -> None:
        if cluster.writes - seen >= writes and not getattr(world, "was_down", False):
            down.append(True)
            world.was_down = True  # type: ignore[attr-defined]
        if down:
            raise Unavailable(f"{verb} {name}", "503")
        before(verb, name)

    cluster.before_write = fail
    _fail_reads(cluster, down)
    return down


def _fail_reads(cluster: FakeCluster, down: list[bool]) -> None:
    for read in ("list", "get"):
        working: Callable[..., Any] = getattr(cluster, read)

        def failing(*args: Any, working: Callable[..., Any] = working, **kwargs: Any) -> Any:
            if down:
                raise Unavailable("GET", "503")
            return working(*args, **kwargs)

        setattr(cluster, read, failing)


# -- two movers


def test_of_two_movers_the_second_stops_within_seconds_and_names_the_first() -> None:
    world = one_cluster().begin()
    stopped: list[float] = []

    def second(number: int) -> None:
        if number == 3 and not stopped:
            world.on_write = lambda number: None
            stopped.append(world.clock.time)
            with pytest.raises(AnotherMover, match="it is test") as caught:
                _other(world, beating=True).run()
            assert caught.value.exit_code == 44
            stopped.append(world.clock.time)

    world.on_write = second
    world.run()
    assert stopped[1] - stopped[0] <= 5
    assert A in world.target.objects


def _other(world: World, beating: bool) -> Any:
    """A mover on another machine; meanwhile the first one beats."""
    other = world.pivot(holder="other")
    sleep = world.clock.sleep

    def sleeping(seconds: float) -> None:
        sleep(seconds)
        if beating:
            name = (LEASE.group, LEASE.kind, "kube-system", "bootstrapper-pivot")
            world.source.edit(name, lambda b: b["metadata"]["annotations"].update(beat=str(world.clock.time)))

    other.clock = type("C", (), {"now": world.clock.now, "sleep": staticmethod(sleeping)})()
    return other


def test_a_claim_left_by_a_killed_run_on_another_machine_is_taken_over_after_silence() -> None:
    world = one_cluster().begin()
    world.lose_power_at = (5, "after")
    with pytest.raises(PowerLost):
        world.run()
    world.lose_power_at = None
    began = world.clock.time
    _other(world, beating=False).run()
    assert world.clock.time - began >= SILENCE
    assert A in world.target.objects


def test_a_mover_that_was_taken_over_stops_and_undoes_nothing() -> None:
    world = one_cluster().begin()
    name = (LEASE.group, LEASE.kind, "kube-system", "bootstrapper-pivot")

    def take(number: int) -> None:
        if number == 6:
            world.clock.time += 60
            world.source.edit(name, lambda b: b["spec"].update(holderIdentity="other"))

    world.on_write = take
    with pytest.raises(AnotherMover, match="other") as caught:
        world.run()
    assert "wait for its end" in caught.value.hint
    assert world.source.objects[A]["spec"]["paused"]


def test_a_source_on_its_way_to_another_target_is_refused() -> None:
    world = one_cluster().begin()
    world.lose_power_at = (5, "after")
    with pytest.raises(PowerLost):
        world.run()
    world.lose_power_at = None
    elsewhere = FakeCluster("elsewhere", f.KINDS)
    wrong = world.pivot()
    wrong = type(wrong)(world.source, elsewhere, world.options, world.clock, world._tell, gone=lambda _: True)
    with pytest.raises(PreflightRefused, match="is being moved to another cluster"):
        wrong.run()
    assert world.source.objects[A]["spec"]["paused"]
    world.run()
    assert A in world.target.objects


# -- what others have done


def test_an_object_that_is_made_anew_between_look_and_write_is_looked_at_again() -> None:
    """A patch of another UID is refused like anything that can't be: that mustn't stop the pivot."""
    world = one_cluster(machines=0).begin()
    before = world.source.before_write

    def make_anew(verb: str, name: Name) -> None:
        if name == A and verb == "patch" and not world.target.writes:
            world.source.before_write = before
            world.source.edit(A, lambda b: b["metadata"].update(uid="made-anew"))
            for below in [n for n in world.source.objects if n[2] == "default"]:
                for owner in world.source.objects[below]["metadata"].get("ownerReferences") or []:
                    owner["uid"] = "made-anew" if owner["kind"] == "Cluster" else owner["uid"]
        before(verb, name)

    world.source.before_write = make_anew
    world.run()
    assert any("looking again" in line for line in world.report)
    assert A in world.target.objects


def test_a_copy_of_clusterctl_is_resumed_when_its_source_was_un_paused() -> None:
    """clusterctl was killed after its copies; the operator has un-paused the source again since."""
    world = one_cluster(machines=0)
    world.there.cluster_with_machines("a", 0, paused=True)
    world.begin()
    world.run()
    assert "paused" not in world.target.objects[A]["spec"]
    assert A not in world.source.objects


def test_a_clusterctl_move_that_was_killed_while_it_removed_is_ended() -> None:
    world = SCENARIOS["clusterctl_killed_while_it_removed"]().begin()
    there = {name for name in world.target.objects if name[2] == "default"}
    world.run()
    assert "paused" not in world.target.objects[A]["spec"]
    assert not [name for name in world.source.objects if name[0].endswith("x-k8s.io")]
    assert {name for name in world.target.objects if name[2] == "default"} == there


def test_managers_of_applied_fields_are_restored_and_we_are_none() -> None:
    world = one_cluster(machines=0)
    entry = {"manager": "topology", "operation": "Apply", "apiVersion": "infrastructure.cluster.x-k8s.io/v1beta2"}
    name = (f.INFRA, "DevCluster", "default", "a")
    world.source.edit(name, lambda b: b["metadata"].update(managedFields=[entry]))
    world.begin()
    world.run()
    assert world.target.objects[name]["metadata"]["managedFields"] == [entry]


# -- after the hand-over


def test_an_abort_after_the_end_is_refused_and_says_what_to_do() -> None:
    world = one_cluster().begin()
    world.run()
    with pytest.raises(TooLate, match="in charge already") as caught:
        world.pivot().abort()
    assert caught.value.exit_code == 43
    assert "pivot from there to here" in caught.value.hint


def test_an_empty_source_without_a_marker_is_an_error() -> None:
    world = World().begin()
    with pytest.raises(PreflightRefused, match="nothing to move"):
        world.run()


def test_a_refusal_in_the_preflight_writes_nothing() -> None:
    world = one_cluster()
    cluster = world.source.objects[A]
    world.fleet.make(f.UNLABELLED, "lost", cluster)
    world.begin()
    with pytest.raises(PreflightRefused, match=r"Widget default/lost: its kind isn't one that moves"):
        world.run()
    assert world.writes == 0


def test_a_machine_that_is_being_deleted_is_refused_and_not_revived() -> None:
    world = one_cluster()
    world.source.controllers.clear()
    world.source.remove(("cluster.x-k8s.io", "Machine", "default", "a-m0"))
    world.begin()
    with pytest.raises(PreflightRefused, match="Machine default/a-m0: it is being deleted"):
        world.run()
    assert world.writes == 0


def test_retiring_marks_before_it_deletes_and_keeps_other_annotations() -> None:
    world = one_cluster()
    name = ("cluster.x-k8s.io", "Machine", "default", "a-m0")
    world.source.edit(name, lambda b: b["metadata"].update(annotations={"cluster.x-k8s.io/paused": ""}))
    world.begin()
    marked: list[Object] = []
    after = world.source.after_write

    def note(verb: str, which: Name) -> None:
        if which == name and verb == "patch":
            marked.append(world.source.objects[name]["metadata"])
        after(verb, which)

    world.source.after_write = note
    world.run()
    assert marked[-1]["annotations"] == {"cluster.x-k8s.io/paused": "", DELETE_FOR_MOVE: ""}
    assert "finalizers" not in marked[-1]


def test_webhooks_of_stopped_managers_let_pass_and_are_told_back() -> None:
    world = one_cluster()
    hooks = [{"name": "a.b.c", "failurePolicy": "Fail", "clientConfig": {}}]
    labels = {"cluster.x-k8s.io/provider": "cluster-api"}
    world.source.put(VALIDATING_WEBHOOKS, {"metadata": {"name": "capi", "labels": labels}, "webhooks": hooks})
    name = (VALIDATING_WEBHOOKS.group, VALIDATING_WEBHOOKS.kind, "", "capi")

    def refused(verb: str, body: Object) -> str | None:
        stopped = not f.acting(world.source)
        failing = world.source.objects[name]["webhooks"][0]["failurePolicy"] == "Fail"
        ours = body.get("apiVersion", "").startswith(("cluster.", "infrastructure."))
        return "failed calling webhook" if stopped and failing and ours else None

    world.source.refusals = refused
    world.begin()
    world.run()
    assert A not in world.source.objects
    assert world.source.objects[name]["webhooks"] == hooks
    assert f.acting(world.source)


def test_a_source_that_lives_on_can_be_moved_from_again() -> None:
    world = one_cluster().begin()
    world.run()
    world.fleet.cluster_with_machines("b", 1)
    world.run()
    assert {n[3] for n in world.target.objects if n[1] == "Cluster"} == {"a", "b"}
    assert not [n for n in world.source.objects if n[1] == "Cluster"]


def test_an_aborted_second_pivot_leaves_what_the_first_one_moved() -> None:
    world = one_cluster().begin()
    world.run()
    world.fleet.cluster_with_machines("b", 1)
    world.lose_power_at = (world.writes + 8, "after")
    with pytest.raises(PowerLost):
        world.run()
    world.lose_power_at = None
    world.pivot().abort()
    assert {n[3] for n in world.target.objects if n[1] == "Cluster"} == {"a"}
    assert {n[3] for n in world.source.objects if n[1] == "Cluster"} == {"b"}


def test_there_and_back_again() -> None:
    world = one_cluster().begin()
    first = state(world.source)
    world.run()
    back = type(world.pivot())(world.target, world.source, world.options, world.clock, world._tell)
    world.foreign, world.ever = {}, {}
    world.handed_over = lambda: True  # type: ignore[method-assign]  # the sides are the other way round now
    back.run()
    now = {name: body for name, body in state(world.source).items() if not name[3].startswith("bootstrapper-pivot")}
    assert now == first
    assert not [n for n in world.target.objects if n[0].endswith("x-k8s.io") and n[1] != "Lease"]


def test_a_pivot_whose_source_is_gone_after_the_hand_over_is_ended_from_the_target_alone() -> None:
    world = one_cluster("destroyed-later")
    world.fleet.cluster_with_machines("sleeping", 0, paused=True)
    world.begin()

    def die(number: int) -> None:
        if world.handed_over():
            raise PowerLost

    world.on_write = die
    with pytest.raises(PowerLost):
        world.run()
    world.on_write = lambda number: None
    options, told = world.options, world._tell
    source = GoneSource(world.source.identity(), world.target)
    proof = Pivot(source, world.target, options, world.clock, told).run()
    assert proof.in_charge == "target"
    clusters = {n[3]: bool(b["spec"].get("paused")) for n, b in world.target.objects.items() if n[1] == "Cluster"}
    assert clusters == {"a": False, "sleeping": True}


def test_a_source_that_is_gone_without_a_hand_over_is_an_error() -> None:
    world = one_cluster().begin()
    source = GoneSource("whoever", world.target)
    with pytest.raises(PreflightRefused, match="nothing to move"):
        Pivot(source, world.target, world.options, world.clock, world._tell).run()


# -- versions and status


def test_a_kind_is_moved_at_a_version_that_both_serve() -> None:
    world = one_cluster(machines=0)
    older = replace(f.CLUSTER, version="v1beta1", served=("v1beta1", "v1beta2"))
    newer = replace(f.CLUSTER, served=("v1beta2",))
    world.source.crds[world.source.crds.index(older)] = older
    world.target.crds[world.target.crds.index(newer)] = newer
    read: list[str] = []
    listed = world.source.list

    def note(kind: Kind, *rest: Any, **more: Any) -> Any:
        read.extend([kind.version] if kind.kind == "Cluster" else [])
        return listed(kind, *rest, **more)

    world.source.list = note  # type: ignore[method-assign]
    world.begin()
    world.run()
    assert set(read) == {"v1beta2"}


def test_the_status_of_kinds_on_the_opt_in_list_is_restored_and_of_no_other() -> None:
    world = World()
    world.options = replace(world.options, status=frozenset({f"DevMachine.{f.INFRA}"}))
    cluster = world.fleet.cluster_with_machines("a", 1)
    world.fleet.make(f.BOOT, "boot", cluster, spec={}, status={"ready": True})
    name = (f.INFRA, "DevMachine", "default", "a-m0")
    world.source.edit(name, lambda b: b.update(status={"ready": True}))
    world.begin()
    world.run()
    assert world.target.objects[name]["status"] == {"ready": True}
    assert "status" not in world.target.objects["bootstrap.cluster.x-k8s.io", "KubeadmConfig", "default", "boot"]


def test_writes_side_by_side_do_the_same() -> None:
    one, many = one_cluster(machines=5).begin(), one_cluster(machines=5).begin()
    one.run()
    proof = many.pivot(parallel=8).run()
    assert proof.compared == proof.equal
    assert state(many.target) == state(one.target)


def test_a_refusal_among_writes_side_by_side() -> None:
    world = one_cluster(machines=20).begin()
    refuse(world.target, "DevMachine")
    with pytest.raises(TargetRefused, match="DevMachine"):
        world.pivot(parallel=8).run()
    assert_as_at_first(world)


# -- reporting


def test_status_tells_who_is_in_charge_and_how_far_it_is() -> None:
    world = one_cluster().begin()
    assert (world.pivot().status().in_charge, world.pivot().status().begun) == ("source", False)
    world.lose_power_at = (6, "after")
    with pytest.raises(PowerLost):
        world.run()
    world.lose_power_at = None
    half = world.pivot().status()
    assert (half.in_charge, half.begun, half.stage, half.mover) == ("source", True, "copy", "test")
    world.run()
    assert (world.pivot().status().in_charge, world.pivot().status().stage) == ("target", "done")


def test_the_proof_counts_what_was_checked() -> None:
    world = one_cluster().begin()
    proof = world.run()
    assert proof.compared == proof.equal == 9
    assert proof.owners == 7
    assert proof.counts["MOVE"]["Machine"] == 1
    assert proof.as_dict()["in_charge"] == "target"


def test_at_most_one_write_an_object_in_the_target() -> None:
    world = World()
    world.fleet.cluster_with_machines("a", 50)
    world.begin()
    moved = len([n for n in world.source.objects if n[2] == "default"])
    before = world.target.writes
    world.run()
    # the copies, the resume of the Cluster, and the marker three times
    assert world.target.writes - before == moved + 1 + 3


# -- asked beforehand


def test_a_refusal_is_known_before_anything_is_written() -> None:
    world = one_cluster().begin()
    world.options = replace(world.options, rehearse=True)
    refuse(world.target, "Secret")
    with pytest.raises(PreflightRefused, match="Secret default/a-ca: the target would refuse it") as caught:
        world.run()
    assert world.writes == 0
    assert len(caught.value.findings) == 2
    assert world.pivot().plan().stages == ()


def test_what_the_target_would_take_is_moved() -> None:
    world = one_cluster().begin()
    world.options = replace(world.options, rehearse=True)
    (note,) = world.pivot().plan().notes
    assert re.fullmatch(r"asked beforehand, the target would take (\d+) of \1 objects", note)
    world.run()
    assert A in world.target.objects
    assert any("asked beforehand" in line for line in world.report)


def test_what_lies_in_a_namespace_that_is_not_there_cannot_be_asked_for() -> None:
    world = World()
    world.fleet.namespaces("team")
    f.Fleet(world.source, "team").cluster_with_machines("a", 0)
    world.options = replace(world.options, rehearse=True)
    world.begin()
    refuse(world.target, "Secret")
    (note,) = world.pivot().plan().notes
    assert note.startswith("asked beforehand, the target would take 0 of 0 objects; ")
    with pytest.raises(TargetRefused):
        world.run()


def test_a_webhook_that_cannot_be_asked_is_no_refusal() -> None:
    world = one_cluster().begin()
    world.options = replace(world.options, rehearse=True)
    says = "admission webhook w.example.org does not support dry run"
    world.target.refusals = lambda verb, body: says if body["kind"] == "Secret" else None
    assert world.pivot().plan().findings == ()


def test_who_goes_on_after_a_kill_is_not_asked_again() -> None:
    world = one_cluster().begin()
    world.lose_power_at = (world.writes + 8, "after")
    with pytest.raises(PowerLost):
        world.run()
    world.lose_power_at = None
    world.options = replace(world.options, rehearse=True)
    assert world.pivot().plan().notes == ()
    world.run()
    assert A in world.target.objects


def test_no_secret_is_told() -> None:
    world = one_cluster()
    world.fleet.make(SECRET, "a-kubeconfig", data={"value": "dG9wLXNlY3JldA=="})
    world.begin()
    plan = world.pivot().plan()
    from pivot.report import plan_dict
    from pivot.tables import plan_lines

    world.run()
    told = [str(plan_dict(plan)), *plan_lines(plan), *world.report]
    assert not [text for text in told if "dG9wLXNlY3JldA" in text or "c2VjcmV0" in text]


def test_every_error_names_what_to_do() -> None:
    world = one_cluster().begin()
    refuse(world.target, "Secret")
    with pytest.raises(PivotError) as caught:
        world.run()
    assert caught.value.hint
    assert ORIGIN not in str(caught.value)
