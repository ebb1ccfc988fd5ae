"""What the operator sees on stderr while parts are made: what, why, since when, how long still."""

from __future__ import annotations

import sys
import threading
import time
from typing import TextIO

#: Seconds between two status lines: a terminal's is rewritten, a pipe gets a new one.
TERMINAL_EVERY = 1.0
PIPE_EVERY = 30.0


class Progress:
    """Lines and one status line. Safe to use from several threads."""

    def __init__(self, stream: TextIO = sys.stderr) -> None:
        self.stream = stream
        self.terminal = stream.isatty()
        self.every = TERMINAL_EVERY if self.terminal else PIPE_EVERY
        self._began = time.monotonic()
        self._status_at = self._began
        self._lock = threading.Lock()

    def line(self, text: str) -> None:
        """A line that stays."""
        with self._lock:
            clear = "\r\x1b[K" if self.terminal else ""
            self.stream.write(f"{clear}[{clock(time.monotonic() - self._began)}] {text}\n")
            self.stream.flush()

    def status(self, text: str) -> None:
        """How things stand; shown when the last one is old enough."""
        now = time.monotonic()
        with self._lock:
            if now - self._status_at < self.every:
                return
            self._status_at = now
            line = f"[{clock(now - self._began)}] {text}"
            self.stream.write(f"\r\x1b[K{line[:110]}" if self.terminal else f"{line}\n")
            self.stream.flush()


def clock(seconds: float) -> str:
    """`8:05`, minutes and seconds."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02}"


def about(seconds: float) -> str:
    """A duration as one says it: `40 s`, `3 min`, `1 h 10 min`."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
