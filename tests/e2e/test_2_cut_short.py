"""One `init` that comes to grief again and again, each time with a clear word, and is taken away in the end."""

from __future__ import annotations

import pytest

from e2e import outside
from e2e.command import Event, Running
from e2e.lab import Lab
from e2e.outside import execute, until
from e2e.proxy import Proxy

#: Seconds within which a run that can't go on must say so.
SOON = 120.0


def at(running: Running, step: str) -> None:
    """Wait until the run is at work on a step."""

    def begun(event: Event) -> bool:
        return bool(event["step"] == step and event["kind"] == "closing")

    assert running.wait_for(begun), f"it ended before step {step}{running.finish()}"


def test_nothing_of_us_is_there(lab: Lab) -> None:
    assert lab.left() == []


def test_the_engine_dies_half_way(lab: Lab) -> None:
    with Proxy(lab.folder / "engine.sock") as engine:
        running = lab.init("--timeout", "10", env=engine.host)
        at(running, "bootstrap-cluster")
        until("the node is made", lambda: bool(outside.containers(lab.bootstrap)))
        engine.cut()
        done = running.finish(SOON)
    assert done.code in (11, 12), f"a step that can be gone on with was expected{done}"
    done.says("container engine doesn't answer", "nothing listens on its socket")


def test_a_second_run_is_refused_and_ctrl_c_says_what_stands(lab: Lab) -> None:
    first = lab.init()
    at(first, "bootstrap-cluster")
    for command in (("init", "-f", str(lab.request)), ("destroy", lab.name, "--yes")):
        lab.run(*command).must(35).says(f"process {first.pid}", "bootstrapper init", "Ctrl-C")
    first.interrupt()
    done = first.finish(SOON).must(130)
    done.says("interrupted", "stands:    this machine is fit", "under way: ", f"bootstrapper init -f {lab.request}")


def test_a_machine_is_killed_while_kubeadm_runs(lab: Lab) -> None:
    running = lab.init()
    at(running, "control-plane")
    until("kubeadm runs", lambda: bool(_in_kubeadm(lab)), 300)
    machine = _in_kubeadm(lab)[0]
    outside.docker("kill", machine)
    running.finish(SOON).must(10).says(machine, "killed", "bootstrapper destroy NAME")


def _in_kubeadm(lab: Lab) -> list[str]:
    planes = outside.of_role(lab.name, "control-plane")
    return [c.name for c in planes if execute(c.name, "pgrep", "-x", "kubeadm").returncode == 0]


def test_destroy_asks(lab: Lab) -> None:
    lab.run("destroy", lab.name).must(24).says("--yes")
    assert outside.containers(lab.name), "it was destroyed though nobody agreed"


@pytest.mark.parametrize("time", ["first", "second"])
def test_destroy_leaves_nothing(lab: Lab, time: str) -> None:
    lab.run("destroy", lab.name, "--yes").must().says()
    assert lab.left() == []
