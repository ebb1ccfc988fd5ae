"""What `init` does where it comes upon a world that isn't new."""

from __future__ import annotations

import pytest
from init_world import LEASE, Scene

from bootstrapper import init
from bootstrapper.errors import NotEnough, NotInCharge, Stalled
from bootstrapper.phases import farewell
from bootstrapper.step import flat, preview
from bootstrapper.world import Finding
from pivot import claim
from pivot.errors import Unavailable
from pivot.seen import DONE, HANDED_OVER


def stopped_at(word: str, when: str = "after") -> Scene:
    """The scene in which the power is lost at the first write whose words contain this."""
    undisturbed = Scene()
    undisturbed.run()
    at = next(n for n, what in enumerate(undisturbed.power.trace) if word in what)
    scene = Scene()
    assert scene.run_until(at, when)
    scene.power.dead = False
    return scene


def bootstrap_vanishes(scene: Scene) -> None:
    scene.backend.node = None


HAND_OVER = "mgmt: create ConfigMap kube-system/bootstrapper-pivot"


@pytest.mark.parametrize(
    "at",
    [
        pytest.param("state: kubeconfig", id="its API server answers, nothing is installed"),
        pytest.param("mgmt: create Cluster", id="half of the objects are copied"),
        pytest.param(HAND_OVER, id="a moment before the hand-over"),
    ],
)
def test_not_in_charge_and_the_bootstrap_cluster_is_gone(at: str) -> None:
    scene = stopped_at(at, "before" if at == HAND_OVER else "after")
    bootstrap_vanishes(scene)
    before = scene.power.writes
    with pytest.raises(NotInCharge, match="its bootstrap cluster is gone") as raised:
        scene.run()
    assert raised.value.exit_code == 13
    assert "bootstrapper destroy mgmt" in raised.value.hint
    assert scene.power.writes == before, "something was written"


@pytest.mark.parametrize("backend", ["kind", "existing"])
def test_in_charge_already_nothing_is_written(backend: str) -> None:
    scene = Scene(backend)
    scene.run()
    before, scene.events = scene.power.writes, []
    scene.run()
    assert scene.power.writes == before
    assert {event.kind for event in scene.events} == {"already"}


def test_the_plan_of_what_is_done_is_empty_and_of_a_bare_machine_it_isnt() -> None:
    scene = Scene()
    steps = init.steps(scene.config, scene.ports)
    assert [step.name for step, gap in preview(steps) if gap] == [
        step.name for step in flat(steps) if step.name not in ("not-lost", "fitness", "alone", "farewell")
    ]
    assert scene.power.writes == 0
    scene.run()
    before = scene.power.writes
    assert [gap for _, gap in preview(init.steps(scene.config, scene.ports)) if gap] == []
    assert scene.power.writes == before


def test_killed_between_hand_over_and_resume_the_source_lives() -> None:
    scene = stopped_at(HAND_OVER)
    assert [m["data"]["state"] for m in scene.markers()] == [HANDED_OVER]
    scene.run()
    assert [m["data"]["state"] for m in scene.markers()] == [DONE]
    assert scene.backend.node is None


def test_killed_between_hand_over_and_resume_the_source_is_gone() -> None:
    """What is left to do is noted in the target."""
    scene = stopped_at(HAND_OVER)
    bootstrap_vanishes(scene)
    scene.run()
    undisturbed = Scene()
    undisturbed.run()
    scene.wait()
    undisturbed.wait()
    assert scene.end() == undisturbed.end()


def test_a_second_run_does_not_wait_for_the_first_one_which_is_dead() -> None:
    """Its claim on the source stands; the lock on the state folder says that nobody else can be alive."""
    scene = stopped_at("mgmt: create Cluster")
    scene.events = []
    scene.run()
    seconds = next(event.seconds for event in scene.events if (event.step, event.kind) == ("pivot", "closed"))
    assert seconds < claim.SILENCE


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    "word",
    ["mgmt: apply Deployment", "mgmt: create Cluster", "mgmt: create Machine", HAND_OVER, "mgmt: patch Cluster"],
)
def test_the_new_clusters_api_server_is_lost_for_a_while(word: str, when: str) -> None:
    """At a write, whether or not it took effect: one run is enough, it waits and goes on, and no answer is guessed."""
    undisturbed, scene = Scene(), Scene()
    undisturbed.run()
    lose_contact(scene, word, when)
    scene.run()
    scene.wait()
    undisturbed.wait()
    assert scene.end() == undisturbed.end()


def lose_contact(scene: Scene, word: str, when: str) -> None:
    """Let the first such write fail, and the API server be silent for some ticks."""
    watch = scene.power.watch
    lost: list[str] = []

    def fail(moment: str, what: str) -> None:
        watch(moment, what)
        if not lost and moment == when and word in what:
            lost.append(what)
            scene.room.hush("mgmt", 10)
            raise Unavailable(what, "connection reset")

    scene.power.watch = fail


def test_the_state_folder_is_lost_while_the_pivot_is_under_way() -> None:
    """What is in it is evidence, and the kubeconfig is read again as long as the bootstrap cluster has it."""
    scene = stopped_at("mgmt: create Cluster")
    scene.state.files.clear()
    scene.run()
    assert scene.state.files["kubeconfig"] == "kubeconfig of mgmt"
    assert scene.backend.node is None


def test_an_existing_cluster_is_left_as_it_was_but_for_the_providers() -> None:
    scene = Scene("existing")
    scene.run()
    scene.wait()
    server = scene.backend.server
    assert server
    assert server.up
    left = {name[1] for name in server.objects if name[0].endswith("cluster.x-k8s.io")}
    assert left == {"Provider"}
    assert LEASE not in server.objects
    managers = [body for name, body in server.objects.items() if name[1] == "Deployment"]
    assert [body["status"]["readyReplicas"] for body in managers] == [1] * len(managers), "its managers don't run again"


def test_the_bootstrap_cluster_is_kept_when_asked_and_leaves_when_not_asked_any_more() -> None:
    scene = Scene()
    scene.run(keep_bootstrap=True)
    assert scene.backend.node
    scene.run(keep_bootstrap=True)
    assert scene.backend.node
    scene.run()
    assert scene.backend.node is None


@pytest.mark.parametrize("at", ["mgmt: apply Deployment", "mgmt: create Cluster"])
def test_the_bootstrap_cluster_is_not_removed_by_whoever_calls_the_last_step_alone(at: str) -> None:
    scene = stopped_at(at)
    (last,) = farewell.steps(scene.config, scene.ports)
    with pytest.raises(NotInCharge, match="isn't removed: mgmt isn't in charge"):
        last.close()
    assert scene.backend.node


def test_the_bootstrap_cluster_stays_while_the_new_one_is_not_whole() -> None:
    """A machine fails after the hand-over: for who must mend that, nothing is thrown away."""
    scene = stopped_at(HAND_OVER)
    scene.room.sick = {name for name in scene.room.containers if "md-0" in name}
    with pytest.raises(Stalled, match="mgmt says of itself that it is whole") as raised:
        scene.run()
    assert "1 of 2 machines are ready" in str(raised.value)
    assert scene.backend.node
    scene.room.sick = set()
    scene.run()
    assert scene.backend.node is None


def test_a_kept_bootstrap_cluster_is_fenced() -> None:
    scene = Scene()
    scene.run(keep_bootstrap=True)
    scene.proven()


def test_somebody_starts_the_managers_of_a_kept_bootstrap_cluster_again() -> None:
    """Its marker stands: it stays in charge, and they are stopped again."""
    scene = Scene()
    scene.run(keep_bootstrap=True)
    server = scene.backend.server
    assert server
    for name in [n for n in server.objects if n[1] == "Deployment"]:
        server.edit(name, lambda b: b["spec"].update(replicas=1))
    scene.wait(3)
    scene.run(keep_bootstrap=True)
    scene.proven()


def test_an_unfit_machine_is_told_before_anything_is_touched() -> None:
    scene = Scene()
    scene.infrastructure.found = [
        Finding("memory", "2 GB are too few", "add some"),
        Finding("disk", "it is rather full", "empty it", blocks=False),
    ]
    with pytest.raises(NotEnough, match="2 GB are too few") as raised:
        scene.run()
    assert "rather full" not in str(raised.value)
    assert scene.power.writes == 0


def test_an_unfit_machine_stops_nothing_once_the_cluster_is_in_charge() -> None:
    scene = stopped_at("backend: stop the node", "before")
    scene.infrastructure.found = [Finding("memory", "2 GB are too few", "add some")]
    scene.run()
    assert scene.backend.node is None


def test_managers_without_an_image_stall_with_their_name() -> None:
    scene = Scene()
    scene.room.has_images = lambda cluster, images: False  # type: ignore[method-assign]
    with pytest.raises(Stalled, match="managers run in the management cluster mgmt: no change for 120 s"):
        scene.run()
    assert scene.backend.node, "the bootstrap cluster stays for a second try"
