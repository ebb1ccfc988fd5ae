"""Child processes: one place that starts them, so that none outlives us and none shows a secret."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bootstrapper.errors import MachineError


@dataclass(frozen=True)
class Output:
    """What a command left: exit code, stdout and stderr as text."""

    code: int
    out: str
    err: str


def run(
    command: Sequence[str], *, stdin: Iterable[bytes] | None = None, env: Mapping[str, str] | None = None
) -> Output:
    """Run `command` to its end and return what it printed; its exit code is the caller's business.

    The child dies with us (Linux: `setpriv --pdeathsig`), so that a killed run leaves no `kind` behind that goes on
    building while the next run looks at the half-built thing.

    Raises:
        MachineError: the program doesn't exist.
    """
    guard = shutil.which("setpriv")
    full = [guard, "--pdeathsig", "KILL", *command] if guard else list(command)
    if shutil.which(command[0]) is None:
        raise MachineError(
            f"{command[0]} can't be started", "there is no such program on the PATH", f"Install {command[0]}."
        )
    if stdin is None:
        done = subprocess.run(full, stdin=subprocess.DEVNULL, capture_output=True, env=env, check=False)
        return Output(done.returncode, _text(done.stdout), _text(done.stderr))
    return _feed(full, stdin, env)


def _feed(command: Sequence[str], stdin: Iterable[bytes], env: Mapping[str, str] | None) -> Output:
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            for chunk in stdin:
                child.stdin.write(chunk)
            child.stdin.close()
        except BrokenPipeError:
            pass  # the command ended early; its exit code and words say why
        printed = _text(child.stdout.read())
        code = child.wait()
    return Output(code, printed, printed)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
