"""hack/engine: a Docker engine on this machine.

start    use the one that answers (DOCKER_HOST is respected), else install one and start it
stop     stop it, if it was started from here; its containers stop with it
status   which one answers, and whose it is
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from hack.dockerengine import machine
from hack.dockerengine.daemon import PATIENCE, Daemon
from hack.dockerengine.machine import Unfit

if TYPE_CHECKING:
    from collections.abc import Callable

#: apparmor, git, ... that docker.io recommends aren't needed for nodes; iptables and runc it brings along.
PACKAGES = ("docker.io", "iptables", "util-linux")
#: Seconds in which a dockerd that was just started need not have written its pid yet.
GRACE = 5.0


def main(argv: list[str]) -> int:
    """0: done · 1: status, and no engine answers · 2: wrong usage · 30: this machine isn't fit."""
    verbs = {"start": start, "stop": stop, "status": status}
    if len(argv) != 1 or argv[0] not in verbs:
        print(__doc__, end="", file=sys.stdout if argv in (["-h"], ["--help"]) else sys.stderr)
        return 0 if argv in (["-h"], ["--help"]) else 2
    try:
        return verbs[argv[0]](Daemon())
    except Unfit as e:
        print(f"hack/engine: {e}", file=sys.stderr)
        return 30


def start(daemon: Daemon) -> int:
    """An engine that answers, whoever's."""
    version = answering()
    if version is None:
        _start_ours(daemon)
    else:
        say(f"Docker engine {version} answers{_at()}; {whose(daemon)}")
    for line in machine.raise_sysctls() if os.geteuid() == 0 else []:
        say(line)
    return 0


def _start_ours(daemon: Daemon) -> None:
    if os.environ.get("DOCKER_HOST"):
        raise Unfit(
            f"no engine answers at DOCKER_HOST={os.environ['DOCKER_HOST']}.\n"
            "  Start that one, or unset DOCKER_HOST to get one on this machine."
        )
    if os.geteuid() != 0:
        raise Unfit(
            "no Docker engine answers, and only root can install or start one.\n"
            "  As root: hack/engine start. If one runs already: are you in the group docker?"
        )
    with daemon.alone():
        if answering() is None:
            install()
            _run(daemon)


def _run(daemon: Daemon) -> None:
    for line in [*machine.raise_sysctls(), *machine.mount_cgroups()]:
        say(line)
    if machine.systemd_runs():
        subprocess.run(["systemctl", "start", "docker"], check=False)
        version = wait("see: journalctl -u docker", lambda: True)
        say(f"Docker engine {version} answers: the machine's own service, left to systemd")
        return
    if machine.lacks_sys_resource():
        say("this machine lacks CAP_SYS_RESOURCE: containers get all capabilities but that one")
    if daemon.pid() is None:
        daemon.start()
    version = wait(f"the log, {daemon.log}, ends with", lambda: daemon.pid() is not None, daemon)
    say(f"Docker engine {version} started (pid {daemon.pid()}, log {daemon.log})")


def stop(daemon: Daemon) -> int:
    """Ours, and no other."""
    if os.geteuid() != 0:
        raise Unfit("only root can stop an engine.\n  As root: hack/engine stop")
    with daemon.alone():
        pid = daemon.pid()
        if pid is None:
            version = answering()
            say(f"Docker engine {version} wasn't started from here: left alone" if version else "no engine runs")
            return 0
        if not daemon.stop(pid):
            raise Unfit(f"dockerd (pid {pid}) still runs after {PATIENCE:.0f} s.\n  See {daemon.log}")
        say(f"stopped the engine (pid {pid})")
    return 0


def status(daemon: Daemon) -> int:
    """Says it on stdout."""
    version = answering()
    print(f"Docker engine {version} answers{_at()}; {whose(daemon)}" if version else "no Docker engine answers")
    return 0 if version else 1


def answering() -> str | None:
    """The version of the engine that the docker client reaches, None when there is none."""
    client = shutil.which("docker")
    if client is None:
        return None
    argv = [client, "version", "--format", "{{.Server.Version}}"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return done.stdout.strip() or None if done.returncode == 0 else None


def whose(daemon: Daemon) -> str:
    """Who started the engine that answers."""
    pid = None if os.environ.get("DOCKER_HOST") else daemon.pid()
    return f"started from here (pid {pid}, log {daemon.log})" if pid else "not started from here"


def install() -> None:
    """Debian's engine, unless one is there. Its service isn't started by the package on a machine without systemd."""
    if shutil.which("dockerd") and shutil.which("iptables") and shutil.which("docker"):
        return
    if not shutil.which("apt-get"):
        raise Unfit("no Docker engine is installed, and there is no apt-get.\n  Install one, then run this again.")
    say(f"installing Debian's {PACKAGES[0]}")
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    for argv in (
        ["apt-get", "update", "-qq"],
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *PACKAGES],
    ):
        done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Unfit(f"`{' '.join(argv)}` failed:\n{done.stdout[-500:]}{done.stderr[-1500:]}")


def wait(where: str, alive: Callable[[], bool], daemon: Daemon | None = None) -> str:
    """Until an engine answers; its version. Unfit when it ends, or says nothing for PATIENCE seconds."""
    deadline = time.monotonic() + PATIENCE
    while (version := answering()) is None:
        waited = PATIENCE - (deadline - time.monotonic())
        if waited > PATIENCE or (waited > GRACE and not alive()):
            words = daemon.last_words() if daemon else ""
            raise Unfit(f"the engine didn't come up within {waited:.0f} s; {where}:\n{words}")
        time.sleep(0.3)
    return version


def _at() -> str:
    host = os.environ.get("DOCKER_HOST")
    return f" at {host}" if host else ""


def say(text: str) -> None:
    """A line for the operator; stdout is kept for results."""
    print(f"hack/engine: {text}", file=sys.stderr)
