"""`init` killed where chance wants it: early, in the middle, twice in the pivot, and at the farewell."""

from __future__ import annotations

import random
from dataclasses import dataclass

from e2e.command import Done, Event
from e2e.lab import Lab

#: Steps with the seconds they take, roughly: a kill comes within that time. One of each row is killed.
STAGES: tuple[tuple[tuple[str, float], ...], ...] = (
    (("fitness", 1.0), ("machine-images", 1.0), ("bootstrap-cluster", 20.0), ("bootstrap-images", 20.0)),
    (("bootstrap-definitions", 6.0), ("bootstrap-managers", 12.0), ("bootstrap-inventory", 1.0), ("request", 1.0)),
    (("request", 15.0), ("control-plane", 40.0), ("kubeconfig", 0.5)),
    (("management-images", 15.0), ("management-definitions", 6.0), ("management-managers", 10.0), ("available", 20.0)),
    (("pivot", 0.4),),
    (("pivot", 0.4),),
    (("self-managed", 1.0), ("reconciles", 1.0), ("alone", 0.2), ("farewell", 0.5)),
)
#: The pivot says a word at each of its stages and waves; steps of this name are killed after any of them.
WORDS = {"pivot": 12}


@dataclass(frozen=True)
class Kill:
    """`delay` seconds after the `word`-th event of a step, or after its last one when it has fewer."""

    step: str
    word: int
    delay: float

    def __str__(self) -> str:
        return f"{self.step}, word {self.word} + {self.delay:.2f} s"


def chosen(seed: int) -> list[Kill]:
    """The kills of a seed."""
    chance = random.Random(seed)
    kills = []
    for stage in STAGES:
        step, seconds = chance.choice(stage)
        kills.append(Kill(step, chance.randint(1, WORDS.get(step, 1)), chance.uniform(0, seconds)))
    return kills


@dataclass(frozen=True)
class Story:
    """What the runs were at when they were killed, and the one that came to its end."""

    killed: tuple[str, ...]
    last: Done


def survive(lab: Lab, kills: list[Kill]) -> tuple[str, ...]:
    """Run `init` again and again, killed each time: what it was at. A kill also leaves half a line in the journal."""
    killed: list[str] = []
    for kill in kills:
        done, during = _killed(lab, kill)
        print(f"  {kill}: {during}", flush=True)
        if done.code == 0:
            break
        killed.append(during)
        _half_a_line(lab)
    return tuple(killed)


def to_the_end(lab: Lab, killed: tuple[str, ...]) -> Story:
    """Let it come to its end."""
    return Story(killed, lab.init().finish().must())


def _killed(lab: Lab, kill: Kill) -> tuple[Done, str]:
    """A run with its kill, and what it was at. A run that ended before by itself must have succeeded."""
    running, words = lab.init(), 0

    def reached(event: Event) -> bool:
        nonlocal words
        words += event["step"] == kill.step
        return event["step"] == kill.step and (words >= kill.word or event["kind"] in ("closed", "already"))

    event = running.wait_for(reached)
    if event is None or running.ends_within(kill.delay):
        return running.finish().must(), "it had come to its end before"
    running.kill()
    done = running.finish()
    last = done.events()[-1]
    return done, f"killed at {last['step']}: {last['kind']} {last['text'][:70]}"


def _half_a_line(lab: Lab) -> None:
    """As a kill within a write leaves it, cut within a character."""
    journal = lab.state / "journal.jsonl"
    if journal.exists():
        with journal.open("ab") as file:
            file.write('{"at": "2026-01-01T00:00:00Z", "text": "Gr\xfc'.encode()[:-1])
