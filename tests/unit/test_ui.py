"""What the operator sees: a line a change, a reminder when nothing moves, JSON for programs, and never a secret."""

from __future__ import annotations

import io
import json
import threading
from typing import Literal

import pytest

from bootstrapper import show, ui
from bootstrapper.errors import ConfigError, Stalled
from bootstrapper.redact import PLACE, redact
from bootstrapper.step import Event, Step
from bootstrapper.world import Finding

Kind = Literal["waiting", "closing", "closed", "already", "failed"]


class FakeTime:
    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def event(kind: Kind, text: str = "", seconds: float = 0.0, step: str = "control-plane") -> Event:
    return Event(step, f"the {step} stands", kind, text, seconds)


def lines() -> tuple[ui.Lines, io.StringIO, FakeTime]:
    err, time = io.StringIO(), FakeTime()
    return ui.Lines(err, time), err, time


# in a pipe


@pytest.mark.parametrize(
    ("told", "printed"),
    [
        (event("closing", "no machine yet"), "  closing    0s  the control-plane stands: no machine yet\n"),
        (event("waiting", "1 of 3", 12.4), "  waiting   12s  the control-plane stands: 1 of 3\n"),
        (event("waiting", "two\n  lines"), "  waiting    0s  the control-plane stands: two lines\n"),
        (event("closed", "", 75.2), "  done      75s  the control-plane stands\n"),
        (event("already", "nothing to do"), "  already    0s  the control-plane stands: nothing to do\n"),
        (event("failed", "no disk"), "  failed     0s  the control-plane stands: no disk\n"),
    ],
    ids=lambda value: value.kind if isinstance(value, Event) else "",
)
def test_each_event_is_a_line(told: Event, printed: str) -> None:
    progress, err, _ = lines()
    progress.report(told)
    assert err.getvalue() == printed


def test_a_pipe_hears_of_an_open_step_every_thirty_seconds() -> None:
    progress, err, time = lines()
    progress.report(event("closing", "no machine yet"))
    progress.report(event("closing", "no image yet", step="images"))
    time.time = 10
    progress.report(event("waiting", "1 of 3", 10))
    time.time = 20
    progress.report(event("closed", "", 20, step="images"))
    err.truncate(0)
    err.seek(0)
    for second in range(20, 75):
        time.time = second
        progress.remind()
    assert err.getvalue().splitlines() == [
        "  waiting   40s  the control-plane stands: 1 of 3 (no change for 30 s)",
        "  waiting   70s  the control-plane stands: 1 of 3 (no change for 60 s)",
    ]


def test_the_reminder_runs_by_itself_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    progress, err, time = lines()
    monkeypatch.setattr(ui, "TICK", 0.001)
    reminded = threading.Event()
    monkeypatch.setattr(progress, "_line", lambda text: reminded.set() if "no change" in text else None)
    with progress:
        progress.report(event("closing", "no machine yet"))
        time.time = 31
        assert reminded.wait(10)
    assert "reminder" not in [thread.name for thread in threading.enumerate()]
    assert err.getvalue() == ""


def test_events_of_several_threads_are_taken_one_by_one() -> None:
    err, both_inside = io.StringIO(), threading.Barrier(2)
    together: list[bool] = []

    def now() -> float:
        try:
            both_inside.wait(0.2)
            together.append(True)
        except threading.BrokenBarrierError:
            together.append(False)
        return 0.0

    progress = ui.Lines(err, now)
    told = [event("waiting", "1 of 3", step=name) for name in ("left", "right")]
    threads = [threading.Thread(target=progress.report, args=(each,)) for each in told]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == [False, False]
    assert len(err.getvalue().splitlines()) == 2
    assert set(progress.open) == {"left", "right"}


# for programs


def test_json_lines_on_stdout_and_nothing_else() -> None:
    out, err = io.StringIO(), io.StringIO()
    with ui.progress(as_json=True, out=out, err=err) as progress:
        progress.report(event("closing", "no machine\nyet"))
        progress.report(event("closed", "", 3.14159))
    assert [json.loads(line) for line in out.getvalue().splitlines()] == [
        {
            "step": "control-plane",
            "title": "the control-plane stands",
            "kind": "closing",
            "text": "no machine\nyet",
            "seconds": 0.0,
        },
        {
            "step": "control-plane",
            "title": "the control-plane stands",
            "kind": "closed",
            "text": "",
            "seconds": 3.14,
        },
    ]
    assert err.getvalue() == ""


# on a terminal


def on_terminal(monkeypatch: pytest.MonkeyPatch, *, no_color: bool = False) -> str:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    err = Terminal()
    with ui.progress(err=err, no_color=no_color) as progress:
        assert isinstance(progress, ui.Screen)
        progress.report(event("closing", "no machine yet"))
        progress.report(event("closing", "0 of 9 images", step="images"))
        progress.report(event("closed", "", 3, step="images"))
        progress.report(event("failed", "no disk"))
    return err.getvalue()


def test_a_terminal_shows_parallel_steps_side_by_side_and_keeps_closed_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    shown = on_terminal(monkeypatch)
    assert "  done       3s  the images stands\n" in shown
    assert "\x1b[1;31m  failed     0s  the control-plane stands: no disk" in shown  # bold and red


def test_the_drawn_part_says_what_each_open_step_waits_for_and_since_when(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    time = FakeTime()
    screen = ui.Screen(io.StringIO(), time)
    time.time = 10
    screen.report(event("waiting", "no machine yet", 4))
    screen.report(event("waiting", "0 of 9 images", 2, step="images"))
    time.time = 25
    screen.report(event("waiting", "0 of 9 images", 17, step="images"))
    from rich.console import Console

    out = io.StringIO()
    Console(file=out, width=60).print(screen._rows())
    assert [line.split() for line in out.getvalue().splitlines()] == [
        ["19", "s", "the", "control-plane", "stands"],
        ["waits", "15", "s:", "no", "machine", "yet"],
        ["17", "s", "the", "images", "stands"],
        ["waits", "15", "s:", "0", "of", "9", "images"],
    ]


def test_an_interruption_isnt_drawn_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    err = Terminal()
    with ui.progress(err=err) as progress:
        progress.report(event("closing", "no machine yet"))
        progress.interrupted("bootstrapper init")
    assert err.getvalue().endswith("To go on from here: bootstrapper init\n")


@pytest.mark.parametrize("how", ["option", "environment"])
def test_no_colour_where_none_is_wanted(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    if how == "environment":
        monkeypatch.setenv("NO_COLOR", "1")
    shown = on_terminal(monkeypatch, no_color=how == "option")
    assert "31m" not in shown
    assert "the control-plane stands: no disk" in shown


@pytest.mark.parametrize("term", ["dumb", ""])
def test_a_terminal_that_cant_draw_gets_lines(term: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", term)
    assert isinstance(ui.progress(err=Terminal()), ui.Lines)


# failures and interruptions


@pytest.mark.parametrize(
    ("error", "printed"),
    [
        (
            Stalled("no change for 60 s", "Machine default/a: kubeadm failed", "see 'docker logs a'"),
            "error: no change for 60 s\nwhy:   Machine default/a: kubeadm failed\nnext:  see 'docker logs a'",
        ),
        (Stalled("no change for 60 s"), "error: no change for 60 s"),
        (
            ConfigError("a.yaml:1: 2 findings", "\na.yaml:1: x\na.yaml:2: y", "read the schema"),
            "error: a.yaml:1: 2 findings\nwhy:   a.yaml:1: x\n       a.yaml:2: y\nnext:  read the schema",
        ),
    ],
    ids=["all three", "only what", "several lines"],
)
def test_a_failure_says_what_why_and_what_next(error: Stalled | ConfigError, printed: str) -> None:
    assert ui.failure_text(error) == printed


def test_an_interruption_says_what_stands_and_how_to_go_on() -> None:
    progress, err, _ = lines()
    progress.report(event("closed", step="bootstrap"))
    progress.report(event("already", step="images"))
    progress.report(event("waiting", "1 of 3"))
    err.truncate(0)
    err.seek(0)
    progress.interrupted("bootstrapper init -f mgmt.yaml")
    assert err.getvalue().splitlines() == [
        "",
        "interrupted; nothing was undone",
        "  stands:    the bootstrap stands",
        "  stands:    the images stands",
        "  under way: the control-plane stands: 1 of 3",
        "To go on from here: bootstrapper init -f mgmt.yaml",
    ]


# secrets


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("kubeadm join --token abcdef.0123456789abcdef --x", f"kubeadm join --token {PLACE} --x"),
        ("join with abcdef.0123456789abcdef", f"join with {PLACE}"),
        ("client-key-data: LS0tLS1CRUdJ rest", f"client-key-data: {PLACE} rest"),
        ('{"password": "hunter2", "a": 1}', f'{{"password": "{PLACE}", "a": 1}}'),
        ("Authorization: Bearer abc.def", f"Authorization: Bearer {PLACE}"),
        ("https://me:hunter2@registry.example/v2", f"https://{PLACE}@registry.example/v2"),
        ("eyJhbGciOiJSUzI1.eyJpc3MiOiJrdWJl.c2lnbmF0dXJlMTIz", PLACE),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\nrest", f"{PLACE}\nrest"),
        ("-----BEGIN PRIVATE KEY-----\nMIIE and then it was cut", PLACE),
        ("image images.example/pause:3.10 isn't there", "image images.example/pause:3.10 isn't there"),
        ("https://127.0.0.1:6443/readyz: refused", "https://127.0.0.1:6443/readyz: refused"),
    ],
)
def test_secrets_are_taken_out_and_nothing_else(text: str, shown: str) -> None:
    assert redact(text) == shown


def test_no_secret_reaches_the_operator(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "abcdef.0123456789abcdef"
    monkeypatch.setenv("TERM", "xterm")
    out, err = io.StringIO(), io.StringIO()
    ways = [ui.Lines(err), ui.JsonLines(out, err), ui.Screen(err, verbose=True)]
    for way in ways:
        way.report(event("waiting", f"it says {secret}"))
        way.interrupted("bootstrapper init")
    step = Step("a", "a stands", lambda: None, lambda: None)
    shown = show.plan([(step, f"it says {secret}")]) + show.table(["a"], [[secret]])
    shown += ui.failure_text(Stalled("x", f"it says {secret}", f"type {secret}"))
    shown += show.tree(show.Node("a", text=secret)) + show.findings([Finding("a", secret, "b")])
    assert secret not in out.getvalue() + err.getvalue() + shown
    assert PLACE in out.getvalue()


# results


def test_a_table() -> None:
    rows = [["mgmt", "3/3"], ["a-long-name [bold]", "0/1"]]
    assert show.table(["name", "machines"], rows).splitlines() == [
        "NAME                 MACHINES",
        "mgmt                 3/3",
        "a-long-name [bold]   0/1",
    ]


def test_a_wide_table_isnt_cut() -> None:
    assert "x" * 500 in show.table(["why"], [["x" * 500]])


def test_a_tree_says_what_is_ready_and_why_not() -> None:
    machines = show.Node(
        "machines", False, "1 of 2", (show.Node("mgmt-a", True), show.Node("mgmt-b", False, "no node"))
    )
    assert show.tree(show.Node("mgmt", children=(machines,))).splitlines() == [
        "mgmt",
        "└── machines  waits  1 of 2",
        "    ├── mgmt-a  ready",
        "    └── mgmt-b  waits  no node",
    ]


def test_a_plan_says_what_is_so_and_what_is_to_be_done() -> None:
    a, b = (Step(name, f"{name} stands", lambda: None, lambda: None) for name in "ab")
    assert show.plan([(a, None), (b, "no cluster")]).splitlines() == [
        "  so     a stands",
        "  to do  b stands: no cluster",
        "1 of 2 steps are to be done",
    ]
    assert show.plan([(a, None)]).splitlines()[-1] == "nothing is to be done"


def test_findings_that_block_come_first() -> None:
    note = Finding("disk", "it is small", "free some", blocks=False)
    block = Finding("memory", "1 GiB", "use more")
    assert show.findings([note, block]).splitlines() == [
        "  blocks  memory: 1 GiB",
        "          -> use more",
        "  note    disk: it is small",
        "          -> free some",
    ]
    assert show.findings([]) == "no findings: this machine is fit"
