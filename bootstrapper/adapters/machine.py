"""What this machine says about itself. Everything is read from files or asked of the system; nothing is changed."""

from __future__ import annotations

import shutil
from pathlib import Path

from bootstrapper.doctor import Disk, Machine

PROC = Path("/proc")
#: Bit of CAP_SYS_RESOURCE (linux/capability.h).
SYS_RESOURCE = 24
UNLIMITED = 1 << 62


def read(state: Path) -> Machine:
    """What this machine says; what it doesn't (another system than Linux) is None. `state`: the state folder."""
    return Machine(memory(), _number(PROC / "sys/fs/inotify/max_user_instances"), disk(state))


def memory() -> int | None:
    """Bytes that programs can get without swapping (proc(5), MemAvailable)."""
    found = _field(PROC / "meminfo", "MemAvailable:")
    return int(found.split()[0]) * 1024 if found else None


def disk(path: Path) -> Disk | None:
    """The file system of a folder, or of what will hold it when it isn't there yet; None when it can't be seen."""
    for folder in (path, *path.parents):
        try:
            usage = shutil.disk_usage(folder)
        except FileNotFoundError:
            continue
        except OSError:
            return None
        return Disk(str(path), usage.free, usage.total)
    return None


def daemon(name: str) -> Path | None:
    """The /proc folder of the process of this name, None when it doesn't run here or can't be seen."""
    for comm in PROC.glob("[0-9]*/comm"):
        try:
            if comm.read_text(encoding="utf-8").strip() == name:
                return comm.parent
        except OSError:
            continue  # ended meanwhile
    return None


def sys_resource(process: Path) -> bool | None:
    """Whether a process may give CAP_SYS_RESOURCE to its children (proc(5), CapBnd)."""
    found = _field(process / "status", "CapBnd:")
    return bool(int(found, 16) >> SYS_RESOURCE & 1) if found else None


def nofile(process: Path) -> int | None:
    """A process's hard limit of open files (proc(5), limits)."""
    found = _field(process / "limits", "Max open files")
    if not found:
        return None
    hard = found.split()[1]
    return UNLIMITED if hard == "unlimited" else int(hard)


def _field(file: Path, name: str) -> str | None:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((line.removeprefix(name).strip() for line in lines if line.startswith(name)), None)


def _number(file: Path) -> int | None:
    try:
        return int(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
