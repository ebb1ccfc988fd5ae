"""The benchmark's arithmetic: phases from events, medians, ratios. What it measures is its own test."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hack.bench import by_hand, by_program, memory, results
from hack.bench.parts import Parts
from hack.bench.results import Phase, Run, Side

HERE = Path("/nowhere")
MADE = Parts(
    bundle=HERE,
    kind=HERE / "kind",
    kubectl=HERE / "kubectl",
    clusterctl=HERE / "clusterctl",
    node_image="kindest/node:v1.36.3",
    kind_config=HERE / "kind.yaml",
    archive=HERE / "providers.tar",
    providers=HERE / "providers.yaml",
    inventory=HERE / "inventory.yaml",
    routes=HERE / "node-routes.yaml",
)


def run(pair: int, side: Side, seconds: float, *phases: Phase, memory: int = 1 << 30) -> Run:
    return Run(pair, side, seconds, phases, memory, 1.5)


def test_who_begins_takes_turns() -> None:
    assert [results.order(pair)[0] for pair in (1, 2, 3, 4)] == ["init", "by hand", "init", "by hand"]
    assert all(set(results.order(pair)) == set(results.SIDES) for pair in (1, 2))


def test_ratios_are_taken_within_a_pair() -> None:
    runs = [run(1, "init", 90), run(1, "by hand", 180), run(2, "by hand", 100), run(2, "init", 75), run(3, "init", 1)]
    assert results.ratios(runs) == [0.5, 0.75]


def test_medians_of_phases_stand_in_the_order_in_which_they_begin() -> None:
    first = run(1, "init", 9, Phase("images", 5, 4), Phase("kind", 0, 5))
    second = run(2, "init", 9, Phase("kind", 0, 7), Phase("images", 7, 2))
    third = run(3, "init", 9, Phase("kind", 0, 6), Phase("images", 6, 3))
    assert results.medians([first, second, third]) == [Phase("kind", 0, 6), Phase("images", 6, 3)]


def test_text_and_json_say_the_same() -> None:
    runs = [run(1, "init", 90.04, Phase("kind", 0, 20)), run(1, "by hand", 180)]
    text, document = results.as_text(runs), json.loads(results.as_json(runs))
    assert "min 90.0 · median 90.0 · max 90.0" in text
    assert "ratio init / by hand: median 0.50 of 1 pairs (0.50)" in text
    assert document["ratio"]["median"] == pytest.approx(0.5, abs=0.01)
    assert document["summary"]["by hand"]["seconds"] == {"min": 180, "median": 180, "max": 180}
    assert document["runs"][0]["phases"] == [{"name": "kind", "begin": 0, "seconds": 20}]


def test_a_trial_of_one_side_has_no_ratio() -> None:
    assert "ratio: no pair is whole" in results.as_text([run(1, "init", 90)])
    assert results.document([run(1, "init", 90)])["ratio"] is None


def test_a_phase_is_a_step_from_its_first_look_to_its_end() -> None:
    def event(step: str, kind: str, seconds: float) -> dict[str, object]:
        return {"step": step, "kind": kind, "seconds": seconds, "text": "", "title": ""}

    events = [
        (1.5, event("fitness", "already", 0.5)),
        (2.0, event("kind", "closing", 0.1)),
        (9.0, event("kind", "waiting", 7.0)),
        (22.0, event("kind", "closed", 20.0)),
    ]
    found = list(by_program.phases(iter(events)))
    assert found == [Phase("fitness", 1.0, 0.5), Phase("kind", 2.0, 20.0)]
    assert by_program.whole(found, 23.0) == [
        Phase("start of the program", 0.0, 1.0),
        *found,
        Phase("end of the program", 22.0, 1.0),
    ]


def test_every_phase_by_hand_has_a_name_of_its_own(tmp_path: Path) -> None:
    commands = by_hand.procedure(MADE, "bench-b1", tmp_path)
    assert len({command.purpose for command in commands}) == len(commands)
    assert commands[0].words[:3] == ("/nowhere/kind", "create", "cluster")
    assert commands[-1].words[:3] == ("/nowhere/kind", "delete", "cluster")


@pytest.mark.parametrize(
    ("stats", "used"),
    [
        pytest.param({"usage": 100, "stats": {"total_inactive_file": 30, "inactive_file": 1}}, 70, id="cgroup v1"),
        pytest.param({"usage": 100, "stats": {"inactive_file": 40}}, 60, id="cgroup v2"),
        pytest.param({}, 0, id="doesn't run"),
    ],
)
def test_memory_is_counted_as_docker_stats_does(stats: dict[str, object], used: int) -> None:
    assert memory.used(stats) == used
