"""Order of parts and the remaining time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hack.components.parts import Part
from hack.components.progress import about, clock
from hack.components.schedule import Task, closure, ordered, remaining, startable, tails

if TYPE_CHECKING:
    from hack.components.work import Work


def nothing(work: Work) -> None:
    raise AssertionError("not to be built here")


def part(name: str, *needs: str) -> Part:
    return Part(name, nothing, needs=needs)


def test_parts_come_after_what_they_need() -> None:
    parts = [part("node", "images", "crictl"), part("images", "go"), part("crictl"), part("go")]
    assert [p.name for p in ordered(parts)] == ["crictl", "go", "images", "node"]


def test_a_cycle_and_an_unknown_need_are_mistakes() -> None:
    for parts in ([part("a", "b"), part("b", "a")], [part("a", "nowhere")]):
        with pytest.raises(AssertionError, match="cycle or an unknown need"):
            ordered(parts)


def test_closure_is_the_part_and_all_below_it() -> None:
    parts = [part("node", "images"), part("images", "go"), part("go"), part("kind")]
    assert {p.name for p in closure(parts, "images")} == {"images", "go"}
    with pytest.raises(KeyError):
        closure(parts, "nowhere")


TASKS = {
    "go": Task(100, "compile", ()),
    "capi": Task(200, "compile", ()),
    "base": Task(50, "fetch", ()),
    "images": Task(10, "compile", ("go",)),
    "node": Task(150, "fetch", ("images", "base")),
}


def test_the_longest_chain_goes_first_one_a_lane() -> None:
    assert tails(TASKS)["go"] == 260
    assert startable(TASKS, []) == ["go", "base"]
    assert startable(TASKS, ["go"]) == ["base"]
    left = {n: t for n, t in TASKS.items() if n not in ("go", "base")}
    assert startable(left, []) == ["capi"]  # 200 s against 10 + 150: it is the longer one by then


def test_a_need_that_is_there_already_holds_nothing_up() -> None:
    assert startable({"images": TASKS["images"]}, []) == ["images"]


@pytest.mark.parametrize(
    ("tasks", "running", "seconds"),
    [
        ({}, {}, 0),
        ({"go": TASKS["go"]}, {}, 100),
        ({"go": TASKS["go"]}, {"go": 30}, 70),
        ({"go": TASKS["go"]}, {"go": 200}, 20),  # late: a tenth of what it took until now
        ({"go": TASKS["go"], "base": TASKS["base"]}, {}, 100),  # side by side
        ({"go": TASKS["go"], "capi": TASKS["capi"]}, {}, 300),  # one lane
        ({"go": TASKS["go"], "images": TASKS["images"], "node": TASKS["node"]}, {"go": 60}, 200),
    ],
)
def test_remaining(tasks: dict[str, Task], running: dict[str, float], seconds: float) -> None:
    assert remaining(tasks, running) == pytest.approx(seconds)


def test_durations_as_one_says_them() -> None:
    assert [about(s) for s in (0, 40, 89, 90, 600, 4200)] == ["1 s", "40 s", "89 s", "2 min", "10 min", "1 h 10 min"]
    assert [clock(s) for s in (5, 65, 3605)] == ["0:05", "1:05", "60:05"]
