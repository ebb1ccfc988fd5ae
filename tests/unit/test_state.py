"""The state folder: private, atomic, one run at a time, and a journal that outlives a kill."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from bootstrapper.adapters import state
from bootstrapper.adapters.state import State
from bootstrapper.errors import AnotherRun, MachineError, NotEnough, Refused
from bootstrapper.step import Event

if TYPE_CHECKING:
    from pathlib import Path

HOLDER = """
import sys
from bootstrapper.adapters.state import State
sys.argv = ["bootstrapper", "init", "-f", "mgmt.yaml"]
with State("mgmt").lock():
    print("locked", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path


def an_event(text: str) -> Event:
    return Event("bootstrap-cluster", "the bootstrap cluster runs", "waiting", text, 1.0)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# files


def test_a_kept_file_is_private() -> None:
    mgmt = State("mgmt")
    mgmt.write("kubeconfig", "secret")
    assert mgmt.read("kubeconfig") == "secret"
    assert mode(mgmt.kubeconfig_path) == 0o600
    assert mode(mgmt.folder) == 0o700
    assert state.names() == ["mgmt"]


def test_a_write_that_fails_leaves_the_old_content_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    mgmt = State("mgmt")
    mgmt.write("kubeconfig", "old")

    def power_cut(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", power_cut)
    with pytest.raises(KeyboardInterrupt):
        mgmt.write("kubeconfig", "new")
    assert mgmt.read("kubeconfig") == "old"
    assert [p.name for p in mgmt.folder.iterdir()] == ["kubeconfig"]


@pytest.mark.parametrize(
    ("code", "error", "why"),
    [
        (errno.ENOSPC, NotEnough, "No space left on device"),
        (errno.EACCES, Refused, "Permission denied"),
        (errno.EROFS, Refused, "Read-only file system"),
        (errno.EIO, MachineError, "Input/output error"),
    ],
)
def test_what_the_system_refuses_is_told_in_our_words(
    code: int, error: type[MachineError], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mgmt = State("mgmt")

    def refuse(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", refuse)

    def keep() -> None:
        mgmt.write("request.yaml", "x")

    def note() -> None:
        mgmt.note(an_event("x"))

    for act in (keep, note):
        with pytest.raises(error) as caught:
            act()
        assert type(caught.value) is error
        assert caught.value.what == f"the state folder {mgmt.folder} can't be written"
        assert caught.value.why == why
        assert caught.value.hint


def test_what_was_never_kept_is_absent() -> None:
    assert State("mgmt").read("kubeconfig") is None
    assert State("mgmt").history() == ([], [])
    assert state.names() == []


def test_a_forgotten_cluster_leaves_nothing() -> None:
    mgmt = State("mgmt")
    mgmt.note(an_event("x"))
    mgmt.forget()
    mgmt.forget()
    assert state.names() == []


# journal


def test_the_journal_grows_and_is_private() -> None:
    mgmt = State("mgmt")
    for text in ("one", "two\nlines \u2028 Grüße"):
        mgmt.note(an_event(text))
    entries, damaged = State("mgmt").history()
    assert [e.text for e in entries] == ["one", "two\nlines \u2028 Grüße"]
    assert damaged == []
    assert mode(mgmt.journal_path) == 0o600


@pytest.mark.parametrize(
    "cut",
    [
        pytest.param(b'{"at": "2026-01-02T03', id="in the middle of an entry"),
        pytest.param('{"text": "Grü'.encode()[:-1], id="in the middle of a character"),
        pytest.param(b"\x00" * 20, id="zeros"),
    ],
)
def test_a_half_written_line_spoils_no_other(cut: bytes) -> None:
    mgmt = State("mgmt")
    mgmt.note(an_event("before"))
    with mgmt.journal_path.open("ab") as file:
        file.write(cut)
    State("mgmt").note(an_event("after"))
    entries, damaged = mgmt.history()
    assert [e.text for e in entries] == ["before", "after"]
    assert damaged == [2]


# lock


def holding(script: str = HOLDER) -> subprocess.Popen[str]:
    """Another run, once it has the lock."""
    child = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "locked\n"
    return child


def test_a_second_run_is_refused_and_names_the_first() -> None:
    with holding() as first:
        with pytest.raises(AnotherRun) as caught, State("mgmt").lock():
            pass
        first.communicate()
    assert caught.value.what == "management cluster mgmt is busy"
    assert caught.value.why.startswith(f"process {first.pid} (bootstrapper init -f mgmt.yaml) has worked on it since 2")


def test_a_killed_run_gives_the_lock_back() -> None:
    with holding() as first:
        first.kill()
    with State("mgmt").lock():
        assert json.loads(State("mgmt").read("lock") or "")["pid"] == os.getpid()


def test_another_management_cluster_isnt_locked() -> None:
    with State("mgmt").lock(), State("other").lock():
        pass


@pytest.mark.parametrize("signature", ["", "half a sig", "[]", '{"pid": 1}'])
def test_a_holder_that_cant_be_named_still_holds(signature: str) -> None:
    with State("mgmt").lock():
        (State("mgmt").folder / "lock").write_text(signature)
        with pytest.raises(AnotherRun, match="another process holds its lock"), State("mgmt").lock():
            pass


def test_a_lock_on_a_forgotten_folder_isnt_taken_for_the_new_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between our opening of the lock file and our locking it, the run that held it forgot the whole folder."""
    mgmt, flock = State("mgmt"), fcntl.flock

    def forgotten_meanwhile(handle: int, how: int) -> None:
        monkeypatch.setattr(fcntl, "flock", flock)
        mgmt.forget()
        flock(handle, how)

    monkeypatch.setattr(fcntl, "flock", forgotten_meanwhile)
    with mgmt.lock(), pytest.raises(AnotherRun), State("mgmt").lock():
        pass
