"""What a machine lacks for an engine that runs nodes, and the remedy for each. Decisions are pure functions of the text
of files in /proc; the remedies change this machine until its next boot, never a file in /etc."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

CGROUPS = Path("/sys/fs/cgroup")
SYS_RESOURCE = 24  # linux/capability.h
#: Each node runs a systemd, a kubelet and a containerd, and each of them watches files: with the kernel's 128 instances
#: the third node's kubelet dies of "too many open files" (kind, "Known issues").
SYSCTLS = {
    "fs/inotify/max_user_instances": 1024,
    "fs/inotify/max_user_watches": 524288,
    "net/ipv4/ip_forward": 1,
}


class Unfit(Exception):
    """This machine can't run an engine: what, why, and what to do, for the operator."""


def has_capability(status: str, number: int) -> bool:
    """Whether the bounding set in the text of /proc/PID/status has the capability of this number."""
    (line,) = (x for x in status.splitlines() if x.startswith("CapBnd:"))
    return bool(int(line.split()[1], 16) >> number & 1)


def lacks_sys_resource() -> bool:
    """Whether a container can't get CAP_SYS_RESOURCE here, whoever asks."""
    return not has_capability(Path("/proc/self/status").read_text(), SYS_RESOURCE)


def too_low(values: Mapping[str, int]) -> dict[str, int]:
    """The sysctls (path below /proc/sys -> value) that have to be raised."""
    return {name: least for name, least in SYSCTLS.items() if values.get(name, 0) < least}


def raise_sysctls() -> list[str]:
    """Raises what is too low. Returns a sentence for each one changed, or that couldn't be."""
    root = Path("/proc/sys")
    values = {name: int((root / name).read_text()) for name in SYSCTLS if (root / name).is_file()}
    said = []
    for name, least in too_low(values).items():
        try:
            (root / name).write_text(str(least))
            said.append(f"{name.replace('/', '.')}: {values.get(name, 0)} -> {least}")
        except OSError as e:
            said.append(f"{name.replace('/', '.')} stays at {values.get(name, 0)}, {least} is needed: {e.strerror}")
    return said


def missing_controllers(cgroups: str, mounts: str) -> list[str]:
    """The v1 controllers that exist and are mounted nowhere, from the text of /proc/cgroups and /proc/mounts.

    Empty on a machine with cgroup v2 alone: there nothing is mounted by controller."""
    mounted = [line.split() for line in mounts.splitlines()]
    v1 = {option for _, _, kind, options, *_ in mounted if kind == "cgroup" for option in options.split(",")}
    if not v1 and any(kind == "cgroup2" for _, _, kind, *_ in mounted):
        return []
    rows = [line.split() for line in cgroups.splitlines() if not line.startswith("#")]
    return [name for name, _, _, enabled in rows if enabled == "1" and name not in v1]


def mount_cgroups() -> list[str]:
    """Mounts cgroups where nobody has. Returns a sentence for each mount made."""
    mounts = Path("/proc/mounts").read_text()
    here = [line.split()[2] for line in mounts.splitlines() if line.split()[1] == str(CGROUPS)]
    if not here:
        _mount("cgroup2", CGROUPS, "rw,nosuid,nodev,noexec,relatime")
        return [f"cgroup2 mounted at {CGROUPS}"]
    if "cgroup2" in here:
        return []
    said = []
    for name in missing_controllers(Path("/proc/cgroups").read_text(), mounts):
        _mount("cgroup", CGROUPS / name, name)
        said.append(f"cgroup controller {name} mounted at {CGROUPS / name}")
    if "name=systemd" not in mounts:
        _mount("cgroup", CGROUPS / "systemd", "none,name=systemd")
        said.append(f"cgroup hierarchy systemd mounted at {CGROUPS / 'systemd'}")
    return said


def _mount(kind: str, target: Path, options: str) -> None:
    try:
        target.mkdir(exist_ok=True)
    except OSError as e:
        raise Unfit(f"{target} can't be made: {e.strerror}.\n  The engine needs this machine's cgroups.") from None
    argv = ["mount", "-t", kind, "-o", options, kind, str(target)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Unfit(f"`{' '.join(argv)}` failed: {done.stderr.strip()}\n  The engine needs this machine's cgroups.")


def iptables_folder(state: Path) -> Path | None:
    """A folder to put before the PATH where the kernel can't do nftables: its iptables are the legacy ones. None where
    Debian's default works."""
    if _works("iptables"):
        return None
    folder = state / "bin"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("iptables", "ip6tables", "iptables-save", "iptables-restore"):
        family, _, verb = name.partition("-")
        link = folder / name
        link.unlink(missing_ok=True)
        link.symlink_to(Path("/usr/sbin") / "-".join(filter(None, (family, "legacy", verb))))
    return folder


def _works(iptables: str) -> bool:
    done = subprocess.run([iptables, "-t", "nat", "-S"], capture_output=True, check=False)
    return done.returncode == 0


def systemd_runs() -> bool:
    """Whether systemd is this machine's init (sd_booted(3))."""
    return os.path.isdir("/run/systemd/system")
