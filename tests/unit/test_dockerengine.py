"""hack/engine: what a machine lacks, the runtime wrapper, and start and stop with a dockerd made of shell."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hack.dockerengine import command, daemon, machine
from hack.dockerengine.daemon import Daemon
from hack.dockerengine.runc_without_sys_resource import specifications, without

if TYPE_CHECKING:
    from collections.abc import Iterator

FAKES = {
    # It answers while `up` is there; each start is a line in `starts`.
    "dockerd": """trap 'rm -f "$FAKE/up"; exit 0' TERM
echo x >> "$FAKE/starts"
echo $$ > "$4"
test -f "$FAKE/broken" && { echo "no space left on device"; exit 1; }
touch "$FAKE/up"
while :; do sleep 0.05; done""",
    "docker": 'test -f "$FAKE/up" && echo 20.10.24',
    "iptables": "exit 0",
}


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    """A Daemon whose commands are fakes; what they share lies in the folder above its state."""
    (tmp_path / "bin").mkdir()
    for name, body in FAKES.items():
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("FAKE", str(tmp_path))
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(daemon, "CONTAINERD_PID", tmp_path / "containerd.pid")
    monkeypatch.setattr(daemon, "OPERATORS", tmp_path / "operators.json")
    for name in ("raise_sysctls", "mount_cgroups"):
        monkeypatch.setattr(machine, name, list)
    monkeypatch.setattr(machine, "systemd_runs", lambda: False)
    found = Daemon(tmp_path / "state")
    yield found
    pid = found.pid()
    if pid:
        found.stop(pid)


def starts(engine: Daemon) -> int:
    path = engine.state.parent / "starts"
    return len(path.read_text().splitlines()) if path.exists() else 0


def test_it_starts_an_engine_and_stops_it(engine: Daemon) -> None:
    assert command.start(engine) == 0
    assert command.answering() == "20.10.24"

    assert command.stop(engine) == 0
    assert command.answering() is None
    assert engine.pid() is None


def test_a_second_start_uses_the_first_ones_engine(engine: Daemon, capsys: pytest.CaptureFixture[str]) -> None:
    command.start(engine)
    command.start(engine)

    assert starts(engine) == 1
    assert "started from here" in capsys.readouterr().err


def test_two_starts_at_once_start_one_engine(engine: Daemon) -> None:
    threads = [threading.Thread(target=command.start, args=(engine,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert starts(engine) == 1


def test_an_engine_of_somebody_else_is_used_and_never_stopped(
    engine: Daemon, capsys: pytest.CaptureFixture[str]
) -> None:
    up = engine.state.parent / "up"
    up.touch()

    command.start(engine)
    command.stop(engine)

    assert starts(engine) == 0
    assert up.exists()
    assert "left alone" in capsys.readouterr().err


def test_a_stale_pid_file_is_no_engine(engine: Daemon) -> None:
    engine.state.mkdir()
    with subprocess.Popen(["sleep", "60"]) as other:  # the number belongs to another program by now
        engine.pid_file.write_text(str(other.pid))

        found = engine.pid()
        other.kill()

    assert found is None
    assert command.start(engine) == 0
    assert starts(engine) == 1


def test_an_engine_that_ends_at_once_is_told_with_its_last_words(
    engine: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    (engine.state.parent / "broken").touch()
    monkeypatch.setattr(command, "GRACE", 0.2)

    began = time.monotonic()
    with pytest.raises(machine.Unfit, match="no space left on device"):
        command.start(engine)

    assert time.monotonic() - began < daemon.PATIENCE / 2


def test_an_unreachable_docker_host_is_never_replaced(engine: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://elsewhere:2375")

    with pytest.raises(machine.Unfit, match="tcp://elsewhere:2375"):
        command.start(engine)

    assert starts(engine) == 0


def test_who_isnt_root_is_told(engine: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    with pytest.raises(machine.Unfit, match="only root"):
        command.start(engine)


@pytest.mark.parametrize("lacks", [True, False])
def test_the_wrapper_is_there_only_where_the_capability_lacks(
    engine: Daemon, monkeypatch: pytest.MonkeyPatch, lacks: bool
) -> None:
    monkeypatch.setattr(machine, "lacks_sys_resource", lambda: lacks)
    daemon.OPERATORS.write_text('{"data-root": "/elsewhere"}')

    command.start(engine)

    found = json.loads(engine.config.read_text())
    assert found["data-root"] == "/elsewhere"
    assert found.get("default-runtime") == ("runc-without-sys-resource" if lacks else None)
    assert (engine.state / "runc-without-sys-resource").exists() is lacks


def test_a_broken_daemon_json_is_named(engine: Daemon) -> None:
    daemon.OPERATORS.write_text("{")

    with pytest.raises(machine.Unfit, match=r"operators\.json isn't JSON"):
        command.start(engine)


def test_wrong_usage_prints_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["restart"]) == 2
    assert "start" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "files"),
    [
        (["--root", "/r", "create", "--bundle", "/b", "id"], ["/b/config.json"]),
        (["create", "-b=/b", "id"], ["/b/config.json"]),
        (["exec", "--process", "/p.json", "id"], ["/p.json"]),
        (["exec", "--process=/p.json", "--detach", "id"], ["/p.json"]),
        (["delete", "id"], []),
        (["create", "--bundle"], []),
    ],
)
def test_where_runc_reads_capabilities(argv: list[str], files: list[str]) -> None:
    assert [str(path) for path in specifications(argv)] == files


@pytest.mark.parametrize("inside", [True, False])
def test_the_one_capability_is_taken_out(inside: bool) -> None:
    process = {"capabilities": {"bounding": ["CAP_SYS_RESOURCE", "CAP_CHOWN"], "ambient": None}, "args": ["x"]}
    specification = {"process": process, "root": {}} if inside else process

    found = without(specification)

    sets = found["process"]["capabilities"] if inside else found["capabilities"]
    assert sets == {"bounding": ["CAP_CHOWN"], "ambient": []}


def test_a_container_without_a_list_of_capabilities_is_left_as_it_is() -> None:
    assert without({"process": {"args": ["x"]}}) == {"process": {"args": ["x"]}}


@pytest.mark.parametrize(("bounding", "has"), [("000001ffffffffff", True), ("000001fffeffffff", False)])
def test_a_capability_is_looked_up_in_the_bounding_set(bounding: str, has: bool) -> None:
    status = f"CapEff:\t000001ffffffffff\nCapBnd:\t{bounding}\n"

    assert machine.has_capability(status, machine.SYS_RESOURCE) is has


def test_only_what_is_too_low_is_raised() -> None:
    values = {"fs/inotify/max_user_instances": 128, "fs/inotify/max_user_watches": 10**6, "net/ipv4/ip_forward": 1}

    assert machine.too_low(values) == {"fs/inotify/max_user_instances": 1024}


CGROUPS = "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t1\t1\t1\nmemory\t0\t1\t0\nnet_cls\t0\t1\t1\n"
V1 = "cgroup /sys/fs/cgroup/cpu cgroup rw,relatime,cpu 0 0\n"
V2 = "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n"


@pytest.mark.parametrize(("mounts", "missing"), [(V1, ["net_cls"]), (V2, []), (V1 + V2, ["net_cls"])])
def test_controllers_that_nobody_mounted(mounts: str, missing: list[str]) -> None:
    assert machine.missing_controllers(CGROUPS, mounts) == missing
