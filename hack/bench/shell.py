"""Commands, run one after another and timed."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bootstrapper.errors import StepError
from hack.bench.results import Phase

#: How often a command that fails is typed again, and the seconds that the operator takes to see that it failed. A
#: webhook can refuse for a moment although its Deployment is Available: kube-proxy comes later.
TRIES = 5
PAUSE = 1.0


@dataclass(frozen=True)
class Command:
    """One line that the operator types: what for, the words, and the file that stdout goes to, if any."""

    purpose: str
    words: tuple[str, ...]
    into: Path | None = None


def run_all(commands: Sequence[Command], environment: Mapping[str, str], told: Callable[[Phase], None]) -> list[Phase]:
    """Each command as soon as the one before it came back; `told` hears of each when it ended.

    Raises:
        StepError: a command failed `TRIES` times.
    """
    start = time.monotonic()
    phases = []
    for command in commands:
        began = time.monotonic()
        _until_it_works(command, environment)
        phases.append(Phase(command.purpose, began - start, time.monotonic() - began))
        told(phases[-1])
    return phases


def _until_it_works(command: Command, environment: Mapping[str, str]) -> None:
    for left in reversed(range(TRIES)):
        done = subprocess.run(command.words, capture_output=True, env=environment, check=False)
        if done.returncode == 0:
            if command.into:
                command.into.write_bytes(done.stdout)
            return
        if left:
            time.sleep(PAUSE)
    words = " ".join([Path(command.words[0]).name, *command.words[1:]])
    raise StepError(f"by hand: {words}", done.stderr.decode("utf-8", "replace").strip()[-500:])
