"""What was measured: phases of runs, their medians, the ratio. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any, Literal

Side = Literal["init", "by hand"]
SIDES: tuple[Side, Side] = ("init", "by hand")
MIB = 1 << 20


@dataclass(frozen=True)
class Phase:
    """A part of a run: when it began, in seconds since the run did, and how long it took. Phases may overlap."""

    name: str
    begin: float
    seconds: float


@dataclass(frozen=True)
class Run:
    """One way from nothing to a self-managing cluster.

    pair     from 1; the runs of one pair follow each other
    seconds  from the first command to the end of the last one
    memory   bytes that all its containers used together at most
    load     the machine's load average when it began: what else ran then
    """

    pair: int
    side: Side
    seconds: float
    phases: tuple[Phase, ...]
    memory: int
    load: float


def order(pair: int) -> tuple[Side, Side]:
    """Which side begins in this pair (from 1): they take turns, so that what warms up helps neither."""
    return SIDES if pair % 2 else (SIDES[1], SIDES[0])


def of_side(runs: Iterable[Run], side: Side) -> list[Run]:
    """The runs of one side."""
    return [run for run in runs if run.side == side]


def ratios(runs: Sequence[Run]) -> list[float]:
    """The time of `init` as a part of the time by hand, pair by pair; pairs that aren't whole are left out."""
    took = {(run.pair, run.side): run.seconds for run in runs}
    pairs = sorted({pair for pair, _ in took})
    return [took[p, "init"] / took[p, "by hand"] for p in pairs if all((p, side) in took for side in SIDES)]


def medians(runs: Sequence[Run]) -> list[Phase]:
    """Each phase with the medians of its begin and its seconds, in the order in which they begin."""
    found: dict[str, list[Phase]] = {}
    for run in runs:
        for phase in run.phases:
            found.setdefault(phase.name, []).append(phase)
    middle = [
        Phase(name, median(p.begin for p in phases), median(p.seconds for p in phases))
        for name, phases in found.items()
    ]
    return sorted(middle, key=lambda phase: phase.begin)


def document(runs: Sequence[Run]) -> dict[str, Any]:
    """Everything, for programs: {"runs": [Run], "summary": {side: {...}}, "ratio": {...}}; seconds and bytes."""
    return {
        "runs": [asdict(run) for run in runs],
        "summary": {side: _summary(of_side(runs, side)) for side in SIDES if of_side(runs, side)},
        "ratio": _spread(ratios(runs)),
    }


def as_json(runs: Sequence[Run]) -> str:
    """The document as text."""
    return json.dumps(document(runs), indent=2, sort_keys=True) + "\n"


def as_text(runs: Sequence[Run]) -> str:
    """Everything, for people."""
    lines: list[str] = []
    for side in SIDES:
        if of_side(runs, side):
            lines += [*_side_lines(side, of_side(runs, side)), ""]
    return "\n".join([*lines, *_ratio_lines(ratios(runs))]) + "\n"


def _summary(runs: Sequence[Run]) -> dict[str, Any]:
    return {
        "seconds": _spread([run.seconds for run in runs]),
        "memory": _spread([run.memory for run in runs]),
        "phases": [asdict(phase) for phase in medians(runs)],
    }


def _spread(values: Sequence[float]) -> dict[str, float] | None:
    return {"min": min(values), "median": median(values), "max": max(values)} if values else None


def _side_lines(side: Side, runs: Sequence[Run]) -> list[str]:
    seconds, memory = [run.seconds for run in runs], [run.memory / MIB for run in runs]
    loads = ", ".join(f"{run.load:.1f}" for run in runs)
    return [
        f"{side}: {len(runs)} runs",
        f"  seconds  min {min(seconds):.1f} · median {median(seconds):.1f} · max {max(seconds):.1f}",
        f"  memory   min {min(memory):.0f} · median {median(memory):.0f} · max {max(memory):.0f} MiB at most, "
        "all its containers together",
        f"  load     {loads} (the machine's average when each began)",
        "     begins    takes",
        *(f"  {phase.begin:7.1f} s {phase.seconds:6.1f} s  {phase.name}" for phase in medians(runs)),
    ]


def _ratio_lines(found: Sequence[float]) -> list[str]:
    if not found:
        return ["ratio: no pair is whole"]
    each = ", ".join(f"{ratio:.2f}" for ratio in found)
    return [f"ratio init / by hand: median {median(found):.2f} of {len(found)} pairs ({each})"]
