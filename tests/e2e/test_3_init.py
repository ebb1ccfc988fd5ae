"""`init`, killed at random and run again, ends where an undisturbed one ends: checked against the world."""

from __future__ import annotations

import json

from e2e import checks, outside, pods
from e2e.conftest import Management
from e2e.outside import Object


def test_it_was_killed_often_enough(management: Management) -> None:
    """Seven kills are planned; some may come when their run has ended."""
    assert len(management.story.killed) >= 5, f"{management.story.killed}{management.story.last}"


def test_an_api_server_that_cant_be_reached_is_told_with_the_cause(management: Management) -> None:
    """Seen in a run between two kills: the load balancer was paused, and nobody but the engine knows."""
    balancer = f"{management.lab.name}-lb"
    words = (f"the API server of {management.lab.name} answers: no change for", f"container {balancer}: it is paused")
    management.unreachable.must(11).says(*words, f"docker unpause {balancer}")


def test_it_manages_itself(management: Management) -> None:
    assert checks.wrong_with(management.lab, management.kubectl, workers=1) == []


def test_no_container_was_made_twice(management: Management) -> None:
    """Every one that was ever made still stands."""
    stands = [c.name for c in outside.containers(management.lab.name)]
    assert management.births == stands


def test_the_webhooks_of_its_own_controllers_refuse_nonsense(management: Management) -> None:
    assert "invalid CIDR address" in checks.nonsense(management.kubectl)


def test_pods_on_different_nodes_reach_each_other(management: Management) -> None:
    found = pods.on_each_node(management.kubectl)
    assert len({pod.node for pod in found}) == 2
    urls = [url for pod in found for url in pod.urls()]
    answers = {(pod.node, url): pods.ask(pod, url) for pod in found for url in urls}
    pods.remove(management.kubectl)
    assert {key: answer for key, answer in answers.items() if answer != "OK"} == {}


def test_plan_says_that_nothing_is_to_be_done(management: Management) -> None:
    lab = management.lab
    done = lab.run("plan", "-f", str(lab.request), "--json").must()
    assert [step for step in done.document() if step["gap"]] == []
    assert "nothing is to be done" in lab.run("plan", "-f", str(lab.request)).must().out


def test_another_init_changes_nothing(management: Management) -> None:
    lab, before = management.lab, fingerprints(management)
    done = lab.init().finish().must()
    assert {event["kind"] for event in done.events()} == {"already"}, str(done)
    assert fingerprints(management) == before


def fingerprints(management: Management) -> tuple[dict[str, str], list[outside.Container]]:
    """What would change when somebody changed something: each object's UID and generation, each container."""
    objects = management.kubectl.objects("clusters,machines,machinedeployments,kubeadmcontrolplanes,deployments")
    return {_name(o): _version(o) for o in objects}, outside.containers(management.lab.name)


def _name(obj: Object) -> str:
    return f"{obj['kind']} {obj['metadata']['namespace']}/{obj['metadata']['name']}"


def _version(obj: Object) -> str:
    return f"{obj['metadata']['uid']} {obj['metadata']['generation']}"


def test_the_journal_tells_of_every_run_though_lines_of_it_are_damaged(management: Management) -> None:
    lines = (management.lab.state / "journal.jsonl").read_bytes().split(b"\n")
    damaged = [line for line in lines if line and not line.endswith(b"}")]
    assert 0 < len(damaged) <= len(management.story.killed)
    runs = {json.loads(line)["run"] for line in lines if line.endswith(b"}")}
    assert len(runs) > len(management.story.killed)
    done = management.lab.run("status", management.lab.name).must()
    assert f"bootstrapped from here in {len(runs)} runs" in done.out, str(done)


def test_secrets_are_for_their_owner_alone(management: Management) -> None:
    state = management.lab.state
    assert (state / "kubeconfig").stat().st_mode & 0o077 == 0
    assert state.stat().st_mode & 0o077 == 0
    assert "PRIVATE KEY" not in (state / "journal.jsonl").read_text(encoding="utf-8", errors="replace")


def test_status_says_that_it_manages_itself(management: Management) -> None:
    done = management.lab.run("status").must()
    assert f"{management.lab.name}  ready  manages itself" in done.out, str(done)
    assert "waits" not in done.out, str(done)
