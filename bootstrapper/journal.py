"""What we did and when: one JSON object a line, append-only. Evidence for people, never truth for the program.

No step is skipped because of what stands here;
a missing, damaged or half-written journal changes nothing but the story.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from bootstrapper.redact import redact
from bootstrapper.step import Event


@dataclass(frozen=True)
class Entry:
    """One line. `at` is UTC in RFC 3339; `run` tells runs apart; the rest is the step's event."""

    at: str
    run: str
    step: str
    kind: str
    text: str
    seconds: float


def entry(at: str, run: str, event: Event) -> Entry:
    """The journal's form of an event, secrets taken out."""
    return Entry(at, run, event.step, event.kind, redact(event.text), round(event.seconds, 2))


def encode(item: Entry) -> str:
    """One line with its newline."""
    return json.dumps(asdict(item), ensure_ascii=False, sort_keys=True) + "\n"


def decode(lines: Iterable[str]) -> tuple[list[Entry], list[int]]:
    """The entries, and the numbers (from 1) of lines that aren't any: a kill can leave half a line."""
    entries: list[Entry] = []
    damaged: list[int] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            entries.append(Entry(**json.loads(line)))
        except (ValueError, TypeError):
            damaged.append(number)
    return entries, damaged
