"""`bootstrapper init`, its phases read from the events that it prints with --json."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from bootstrapper.errors import StepError
from hack.bench import parts
from hack.bench.parts import Parts
from hack.bench.results import Phase

#: The command of the same virtual environment.
PROGRAM = Path(sys.executable).with_name("bootstrapper")
ENDED = ("closed", "already")


def run(made: Parts, name: str, folder: Path, told: Callable[[Phase], None]) -> list[Phase]:
    """From nothing to a self-managing cluster `name`; state and files go into `folder`.

    Raises:
        StepError: it failed; with what it said.
    """
    environment = {**os.environ, "XDG_STATE_HOME": str(folder)}
    options = ["--json", f"--file={parts.config(name, folder)}", f"--bundle={made.bundle}"]
    errors = folder / "stderr"
    with errors.open("wb") as stderr:
        start = time.monotonic()
        child = subprocess.Popen([PROGRAM, "init", *options], stdout=subprocess.PIPE, stderr=stderr, env=environment)
        with child:
            assert child.stdout is not None
            found = list(phases(_stamped(child.stdout, start, told)))
        end = time.monotonic() - start
    if child.returncode:
        raise StepError(f"bootstrapper init ended with {child.returncode}", errors.read_text(errors="replace")[-500:])
    return whole(found, end)


def phases(events: Iterator[tuple[float, dict[str, object]]]) -> Iterator[Phase]:
    """A phase for each step that ended; `events` as (seconds since the start, event)."""
    for at, event in events:
        if event["kind"] in ENDED:
            yield _phase(at, event)


def whole(found: list[Phase], end: float) -> list[Phase]:
    """The phases, with what the program needs before its first step and after its last one."""
    first = min(phase.begin for phase in found)
    last = max(phase.begin + phase.seconds for phase in found)
    return [Phase("start of the program", 0.0, first), *found, Phase("end of the program", last, end - last)]


def _phase(at: float, event: dict[str, object]) -> Phase:
    took = float(str(event["seconds"]))
    return Phase(str(event["step"]), at - took, took)


def _stamped(
    lines: IO[bytes], start: float, told: Callable[[Phase], None]
) -> Iterator[tuple[float, dict[str, object]]]:
    for line in lines:
        at, event = time.monotonic() - start, json.loads(line)
        if event["kind"] in ENDED:
            told(_phase(at, event))
        yield at, event
