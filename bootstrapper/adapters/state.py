"""The state folder: one folder a management cluster, one run at a time.

It holds the journal (evidence), kubeconfigs (secrets, mode 0600), a copy of the request, and the lock. Everything in it
but the kubeconfig of a finished cluster can be lost without harm: no decision rests on it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import getpass
import json
import os
import platform
import secrets
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from bootstrapper import journal
from bootstrapper.errors import AnotherRun, MachineError, NotEnough, Refused
from bootstrapper.step import Event

#: The folder of the pivots that no `init` made, one below it for each source; no management cluster can be called so.
PIVOTS = ".pivots"


def root() -> Path:
    """The folder of all management clusters: `$XDG_STATE_HOME/bootstrapper` or the platform's equivalent."""
    import platformdirs

    return Path(platformdirs.user_state_path("bootstrapper"))


def names() -> list[str]:
    """The management clusters that have a state folder here, sorted."""
    top = root()
    return sorted(p.name for p in top.iterdir() if p.is_dir() and p.name != PIVOTS) if top.is_dir() else []


def write_private(path: Path, text: str) -> None:
    """Write a file of mode 0600 so that a reader sees the old or the new content, never half of one.

    Raises:
        MachineError: the system refuses (NotEnough: the disk is full, Refused: no permission).
    """
    with _ours(path.parent):
        _write_private(path, text)


def _write_private(path: Path, text: str) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


@contextlib.contextmanager
def _ours(folder: Path) -> Iterator[None]:
    """Turn what the system raises while it writes into ours."""
    try:
        yield
    except OSError as error:
        what, why = f"the state folder {folder} can't be written", error.strerror or str(error)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise NotEnough(what, why, f"Free some space there ('df {folder}'), then run this again.") from None
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise Refused(what, why, "Make it writable, or set XDG_STATE_HOME to a folder that is.") from None
        raise MachineError(what, why, "Set XDG_STATE_HOME to another folder.") from None


class State:
    """The state folder of one management cluster, or of something else that is `called` otherwise in messages."""

    def __init__(self, name: str, called: str = "") -> None:
        self.folder = root() / name
        self._called = called or f"management cluster {name}"
        self._run = secrets.token_hex(4)

    @property
    def kubeconfig_path(self) -> Path:
        """Where the management cluster's kubeconfig is kept."""
        return self.folder / "kubeconfig"

    @property
    def journal_path(self) -> Path:
        """Where the journal is kept."""
        return self.folder / "journal.jsonl"

    def read(self, file: str) -> str | None:
        """The text of a file in the folder, None when it isn't there."""
        try:
            return (self.folder / file).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None

    def write(self, file: str, text: str) -> None:
        """Keep `text` under `file`, mode 0600, atomically."""
        write_private(self.folder / file, text)

    def forget(self) -> None:
        """Remove the folder: the cluster is gone and nothing of it is left."""
        import shutil

        shutil.rmtree(self.folder, ignore_errors=True)

    def note(self, event: Event) -> None:
        """Append an event to the journal; on the disk before this returns.

        A half-written last line, as a kill can leave it, is closed first so that it spoils no other.
        """
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = journal.encode(journal.entry(at, self._run, event)).encode()
        with _ours(self.folder):
            self._append(line)

    def _append(self, line: bytes) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(self.journal_path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            size = os.fstat(handle).st_size
            if size and os.pread(handle, 1, size - 1) != b"\n":
                line = b"\n" + line
            os.write(handle, line)
            os.fsync(handle)
        finally:
            os.close(handle)

    def holder(self) -> str:
        """Who claims a source for a pivot, the same for every run that this folder's lock lets through."""
        mark = self.read("holder")
        if mark is None:
            mark = secrets.token_hex(4)
            self.write("holder", mark)
        return f"{getpass.getuser()}@{platform.node()} ({mark})"

    def history(self) -> tuple[list[journal.Entry], list[int]]:
        """The journal's entries and the numbers of its damaged lines."""
        try:
            data = self.journal_path.read_bytes()
        except FileNotFoundError:
            return [], []
        # Only our own newline ends a line, and a kill can cut a character in two.
        return journal.decode(data.decode("utf-8", "replace").split("\n"))

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the folder for one run; the system gives it back when we die, however we die.

        Raises:
            AnotherRun: another run holds it; names its process, command and start.
        """
        handle = self._take()
        try:
            with _ours(self.folder):
                os.ftruncate(handle, 0)
                os.pwrite(handle, self._signature().encode(), 0)
            yield
        finally:
            os.close(handle)

    def _take(self) -> int:
        """The lock file, opened and locked."""
        with _ours(self.folder):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if self._stands(handle):
                return handle
        except BlockingIOError:
            holder = os.pread(handle, 4096, 0)
            os.close(handle)
            raise self._held(holder) from None
        os.close(handle)
        return self._take()

    def _stands(self, handle: int) -> bool:
        """Whether the file is still the one by that name: a run that forgot the folder took its lock file along."""
        try:
            return os.path.samestat(os.fstat(handle), os.stat(self.folder / "lock"))
        except FileNotFoundError:
            return False

    def _signature(self) -> str:
        command = " ".join(["bootstrapper", *sys.argv[1:]])
        return json.dumps(
            {"pid": os.getpid(), "command": command, "since": datetime.now(UTC).isoformat(timespec="seconds")}
        )

    def _held(self, signature: bytes) -> AnotherRun:
        try:
            first = json.loads(signature)
            who = f"process {first['pid']} ({first['command']}) has worked on it since {first['since']}"
        except (ValueError, KeyError, TypeError):
            who = "another process holds its lock"
        return AnotherRun(
            f"{self._called} is busy",
            who,
            "Let it finish or stop it with Ctrl-C; then run this again.",
        )
