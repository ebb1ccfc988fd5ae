"""A process, timed, with the most memory that it had."""

from __future__ import annotations

import os
import re
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bootstrapper.errors import StepError

#: Seconds between two looks at its memory. The kernel keeps the peak, so only what it gains within the last of them is
#: missed. (What `wait4` tells isn't used: a child's peak begins with that of the process which started it.)
EVERY = 0.1
KIB = 1024


@dataclass(frozen=True)
class Measured:
    """Seconds from its start to its end, and bytes of resident memory at most."""

    seconds: float
    memory: int


def run(command: Sequence[str], environment: Mapping[str, str], log: Path) -> Measured:
    """Run it to its end; what it prints goes to `log`.

    Raises:
        StepError: it failed; with the end of what it printed.
    """
    with log.open("wb") as file:
        begin = time.monotonic()
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, env={**os.environ, **environment}
        )
        try:
            with _Peak(child.pid) as peak:
                code = child.wait()
                seconds = time.monotonic() - begin
        finally:
            child.kill()  # an interrupted benchmark leaves nobody who goes on moving
    if code:
        printed = log.read_text(encoding="utf-8", errors="replace")
        raise StepError(f"{Path(command[0]).name} {command[1]} ended with {code}", printed[-800:])
    return Measured(seconds, peak.bytes)


class _Peak:
    """A context manager; `bytes` is the most that was seen."""

    def __init__(self, pid: int) -> None:
        self.bytes = 0
        self._status = Path(f"/proc/{pid}/status")
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="peak", daemon=True)

    def __enter__(self) -> _Peak:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(EVERY):
            try:
                self.bytes = max(self.bytes, high_water(self._status.read_text(encoding="utf-8")))
            except OSError:  # it has just ended
                return


def high_water(status: str) -> int:
    """The peak of resident memory in bytes, of the text of /proc/PID/status; 0 for a process that is ending."""
    found = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    return int(found[1]) * KIB if found else 0
