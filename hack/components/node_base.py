"""Debian's part of the node image: a minimal system by debootstrap, with a newer containerd, cleaned.

SUITE is the newest whose systemd boots on cgroup v1 (258 doesn't). Its containerd has no RuntimeConfig, which kubelet
needs to learn the cgroup driver: containerd, runc and the CNI plugins come from sid.

The mirror and its key are those of this machine's own apt.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from bootstrapper.errors import MachineError
from hack.components import debian
from hack.components.tarball import layer_from_tree

if TYPE_CHECKING:
    from pathlib import Path

    from hack.components.work import Work

SUITE = "trixie"
PACKAGES = [
    "systemd",
    "systemd-sysv",
    "dbus",
    "conntrack",
    "iptables",
    "nftables",
    "iproute2",
    "ethtool",
    "util-linux",
    "mount",
    "kmod",
    "libseccomp2",
    "pigz",
    "e2fsprogs",
    "bash",
    "ca-certificates",
    "curl",
    "jq",
    "procps",
    "socat",
]
CONTAINER_SUITE = "sid"
CONTAINER_PACKAGES = ("containerd", "runc", "containernetworking-plugins")
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
#: A process's mounts and children end with it, whatever ends it.
NAMESPACES = ("unshare", "--mount", "--pid", "--fork", "--kill-child=KILL")

#: What only a person, a translator or the next apt would need, and what differs from run to run.
UNUSED = [
    "usr/share/doc",
    "usr/share/man",
    "usr/share/info",
    "usr/share/locale",
    "usr/share/lintian",
    "usr/share/bug",
    "usr/share/i18n",
    "usr/share/zoneinfo",
    "usr/lib/x86_64-linux-gnu/gconv",
    "usr/lib/udev/hwdb.d",
    "usr/lib/udev/hwdb.bin",
    "var/cache",
    "var/log",
    "var/lib/apt/lists",
    "var/lib/dpkg/status-old",
    "var/lib/dpkg/available-old",
    "var/lib/systemd",
    "etc/machine-id",
    "var/lib/dbus/machine-id",
    "etc/hostname",
    "etc/resolv.conf",
    "etc/containerd/config.toml",
]
#: Targets whose units are for real machines: consoles, users, file systems, devices.
BARE_TARGETS = ("multi-user.target", "local-fs.target", "timers.target")
#: Units that fail in a container, or wait for what it hasn't got.
MASKED = [
    "systemd-binfmt.service",
    "proc-sys-fs-binfmt_misc.automount",
    "systemd-udevd.service",
    "systemd-udevd-kernel.socket",
    "systemd-udevd-control.socket",
    "systemd-tmpfiles-setup.service",
    "systemd-firstboot.service",
    "ldconfig.service",
    "systemd-logind.service",
    "systemd-journal-catalog-update.service",
    "dev-hugepages.mount",
    "sys-kernel-config.mount",
    "sys-kernel-debug.mount",
    "sys-kernel-tracing.mount",
    "sys-fs-fuse-connections.mount",
    "systemd-modules-load.service",
]


def debootstrap(work: Work) -> None:
    """`layer.tar`, the system; `packages.txt`, the packages in it with their versions."""
    debian.ensure({"debootstrap": ["debootstrap"], "unshare": ["util-linux"]}, work.say)
    mirror = pick_mirror(_targets(work))
    root = work.scratch / "root"
    cache = work.cache / "debootstrap"
    cache.mkdir(exist_ok=True)
    work.say(f"{SUITE}'s packages")
    chosen = ["--variant=minbase", f"--include={','.join(PACKAGES)}", f"--cache-dir={cache.absolute()}"]
    work.run(*NAMESPACES, "debootstrap", *chosen, SUITE, root, mirror)
    work.say(f"{CONTAINER_SUITE}'s {', '.join(CONTAINER_PACKAGES)}")
    _newer(work, root, mirror)
    listed = work.run("chroot", root, "dpkg-query", "-W", "-f", "${Package} ${Version} ${Architecture}\n")
    (work.out / "packages.txt").write_bytes(listed)
    clean(root)
    work.say("packing")
    layer_from_tree(root, work.out / "layer.tar", _packed)


def pick_mirror(targets: str) -> str:
    """The mirror of Debian's own archive, from what `_targets` printed. MachineError when apt has none."""
    for line in targets.splitlines():
        label, address = line.split("|")
        if label == "Debian":
            return address
    raise MachineError("apt knows no mirror of Debian", "none of its sources has the label Debian", "see: apt policy")


def _targets(work: Work) -> str:
    """Every source of apt, as lines of label|address."""
    argv = ("apt-get", "indextargets", "--format", "$(LABEL)|$(REPO_URI)", "Created-By: Packages")
    found = work.run(*argv).decode()
    if not found:  # the labels are in the lists
        work.run("apt-get", "update", "-qq")
        found = work.run(*argv).decode()
    return found


def _newer(work: Work, root: Path, mirror: str) -> None:
    apt = work.scratch / "apt"
    for folder in ("lists/partial", "cache/archives/partial"):
        (apt / folder).mkdir(parents=True)
    (apt / "status").touch()
    (apt / "sources.list").write_text(f"deb [signed-by={KEYRING}] {mirror} {CONTAINER_SUITE} main\n")
    options = {
        "Dir::Etc::sourcelist": apt / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State::lists": apt / "lists",
        "Dir::State::status": apt / "status",
        "Dir::Cache": apt / "cache",
        "APT::Sandbox::User": "root",
    }
    flags = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    work.run("apt-get", *flags, "-qq", "update")
    inside = root / "newer"
    inside.mkdir()
    work.run("apt-get", *flags, "-qq", "download", *CONTAINER_PACKAGES, cwd=inside)
    debs = [f"/newer/{deb.name}" for deb in sorted(inside.iterdir())]
    work.run(*NAMESPACES, "chroot", root, "dpkg", "--install", *debs)
    shutil.rmtree(inside)
    plugins = root / "opt/cni/bin"  # where kubelet's and every other CNI's world expects them
    plugins.parent.mkdir(parents=True, exist_ok=True)
    (root / "usr/lib/cni").rename(plugins)


def clean(root: Path) -> None:
    """Takes out of an installed system what a node container doesn't want."""
    for name in UNUSED:
        path = root / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
            path.mkdir()
        else:
            path.unlink(missing_ok=True)
    for place in ("etc/systemd/system", "usr/lib/systemd/system"):
        for target in BARE_TARGETS:
            shutil.rmtree(root / place / f"{target}.wants", ignore_errors=True)
    units = root / "etc/systemd/system"
    for unit in MASKED:
        (units / unit).unlink(missing_ok=True)
        (units / unit).symlink_to("/dev/null")
    (units / "default.target").unlink(missing_ok=True)
    (units / "default.target").symlink_to("/usr/lib/systemd/system/multi-user.target")


def _packed(path: str) -> bool:
    return not path.startswith(("dev/", "proc/", "sys/", "run/", "tmp/"))
