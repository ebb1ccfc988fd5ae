"""What all commands share, and which management cluster is meant."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from bootstrapper.adapters import state as states
from bootstrapper.commands import management, running, workload
from bootstrapper.errors import Declined, RequestError, UnknownCluster
from bootstrapper.settings import Settings
from bootstrapper.step import Event, Step


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("answer", ["y\n", "yes\n"])
def test_somebody_agrees(answer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    running.confirm("Destroy it?", yes=False)


@pytest.mark.parametrize("answer", ["n\n", "\n"])
def test_somebody_declines(answer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    with pytest.raises(Declined, match="nothing was done: you said no"):
        running.confirm("Destroy it?", yes=False)


def test_nobody_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    with pytest.raises(Declined, match="Nobody is there to answer") as raised:
        running.confirm("Destroy it?", yes=False)
    assert "--yes" in raised.value.hint
    running.confirm("Destroy it?", yes=True)


def test_the_question_leaves_stdout_alone(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal("y\n"))
    running.confirm("Destroy it?", yes=False)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("as_json", "printed"), [(False, "two rows\n"), (True, '{"rows": 2}\n')])
def test_a_result_is_text_or_one_document(as_json: bool, printed: str, capsys: pytest.CaptureFixture[str]) -> None:
    running.result(Settings(as_json=as_json), {"rows": 2}, "two rows")
    assert capsys.readouterr().out == printed


def test_a_run_notes_each_event_before_it_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    done: list[str] = []
    step = Step("one", "one stands", lambda: None if done else "it doesn't", lambda: done.append("x"))
    noted: list[Event] = []
    running.run(Settings(as_json=True), [step], noted.append)
    assert [event.kind for event in noted] == ["closing", "closed"]
    assert [json.loads(line)["kind"] for line in capsys.readouterr().out.splitlines()] == ["closing", "closed"]


def test_an_interrupt_says_what_stands_and_how_to_go_on(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sys, "argv", ["/somewhere/bootstrapper", "init", "-f", "a.yaml"])
    steps = [Step("a", "a stands", lambda: None, lambda: None), Step("b", "b stands", lambda: "it doesn't", interrupt)]
    with pytest.raises(KeyboardInterrupt):
        running.run(Settings(), steps)
    told = capsys.readouterr().err
    assert "under way: b stands: it doesn't" in told
    assert "To go on from here: bootstrapper init -f a.yaml" in told


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path


def known(*names: str) -> None:
    for name in names:
        states.State(name).write("kubeconfig", f"kubeconfig of {name}")


@pytest.mark.usefixtures("folder")
def test_the_only_management_cluster_needs_no_name() -> None:
    known("mgmt")
    states.State("destroyed").write("claim", "destroyed")
    assert management.only() == "mgmt"


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("names", "why", "hint"),
    [
        ((), "there is none here", "Make one: bootstrapper init"),
        (("a", "b"), "there are a, b", "Name it."),
    ],
)
def test_a_management_cluster_that_can_not_be_told(names: tuple[str, ...], why: str, hint: str) -> None:
    known(*names)
    with pytest.raises(UnknownCluster) as raised:
        management.only()
    assert (raised.value.why, raised.value.hint) == (why, hint)


@pytest.mark.usefixtures("folder")
def test_a_kept_kubeconfig_is_printed_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    known("mgmt")
    management.kubeconfig(Settings(), "mgmt")
    assert capsys.readouterr().out == "kubeconfig of mgmt"


@pytest.mark.parametrize(
    ("planes", "says"),
    [(None, "nothing to scale"), (2, "etcd needs an odd number"), (0, "etcd needs an odd number")],
)
def test_a_scaling_that_makes_no_sense_is_refused_before_anything_is_asked(planes: int | None, says: str) -> None:
    with pytest.raises(RequestError, match=says):
        workload.scale(Settings(), None, "default", "dev", control_plane=planes, workers=None, pool=None)
