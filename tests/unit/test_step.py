"""How gaps are closed: in the order of the list, by looking again, and how a run ends early. Time is a fake."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain, repeat

import pytest

from bootstrapper.errors import LostContact, NotEnough, Stalled, StepError
from bootstrapper.step import CLOSE_AGAIN, Cause, Event, Runner, Step, Together, preview
from pivot.errors import Unavailable

STALL = 60.0
LOST = LostContact("API server mgmt doesn't answer", "connection refused")


class FakeClock:
    """Time passes only while somebody waits."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


class Work:
    """A step whose gap is one look of a script after another; the last one stays."""

    def __init__(self, name: str, *looks: str | Exception | None, close: Callable[[], None] = lambda: None) -> None:
        self.looks = iter(chain(looks, repeat(looks[-1])))
        self.closes = 0
        self._close = close
        self.step = Step(name, f"{name} stands", self.gap, self.close)

    def gap(self) -> str | None:
        look = next(self.looks)
        if isinstance(look, Exception):
            raise look
        return look

    def close(self) -> None:
        self.closes += 1
        self._close()


class Run:
    """A runner and what it told."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.events: list[Event] = []
        self.runner = Runner(self.clock, self.events.append, STALL)

    def told(self, name: str) -> list[tuple[str, str]]:
        return [(e.kind, e.text) for e in self.events if e.step == name]


def caused(work: Work, cause: Callable[[], Cause | None]) -> Step:
    return Step(work.step.name, work.step.title, work.step.gap, work.step.close, cause)


@pytest.mark.parametrize(
    ("looks", "closes", "told"),
    [
        pytest.param([None], 0, ["already"], id="nothing to do: it isn't touched"),
        pytest.param(["no cluster", None], 1, ["closing", "closed"], id="closed at the first look"),
        pytest.param(["none", "1 of 2", None], 1, ["closing", "waiting", "closed"], id="a change is told"),
        pytest.param(["none", "none", "none", None], 1, ["closing", "closed"], id="a look without change isn't told"),
        pytest.param([LOST, "none", None], 1, ["closing", "waiting", "closed"], id="lost contact is a gap"),
        pytest.param([Unavailable("503"), None], 1, ["closing", "closed"], id="a pivot's lost contact is a gap, too"),
        pytest.param(["none"] + ["none"] * 45 + [None], 3, ["closing", "closed"], id="what may be lost is begun again"),
    ],
)
def test_a_gap_is_closed_when_the_world_says_so(
    looks: list[str | Exception | None], closes: int, told: list[str]
) -> None:
    run, work = Run(), Work("cluster", *looks)
    run.runner.run([work.step])
    assert work.closes == closes
    assert [kind for kind, _ in run.told("cluster")] == told


def test_closing_without_effect_is_no_success() -> None:
    run, work = Run(), Work("cluster", "no cluster")
    with pytest.raises(Stalled) as caught:
        run.runner.run([work.step])
    assert caught.value.what == "cluster stands: no change for 60 s; still: no cluster"
    assert caught.value.hint == "Run the same command again to go on from here."
    assert run.told("cluster")[-1] == ("failed", str(caught.value))
    assert work.closes == 1 + STALL / CLOSE_AGAIN


def test_a_close_that_failed_is_repeated_as_soon_as_something_else_is_lacking() -> None:
    def close() -> None:
        if images.closes == 1:
            raise LostContact("bootstrap cluster mgmt-bootstrap has no running node yet")

    run, images = Run(), Work("images", "no node", "no node", "4 of 4 images", "4 of 4 images", None, close=close)
    run.runner.run([images.step])
    assert images.closes == 2
    assert run.clock.time < CLOSE_AGAIN


def test_a_close_that_worked_is_not_repeated_because_the_gap_changes() -> None:
    run, work = Run(), Work("managers", "none", "1 of 4", "2 of 4", "3 of 4", None)
    run.runner.run([work.step])
    assert work.closes == 1


def test_a_step_may_say_how_soon_it_is_closed_again() -> None:
    run, work = Run(), Work("managers", "not ready", *["not ready"] * 8, None)
    run.runner.run([replace(work.step, again=2.0)])
    assert work.closes == 3


def counting() -> Iterator[str]:
    """Something that moves, slowly: one image a 50 s."""
    for number in range(1, 40):
        yield from repeat(f"{number} of 40 images", 100)


@pytest.mark.parametrize(
    ("looks", "stalls_after"),
    [
        pytest.param(["none", *counting(), None], None, id="what moves may take as long as it takes"),
        pytest.param(["none", *["up", "down"] * 500], 60.5, id="to and fro is no progress"),
        pytest.param(["none", *[LOST, "waiting"] * 500], 60.5, id="contact that comes and goes is no progress"),
        pytest.param([LOST], 60.0, id="contact that doesn't come back"),
    ],
)
def test_the_stall_limit_counts_from_the_last_new_gap(
    looks: list[str | Exception | None], stalls_after: float | None
) -> None:
    run, work = Run(), Work("images", *looks)
    if stalls_after is None:
        run.runner.run([work.step])
        assert run.clock.time > 10 * STALL
    else:
        with pytest.raises(Stalled):
            run.runner.run([work.step])
        assert run.clock.time == pytest.approx(stalls_after, abs=1)


def test_a_long_close_is_no_stall() -> None:
    run = Run()
    work = Work("images", "none", "none", "none", None, close=lambda: run.clock.sleep(10 * STALL))
    run.runner.run([work.step])
    assert run.told("images")[-1][0] == "closed"


def test_a_cause_that_cant_heal_ends_the_wait_at_once() -> None:
    run, work = Run(), Work("cluster", "no node")
    dead = Cause("Machine default/mgmt-x7k2p", "kubeadm failed: port 6443 is in use", "free it", hopeless=True)
    with pytest.raises(StepError) as caught:
        run.runner.run([caused(work, lambda: dead)])
    error = caught.value
    assert (error.what, error.why, error.hint) == (
        "cluster stands: can't be reached; Machine default/mgmt-x7k2p",
        "kubeadm failed: port 6443 is in use",
        "free it",
    )
    assert run.clock.time < STALL / 10
    assert run.told("cluster")[-1][0] == "failed"


def test_a_cause_that_may_heal_is_told_and_ends_up_in_the_stall() -> None:
    run, work = Run(), Work("cluster", "no node")
    slow = Cause("Machine default/mgmt-x7k2p", "it pulls an image", "see 'docker logs'")
    with pytest.raises(Stalled) as caught:
        run.runner.run([caused(work, lambda: slow)])
    assert ("waiting", "no node (Machine default/mgmt-x7k2p: it pulls an image)") in run.told("cluster")
    assert (caught.value.why, caught.value.hint) == (str(slow), slow.hint)


def test_a_cause_that_cant_be_found_out_is_no_failure() -> None:
    run, work = Run(), Work("cluster", *["no node"] * 20, None)

    def unknown() -> Cause | None:
        raise NotEnough("no memory to look")

    run.runner.run([caused(work, unknown)])
    assert run.told("cluster")[-1][0] == "closed"


@pytest.mark.parametrize("where", ["gap", "close"])
def test_a_permanent_error_ends_the_run_and_is_told(where: str) -> None:
    run = Run()
    full = NotEnough("the engine can't load images", "its disk is full")

    def fails() -> None:
        raise full

    work = Work("images", full) if where == "gap" else Work("images", "none", close=fails)
    after = Work("later", "none", None)
    with pytest.raises(NotEnough):
        run.runner.run([work.step, after.step])
    assert run.told("images")[-1] == ("failed", str(full))
    assert run.told("later") == []


def test_lost_contact_while_closing_is_waited_for() -> None:
    run = Run()
    troubles = iter([LOST])

    def close() -> None:
        for trouble in troubles:
            raise trouble

    work = Work("images", *["none"] * 25, None, close=close)
    run.runner.run([work.step])
    assert ("waiting", str(LOST)) in run.told("images")
    assert work.closes == 2


# side by side


def test_tracks_run_side_by_side_and_each_in_its_order() -> None:
    run = Run()
    both = threading.Barrier(2, timeout=10)  # neither passes unless the other one is there at the same time

    def meet() -> None:
        both.wait()

    left, right = Work("left", "none", None, close=meet), Work("right", "none", None, close=meet)
    then, after = Work("then", "none", None), Work("after", "none", None)
    run.runner.run([Together([left.step, then.step], [right.step]), after.step])
    closed = [e.step for e in run.events if e.kind == "closed"]
    assert sorted(closed[:3]) == ["left", "right", "then"]
    assert closed.index("left") < closed.index("then")
    assert closed[3] == "after"


def test_an_error_in_one_track_ends_the_others_and_what_follows() -> None:
    run = Run()
    started = threading.Event()

    def fails() -> None:
        assert started.wait(10)
        raise NotEnough("no disk")

    def moves() -> str:  # always anew: only the other track's failure can end this one
        started.set()
        return f"look {run.clock.time}"

    endless = Step("endless", "endless stands", moves, lambda: None)
    next_one, after = Work("next", "none", None), Work("after", "none", None)
    with pytest.raises(NotEnough):
        run.runner.run([Together([endless, next_one.step], [Work("bad", "none", close=fails).step]), after.step])
    assert run.told("next") == []
    assert run.told("after") == []


def test_a_preview_touches_nothing() -> None:
    a, b, c = Work("a", None), Work("b", "no cluster"), Work("c", LOST)
    assert [gap for _, gap in preview([a.step, Together([b.step], [c.step])])] == [None, "no cluster", str(LOST)]
    assert a.closes == b.closes == c.closes == 0
