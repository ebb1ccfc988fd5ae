"""What to make next and how long it still takes. Pure: no clock, no files.

Two lanes work side by side (see parts.Lane), one part at a time in each. In a lane the part goes first on
whose end the longest chain of other parts waits (list scheduling by critical path: R. L. Graham, "Bounds on
Multiprocessing Timing Anomalies", 1969).
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from hack.components.parts import Part


@dataclass(frozen=True)
class Task:
    """A part that is to be made: how long it takes (seconds), in which lane, after which parts."""

    seconds: float
    lane: str
    needs: tuple[str, ...]


def ordered(parts: Iterable[Part]) -> list[Part]:
    """The parts, each after those it needs; otherwise in the order given. AssertionError on a cycle or
    unknown need."""
    left = {p.name: p for p in parts}
    done: dict[str, Part] = {}
    while left:
        ready = [p for p in left.values() if all(n in done for n in p.needs)]
        assert ready, f"a cycle or an unknown need among {sorted(left)}"
        for part in ready:
            done[part.name] = left.pop(part.name)
    return list(done.values())


def closure(parts: Iterable[Part], name: str) -> list[Part]:
    """The part of this name and all that it needs. KeyError when there is none."""
    by_name = {p.name: p for p in parts}
    wanted: dict[str, Part] = {}
    todo = [name]
    while todo:
        part = by_name[todo.pop()]
        wanted[part.name] = part
        todo += part.needs
    return [p for p in by_name.values() if p.name in wanted]


def tails(tasks: Mapping[str, Task]) -> dict[str, float]:
    """Seconds from the start of each task to the end of the longest chain that begins with it."""
    followers = {name: [n for n, t in tasks.items() if name in t.needs] for name in tasks}
    found: dict[str, float] = {}

    def tail(name: str) -> float:
        if name not in found:
            found[name] = tasks[name].seconds + max(map(tail, followers[name]), default=0.0)
        return found[name]

    return {name: tail(name) for name in tasks}


def startable(tasks: Mapping[str, Task], running: Collection[str]) -> list[str]:
    """Names of the tasks to start now. A need that isn't among the tasks is met already."""
    order = tails(tasks)
    busy = {tasks[name].lane for name in running}
    found: list[str] = []
    for name in sorted(tasks, key=lambda n: (-order[n], n)):
        task = tasks[name]
        if name not in running and task.lane not in busy and not any(n in tasks for n in task.needs):
            found.append(name)
            busy.add(task.lane)
    return found


def remaining(tasks: Mapping[str, Task], running: Mapping[str, float]) -> float:
    """Seconds until all tasks are done. running: seconds since each started task began.

    One that takes longer than foreseen counts as ending soon: in a tenth of what it took until now.
    """
    left = dict(tasks)
    ends = [(max(left[n].seconds - age, age / 10), n) for n, age in running.items()]
    heapq.heapify(ends)
    now = 0.0
    while left:
        for name in startable(left, [n for _, n in ends]):
            heapq.heappush(ends, (now + left[name].seconds, name))
        now, ended = heapq.heappop(ends)
        del left[ended]
    return now
