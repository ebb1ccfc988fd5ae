"""What the operator sees while a run goes on: one line a closed step, and what each open step waits for.

Three ways of the same events: live on a terminal (parallel tracks below each other), plain lines in a pipe, JSON lines
for programs. Events come from several threads. Nothing here decides anything.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, TextIO

from bootstrapper.redact import redact

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from rich.console import Console, RenderableType
    from rich.live import Live

    from bootstrapper.errors import BootstrapperError
    from bootstrapper.step import Event
    from pivot.errors import PivotError

#: A pipe hears of an open step at least this often, in seconds.
REMIND_EVERY = 30.0
#: Times a second that a terminal is drawn anew, and times that a pipe's reminder is thought of.
FRAMES = 4
TICK = 1.0


@dataclass(frozen=True)
class Open:
    """A step that isn't closed: what it waits for, its first look, the last change and the last line about it.

    Times are those of the progress's own clock.
    """

    title: str
    text: str
    start: float
    changed: float
    told: float


class Progress:
    """Keeps what the events said; how it looks is the subclasses' business. A context manager."""

    def __init__(self, err: TextIO, now: Callable[[], float] = time.monotonic) -> None:
        self._err = err
        self._now = now
        self._lock = threading.Lock()
        # Replaced, never changed: the thread that draws reads it without the lock.
        self.open: dict[str, Open] = {}
        self.closed: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def report(self, event: Event) -> None:
        """Take an event from any thread."""
        event = replace(event, text=redact(event.text))
        with self._lock:
            now = self._now()
            before = self.open.get(event.step)
            if event.kind in ("closing", "waiting"):
                changed = before.changed if before and before.text == event.text else now
                row = Open(event.title, event.text, now - event.seconds, changed, now)
                self.open = {**self.open, event.step: row}
            else:
                self.open = {name: row for name, row in self.open.items() if name != event.step}
                if event.kind != "failed":
                    self.closed.append(event.title)
            self._show(event)

    def interrupted(self, command: str) -> None:
        """After Ctrl-C: what stands, what was under way, and how to go on."""
        self._line(interrupted_text(self.closed, list(self.open.values()), command))

    def _show(self, event: Event) -> None:
        raise NotImplementedError

    def _line(self, text: str) -> None:
        self._err.write(text + "\n")
        self._err.flush()


class Lines(Progress):
    """For a pipe: a line a change, and one for each open step at least every `REMIND_EVERY` seconds."""

    def __init__(self, err: TextIO, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__(err, now)
        self._ended = threading.Event()
        self._ticker = threading.Thread(target=self._tick, name="reminder", daemon=True)

    def __enter__(self) -> Self:
        self._ticker.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._ticker.join()

    def remind(self) -> None:
        """Repeat what was last said about a step when nobody heard of it for long."""
        with self._lock:
            now = self._now()
            for name, row in self.open.items():
                if now - row.told >= REMIND_EVERY:
                    since = f" (no change for {now - row.changed:.0f} s)"
                    self._line(line("waiting", now - row.start, row.title, row.text + since))
                    self.open = {**self.open, name: replace(row, told=now)}

    def _tick(self) -> None:
        while not self._ended.wait(TICK):
            self.remind()

    def _show(self, event: Event) -> None:
        self._line(line(event.kind, event.seconds, event.title, event.text))


class JsonLines(Progress):
    """For programs: each event is one JSON object on stdout, and nothing else is."""

    def __init__(self, out: TextIO, err: TextIO, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__(err, now)
        self._out = out

    def _show(self, event: Event) -> None:
        fields = {**asdict(event), "seconds": round(event.seconds, 2)}
        self._out.write(json.dumps(fields, ensure_ascii=False, sort_keys=True) + "\n")
        self._out.flush()


class Screen(Progress):
    """For a terminal: closed steps stay as lines, open ones are drawn anew below them."""

    def __init__(
        self,
        err: TextIO,
        now: Callable[[], float] = time.monotonic,
        *,
        no_color: bool = False,
        verbose: bool = False,
    ) -> None:
        super().__init__(err, now)
        self._no_color = no_color
        self._verbose = verbose
        self._live: Live | None = None

    def __enter__(self) -> Self:
        from rich.live import Live

        self._live = Live(get_renderable=self._rows, console=self._console(), refresh_per_second=FRAMES, transient=True)
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()
            self._live = None

    def _line(self, text: str) -> None:
        self.__exit__(None, None, None)  # what is drawn would be drawn over it
        super()._line(text)

    def _console(self) -> Console:
        from rich.console import Console

        # None: the environment decides (NO_COLOR, no-color.org).
        return Console(file=self._err, no_color=self._no_color or None, highlight=False)

    def _show(self, event: Event) -> None:
        from rich.text import Text

        if event.kind in ("closing", "waiting") and not self._verbose:
            return  # stands in the part that is drawn anew
        style = {"failed": "bold red", "already": "dim"}.get(event.kind, "")
        text = Text(line(event.kind, event.seconds, event.title, event.text), style=style)
        (self._live.console if self._live else self._console()).print(text)

    def _rows(self) -> RenderableType:
        from rich.table import Table
        from rich.text import Text

        grid = Table.grid(padding=(0, 1))
        grid.add_column(justify="right", no_wrap=True)
        grid.add_column(no_wrap=True, overflow="ellipsis")
        now = self._now()
        for row in self.open.values():
            grid.add_row(Text(f"{now - row.start:8.0f} s", style="cyan"), Text(row.title, style="bold"))
            grid.add_row("", Text(f"waits {now - row.changed:.0f} s: {row.text}", style="dim"))
        return grid


def progress(
    *,
    as_json: bool = False,
    no_color: bool = False,
    verbose: bool = False,
    out: TextIO | None = None,
    err: TextIO | None = None,
) -> Progress:
    """The right one for where the output goes."""
    err = err or sys.stderr
    if as_json:
        return JsonLines(out or sys.stdout, err)
    if err.isatty() and os.environ.get("TERM", "") not in ("", "dumb"):
        return Screen(err, no_color=no_color, verbose=verbose)
    return Lines(err)


def line(kind: str, seconds: float, title: str, text: str) -> str:
    """One event as one line: `  waiting    3s  the API server of mgmt answers: no machine yet`."""
    word = {"closed": "done"}.get(kind, kind)
    said = " ".join(text.split())
    return f"  {word:<8}{seconds:>4.0f}s  {title}" + (f": {said}" if said else "")


def failure_text(error: BootstrapperError | PivotError) -> str:
    """An error as `error:`, `why:` and `next:`; what has several lines is indented below its word."""
    parts = (("error:", error.what), ("why:", error.why), ("next:", error.hint))
    lines = []
    for word, text in parts:
        if text.strip():
            indented = redact(text.strip("\n")).replace("\n", "\n       ")
            lines.append(f"{word:<6} {indented}")
    return "\n".join(lines)


def interrupted_text(closed: list[str], open_rows: list[Open], command: str) -> str:
    """What a Ctrl-C leaves: nothing needs to be undone, because a rerun goes on from what it sees."""
    lines = ["", "interrupted; nothing was undone"]
    lines += [f"  stands:    {title}" for title in closed]
    lines += [f"  under way: {row.title}: {row.text}" for row in open_rows]
    lines.append(f"To go on from here: {command}")
    return "\n".join(lines)
