"""Debian packages as parts: kube-proxy's helpers. Mirrors and keys are those of this machine's own apt."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from bootstrapper.errors import MachineError, Refused
from hack.components.parts import Part
from hack.components.tarball import layer_from_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hack.components.work import Work

#: What kube-proxy calls in its iptables and nftables modes.
KUBE_PROXY = ("conntrack", "iptables", "nftables")
#: The names that update-alternatives would set up when the package is installed, rather than unpacked as
#: here.
ALTERNATIVES = [f"{base}{end}" for base in ("iptables", "ip6tables") for end in ("", "-save", "-restore")]
DROPPED = ("usr/share", "var", "usr/lib/x86_64-linux-gnu/gconv", "lib/x86_64-linux-gnu/gconv")


def parts(versions: Mapping[str, str]) -> list[Part]:
    """The layer with kube-proxy's helpers and the libraries they need."""
    return [
        Part(
            name="deb/kube-proxy",
            build=_kube_proxy,
            inputs={"packages": " ".join(KUBE_PROXY), "release": _release()},
            sources=(Path(__file__), Path(__file__).with_name("tarball.py")),
            lane="fetch",
            seconds=20,
        )
    ]


def ensure(commands: Mapping[str, Sequence[str]], tell: Callable[[str], None]) -> None:
    """Installs the packages of commands that this machine lacks. Refused when that takes root and we
    aren't."""
    wanted = [p for command, packages in commands.items() if not shutil.which(command) for p in packages]
    if not wanted:
        return
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *wanted]
    if os.geteuid():
        raise Refused(f"{' '.join(wanted)} missing", "installing takes root", f"as root: {' '.join(install)}")
    tell(f"installing {' '.join(wanted)}")
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for argv in (["apt-get", "update", "-qq"], install):
        done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
        if done.returncode:
            raise MachineError(f"`{' '.join(argv)}` failed", done.stderr.strip()[-1000:])


def fetch(work: Work, packages: Sequence[str]) -> list[Path]:
    """These packages with all they depend on as .deb files, by this machine's apt as if nothing were
    installed yet."""
    archives, none = work.cache / "apt", work.scratch / "none"
    (work.scratch / "status").touch()
    for folder in (archives, none):
        (folder / "partial").mkdir(parents=True, exist_ok=True)
    if not _has_lists():
        _update(work)
    try:
        _apt(work, archives, "--download-only", *packages)
    except MachineError:  # lists older than a point release name packages that are gone
        _update(work)
        _apt(work, archives, "--download-only", *packages)
    # What is in the folder of archives already isn't printed: so here an empty one.
    listed = _apt(work, none, "--print-uris", *packages).decode()
    return sorted(archives / line.split()[1] for line in listed.splitlines() if line.startswith("'"))


def _apt(work: Work, archives: Path, mode: str, *packages: str) -> bytes:
    options = [
        f"Dir::State::status={work.scratch / 'status'}",
        f"Dir::Cache::archives={archives}",
        "Debug::NoLocking=1",
    ]
    flags = [word for option in options for word in ("-o", option)]
    return work.run("apt-get", *flags, "-y", "-qq", "--no-install-recommends", mode, "install", *packages)


def _update(work: Work) -> None:
    work.say("apt-get update")
    work.run("apt-get", "update", "-qq")


def _kube_proxy(work: Work) -> None:
    root = work.scratch / "root"
    work.say(f"downloading {', '.join(KUBE_PROXY)}")
    debs = fetch(work, KUBE_PROXY)
    for deb in debs:
        work.run("dpkg-deb", "-x", deb, root)
    for name in ALTERNATIVES:
        (root / "usr/sbin" / name).unlink(missing_ok=True)
        (root / "usr/sbin" / name).symlink_to("xtables-nft-multi")
    layer_from_tree(root, work.out / "layer.tar", lambda path: path not in DROPPED)
    (work.out / "packages.txt").write_text("".join(f"{deb.name}\n" for deb in debs))


def _has_lists() -> bool:
    return any(Path("/var/lib/apt/lists").glob("*Packages*"))


def _release() -> str:
    lines = Path("/etc/os-release").read_text().splitlines()
    fields = dict(line.split("=", 1) for line in lines if "=" in line)
    return f"{fields.get('ID', '')} {fields.get('VERSION_ID', '')}".replace('"', "")
