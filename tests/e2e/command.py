"""The command as an operator has it: a process with arguments, an environment, words and an exit code."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

BOOTSTRAPPER = Path(sys.executable).with_name("bootstrapper")
#: Seconds after which a command that doesn't end is a failure of the test, whatever it waits for.
PATIENCE = 900.0

#: One line of `--json`: step, title, kind, text, seconds.
Event = dict[str, Any]


def _event(line: str) -> Event:
    return dict(json.loads(line))


@dataclass(frozen=True)
class Done:
    """A command that ended."""

    command: str
    code: int
    out: str
    err: str

    def __str__(self) -> str:
        return (
            f"\n$ {self.command}\nexit code {self.code}\n-- stdout (its end)\n{self.out[-3000:]}\n-- stderr\n{self.err}"
        )

    def must(self, code: int = 0) -> Done:
        """Itself, when it ended with this code."""
        assert self.code == code, f"exit code {code} was expected{self}"
        return self

    def document(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)

    def events(self) -> list[Event]:
        """The JSON lines on stdout."""
        return [_event(line) for line in self.out.splitlines()]

    def says(self, *words: str) -> Done:
        """Itself, when each of the words stands on stderr and nothing there is a traceback."""
        assert "Traceback" not in self.err, f"a traceback{self}"
        for word in words:
            assert word in self.err, f"{word!r} isn't said{self}"
        return self


class Running:
    """A command under way with `--json`: its events as they come."""

    def __init__(self, args: Sequence[str], env: Mapping[str, str], scratch: Path) -> None:
        self._command = " ".join(["bootstrapper", *args])
        self._err = scratch / "stderr"
        self._lines: list[str] = []
        self._ended = False
        self._news = threading.Condition()
        with self._err.open("wb") as err:
            self._process = subprocess.Popen(
                # As from a terminal: tests that run in the background of a script inherit a Ctrl-C that is ignored.
                ["env", "--default-signal=INT", BOOTSTRAPPER, *args],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=err,
                env=env,
                text=True,
                start_new_session=True,
            )
        self.pid = self._process.pid
        assert self._process.stdout is not None
        self._reader = threading.Thread(target=self._read, args=(self._process.stdout,), daemon=True)
        self._reader.start()

    def _read(self, out: IO[str]) -> None:
        with out:
            for line in out:
                with self._news:
                    self._lines.append(line)
                    self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()

    def wait_for(self, sought: Callable[[Event], bool], seconds: float = PATIENCE) -> Event | None:
        """The first event of the run that is sought; None when it ended without."""
        until = time.monotonic() + seconds
        seen = 0
        while time.monotonic() < until:
            lines, ended = self._after(seen, until)
            seen += len(lines)
            for event in map(_event, lines):
                if sought(event):
                    return event
            if ended:
                return None
        self.kill()
        raise AssertionError(f"what was waited for didn't come in {seconds:.0f} s{self.finish()}")

    def _after(self, seen: int, until: float) -> tuple[list[str], bool]:
        """The lines that came after so many, as soon as there are some, and whether they are the last."""
        with self._news:
            self._news.wait_for(lambda: self._ended or len(self._lines) > seen, until - time.monotonic())
            return self._lines[seen:], self._ended

    def ends_within(self, seconds: float) -> bool:
        """Whether it ends by itself within that time."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        return self._process.poll() is not None

    def kill(self) -> None:
        """As a power cut does it to this process alone."""
        self._process.kill()

    def interrupt(self) -> None:
        """As Ctrl-C in a terminal does it: to the whole group."""
        os.killpg(self.pid, signal.SIGINT)

    def finish(self, seconds: float = PATIENCE) -> Done:
        """Wait for its end."""
        if not self.ends_within(seconds):
            self.kill()
            self._process.wait()
            self._reader.join()
            raise AssertionError(f"it didn't end within {seconds:.0f} s{self._done()}")
        self._reader.join()
        return self._done()

    def _done(self) -> Done:
        err = self._err.read_text(encoding="utf-8", errors="replace")
        return Done(self._command, self._process.returncode, "".join(self._lines), err)


def run(args: Sequence[str], env: Mapping[str, str], before: Sequence[str | Path] = ()) -> Done:
    """The command from its start to its end. `before`: a program that starts it."""
    argv = [*before, BOOTSTRAPPER, *args]
    done = subprocess.run(
        argv, stdin=subprocess.DEVNULL, capture_output=True, env=env, text=True, check=False, timeout=PATIENCE
    )
    return Done(" ".join(["bootstrapper", *args]), done.returncode, done.stdout, done.stderr)
