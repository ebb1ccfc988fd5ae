"""Our dockerd: its files, its process, whether it is alive."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hack.dockerengine import machine, runc_without_sys_resource

if TYPE_CHECKING:
    from collections.abc import Iterator

STATE = Path("/var/lib/bootstrapper-engine")
OPERATORS = Path("/etc/docker/daemon.json")
#: containerd of dockerd's own; dockerd believes a pid file of it that a machine's crash left behind.
CONTAINERD_PID = Path("/var/run/docker/containerd/containerd.pid")
PATIENCE = 60.0


class Daemon:
    """The engine that is started from here. `state` is the folder with everything that is kept about it."""

    def __init__(self, state: Path = STATE) -> None:
        self.state = state
        self.log = state / "dockerd.log"
        self.pid_file = state / "dockerd.pid"
        self.config = state / "daemon.json"

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Waits until no other start or stop is under way on this machine."""
        self.state.mkdir(parents=True, exist_ok=True)
        with (self.state / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def pid(self) -> int | None:
        """The process of our dockerd, None when it isn't running. A pid file whose number belongs to another program
        by now counts as none."""
        return _alive(self.pid_file, "dockerd")

    def start(self) -> None:
        """Starts dockerd in a session of its own, as nobody's child. It may not have its pid yet, and not answer."""
        for file, program in ((self.pid_file, "dockerd"), (CONTAINERD_PID, "containerd")):
            if _alive(file, program) is None:
                file.unlink(missing_ok=True)
        self.config.write_text(json.dumps(self._configuration(), indent=2) + "\n")
        env = dict(os.environ)
        folder = machine.iptables_folder(self.state)
        if folder:
            env["PATH"] = f"{folder}:{env['PATH']}"
        argv = ["setsid", "--fork", "dockerd", "--config-file", str(self.config), "--pidfile", str(self.pid_file)]
        with self.log.open("ab") as log:
            log.write(f"\n--- started {time.strftime('%F %T')}\n".encode())
            log.flush()
            subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env, cwd="/", check=True)

    def stop(self, pid: int) -> bool:
        """Ends our dockerd, and with it its containers. Returns whether it is gone."""
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + PATIENCE
        while self.pid() == pid and time.monotonic() < deadline:
            time.sleep(0.2)
        return self.pid() != pid

    def last_words(self, lines: int = 8) -> str:
        """The end of the log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) if self.log.is_file() else ""

    def _configuration(self) -> dict[str, Any]:
        """The operator's daemon.json, where there is one, and what this machine needs."""
        try:
            found: dict[str, Any] = json.loads(OPERATORS.read_text()) if OPERATORS.is_file() else {}
        except ValueError as e:
            raise machine.Unfit(f"{OPERATORS} isn't JSON: {e}.\n  Correct it, then run this again.") from None
        if machine.lacks_sys_resource():
            found |= self._runtime()
        return found

    def _runtime(self) -> dict[str, Any]:
        """The wrapper is copied, because the engine outlives the checkout it was started from."""
        wrapper = self.state / "runc-without-sys-resource"
        fresh = wrapper.with_suffix(".new")
        shutil.copyfile(runc_without_sys_resource.__file__, fresh)
        fresh.chmod(0o755)
        fresh.rename(wrapper)
        return {"runtimes": {wrapper.name: {"path": str(wrapper)}}, "default-runtime": wrapper.name}


def _alive(pid_file: Path, program: str) -> int | None:
    try:
        pid = int(pid_file.read_text())
        name = Path(f"/proc/{pid}/comm").read_text().strip()
        stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, ValueError):
        return None
    return pid if name == program and stat != "Z" else None
