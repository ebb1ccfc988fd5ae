"""What was measured: medians by program and size, ratios, goals; as text, JSON and Markdown. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any, Literal

Side = Literal["ours", "clusterctl move", "ours, source destroyed later", "bare client"]
OURS: Side = "ours"
PEER: Side = "clusterctl move"
LATER: Side = "ours, source destroyed later"
BARE: Side = "bare client"
SIDES = (OURS, PEER, LATER, BARE)
MIB = 1 << 20
#: What is wanted: times as fast as the peer (at this many objects and more), requests to the target an object, part of
#: the bare client's objects a second, bytes of memory, and how much longer an object may take at the largest size.
FASTER, FROM_OBJECTS, REQUESTS, OF_BARE, MEMORY, GROWTH = 10.0, 1000, 2.0, 0.7, 1 << 30, 1.25


@dataclass(frozen=True)
class Run:
    """One move of a fresh fleet.

    round     from 1; the runs of one round follow each other
    seconds   of the whole process; of the bare client: from its first write to the end of its last one
    copy      seconds from the first create that the target got to the end of the last one, by its audit log
    requests  server -> verb -> how many, by the audit logs
    memory    bytes that the process had at most; 0 for the bare client, which has no process of its own
    load      the machine's load average when it began: what else ran then
    """

    side: Side
    objects: int
    round: int
    seconds: float
    copy: float
    requests: Mapping[str, Mapping[str, int]]
    memory: int
    load: float

    def per_object(self, server: str) -> float:
        """Requests to a server, an object."""
        return sum(self.requests.get(server, {}).values()) / self.objects


@dataclass(frozen=True)
class Row:
    """The medians of the runs of one program at one size; `rate` is objects a second in the copy."""

    side: Side
    objects: int
    runs: int
    seconds: float
    copy: float
    rate: float
    target: float
    source: float
    memory: float


@dataclass(frozen=True)
class Goal:
    """What was wanted, what was found, and whether that is enough."""

    wanted: str
    found: str
    met: bool

    def __str__(self) -> str:
        return f"{'met' if self.met else 'MISSED'}: {self.wanted}: {self.found}"


def order(number: int) -> tuple[Side, ...]:
    """Who runs when in this round (from 1): ours and the peer take turns; the bare client repeats what ours wrote."""
    first = (OURS, PEER) if number % 2 else (PEER, OURS)
    return (*first, BARE, LATER)


def rows(runs: Iterable[Run]) -> list[Row]:
    """A row for each program and size, sizes first."""
    grouped: dict[tuple[int, int], list[Run]] = {}
    for run in runs:
        grouped.setdefault((run.objects, SIDES.index(run.side)), []).append(run)
    return [_row(found) for _, found in sorted(grouped.items())]


def _row(runs: Sequence[Run]) -> Row:
    return Row(
        runs[0].side,
        runs[0].objects,
        len(runs),
        median(run.seconds for run in runs),
        median(run.copy for run in runs),
        median(run.objects / run.copy for run in runs),
        median(run.per_object("target") for run in runs),
        median(run.per_object("source") for run in runs),
        median(run.memory for run in runs),
    )


def find(table: Iterable[Row], side: Side, objects: int) -> Row | None:
    """The row of a program at a size."""
    return next((row for row in table if (row.side, row.objects) == (side, objects)), None)


def sizes(table: Iterable[Row]) -> list[int]:
    """All sizes, small ones first."""
    return sorted({row.objects for row in table})


def faster(table: Sequence[Row], objects: int) -> float | None:
    """How many times as fast as the peer ours is."""
    ours, peer = find(table, OURS, objects), find(table, PEER, objects)
    return peer.seconds / ours.seconds if ours and peer else None


def of_bare(table: Sequence[Row], objects: int) -> tuple[float, float] | None:
    """Ours as a part of the bare client: objects a second when that sends the same writes, and when only creates."""
    ours, bare = find(table, OURS, objects), find(table, BARE, objects)
    return (ours.rate / (objects / bare.seconds), ours.rate / bare.rate) if ours and bare else None


def goals(table: Sequence[Row]) -> list[Goal]:
    """Each goal at each size that it is about."""
    found: list[Goal] = []
    for objects in sizes(table):
        found += _against_peer(table, objects)
        found += _against_bare(table, objects)
        if (ours := find(table, OURS, objects)) is not None:
            met = ours.memory <= MEMORY
            wanted = f"{objects:,} objects: at most {MEMORY // MIB:,} MiB of memory"
            found.append(Goal(wanted, f"{ours.memory / MIB:,.0f} MiB", met))
    return [*found, *_growth(table)]


def _against_peer(table: Sequence[Row], objects: int) -> list[Goal]:
    found = []
    ours, ratio = find(table, OURS, objects), faster(table, objects)
    if ratio is not None and objects >= FROM_OBJECTS:
        wanted = f"{objects:,} objects: at least {FASTER:.0f} times as fast as clusterctl move"
        found.append(Goal(wanted, f"{ratio:.1f} times", ratio >= FASTER))
    if ours is not None and objects >= FROM_OBJECTS:
        wanted = f"{objects:,} objects: at most {REQUESTS:.0f} requests to the target an object"
        found.append(Goal(wanted, f"{ours.target:.2f}", ours.target <= REQUESTS))
    return found


def _against_bare(table: Sequence[Row], objects: int) -> list[Goal]:
    parts = of_bare(table, objects)
    if parts is None or objects < FROM_OBJECTS:
        return []
    wanted = f"{objects:,} objects: at least {OF_BARE:.0%} of the bare client's objects a second"
    return [Goal(wanted, f"{parts[0]:.0%} of the same writes, {parts[1]:.0%} of creates alone", parts[0] >= OF_BARE)]


def _growth(table: Sequence[Row]) -> list[Goal]:
    """Whether an object takes at the largest size what it takes at the one before, from FROM_OBJECTS on."""
    ours = [row for row in table if row.side == OURS and row.objects >= FROM_OBJECTS]
    if len(ours) < 2:
        return []
    before, last = (1000 * row.seconds / row.objects for row in ours[-2:])
    wanted = f"from {ours[-2].objects:,} to {ours[-1].objects:,} objects: time grows in proportion"
    return [Goal(wanted, f"{before:.2f} ms an object, then {last:.2f} ms", last <= before * GROWTH)]


def document(runs: Sequence[Run]) -> dict[str, Any]:
    """Everything, for programs; seconds and bytes."""
    table = rows(runs)
    return {
        "runs": [asdict(run) for run in runs],
        "rows": [asdict(row) for row in table],
        "goals": [asdict(goal) for goal in goals(table)],
    }


def as_json(runs: Sequence[Run]) -> str:
    """The document as text."""
    return json.dumps(document(runs), indent=2, sort_keys=True) + "\n"


def as_text(runs: Sequence[Run]) -> str:
    """Everything, for people."""
    table = rows(runs)
    head = f"{'objects':>8} {'':28} {'runs':>4} {'seconds':>9} {'copy/s':>8} {'target':>7} {'source':>7} {'MiB':>6}"
    return "\n".join([head, *map(_line, table), "", *map(str, goals(table))]) + "\n"


def _line(row: Row) -> str:
    memory = f"{row.memory / MIB:6.0f}" if row.memory else f"{'':6}"
    numbers = f"{row.seconds:9.2f} {row.rate:8.0f} {row.target:7.2f} {row.source:7.2f} {memory}"
    return f"{row.objects:8,} {row.side:28} {row.runs:4} {numbers}"


def as_markdown(runs: Sequence[Run]) -> str:
    """The table of all rows and the goals."""
    table = rows(runs)
    head = ["objects", "program", "runs", "seconds", "objects/s in the copy", "requests to target, source", "MiB"]
    lines = [head, ["---:", "---", "---:", "---:", "---:", "---:", "---:"], *map(_cells, table)]
    body = [f"| {' | '.join(cells)} |" for cells in lines]
    return "\n".join([*body, "", *(f"* {goal}" for goal in goals(table))]) + "\n"


def _cells(row: Row) -> list[str]:
    memory = f"{row.memory / MIB:,.0f}" if row.memory else "–"
    requests = f"{row.target:.2f}, {row.source:.2f}"
    return [f"{row.objects:,}", row.side, str(row.runs), f"{row.seconds:.2f}", f"{row.rate:,.0f}", requests, memory]
