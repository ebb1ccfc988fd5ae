"""What a recipe works with: its folders, the results of the parts it needs, commands with a log, words for
the operator."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from bootstrapper.adapters.layout import Layout
from bootstrapper.adapters.layout_writer import LayoutWriter
from bootstrapper.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

TAIL = 15

#: Every command that runs now, in any thread; and whether none may be started any more.
_commands: set[subprocess.Popen[bytes]] = set()
_stopping = threading.Event()
_starting = threading.Lock()


class Work:
    """One attempt to make one part.

    out      empty folder that becomes the part
    scratch  empty folder that is thrown away afterwards
    cache    folder that stays, shared by all parts: downloads
    log      file that gets what the commands print
    layout   writer for artifacts (images, binaries, components) in `out`
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        *,
        cache: Path,
        log: Path,
        needs: Mapping[str, Path],
        platform: str,
        tell: Callable[[str], None],
    ) -> None:
        self.name = name
        self.out = folder / "out"
        self.scratch = folder / "scratch"
        self.cache = cache
        self.log = log
        self.platform = platform
        self.layout = LayoutWriter(self.out, platform)
        self._needs = dict(needs)
        self._tell = tell
        for path in (self.out, self.scratch, cache, log.parent):
            path.mkdir(parents=True, exist_ok=True)
        log.write_text("")

    def need(self, name: str) -> Path:
        """The folder of a part that is named in `needs`. To be read only."""
        return self._needs[name]

    def layout_of(self, name: str) -> Layout:
        """The artifacts of a part that is named in `needs`."""
        return Layout.open(self.need(name))

    def say(self, text: str) -> None:
        """What is being done now, for the progress line: `installing 212 packages`."""
        self._tell(text)

    def run(
        self,
        *argv: str | Path,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        stdin: Path | None = None,
    ) -> bytes:
        """Runs a command to its end and returns its standard output; stderr goes to the log.

        The command dies with this program, whatever ends it. MachineError with the last lines of the log
        when it fails or isn't installed."""
        words = [str(a) for a in argv]
        with self.log.open("ab") as log, (stdin or Path(os.devnull)).open("rb") as source:
            log.write(f"$ {shlex.join(words)}\n".encode())
            log.flush()
            code, output = self._finish(words, cwd, {**os.environ, **(env or {})}, source, log)
            log.write(output[-4096:])
        if code:
            raise self._failed(words, code)
        return output

    def _finish(
        self, words: list[str], cwd: Path | None, env: dict[str, str], source: BinaryIO, log: BinaryIO
    ) -> tuple[int, bytes]:
        argv = [*_die_with_us(), *words]
        with _starting:  # so that `stop_all` sees every command that was started, and none is started after it
            if _stopping.is_set():
                raise MachineError(f"{self.name}: given up", "another part has failed")
            try:
                process = subprocess.Popen(argv, cwd=cwd, env=env, stdin=source, stdout=subprocess.PIPE, stderr=log)
            except OSError as e:
                raise MachineError(f"{self.name}: {words[0]} can't be started", str(e.strerror)) from e
            _commands.add(process)
        try:
            output, _ = process.communicate()
        finally:
            _commands.discard(process)
        return process.returncode, output

    def _failed(self, words: list[str], code: int) -> MachineError:
        lines = self.log.read_text(errors="replace").splitlines()[-TAIL:]
        what = f"{self.name}: `{shlex.join(words)[:200]}` ended with {code}"
        return MachineError(what, "\n  " + "\n  ".join(lines), f"the whole log: {self.log}")


def stop_all() -> None:
    """Ends every command that is running and lets none start: their `run` raises."""
    with _starting:
        _stopping.set()
        for process in list(_commands):
            process.terminate()


def _die_with_us() -> list[str]:
    """util-linux's setpriv asks the kernel to kill the command when its parent dies: a killed builder
    leaves no compiler."""
    found = shutil.which("setpriv")
    return [found, "--pdeathsig", "KILL", "--"] if found else []
