"""Recipes of the Go commands: one part a group, each command a file in `bin/` and a `binary` of the
bundle."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from bootstrapper.errors import MachineError, RequestError
from hack.components.go_groups import GROUPS, Group, disagreement, go_mod, ldflags, staging
from hack.components.parts import Part

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hack.components.work import Work

HERE = Path(__file__).parent
MODULES = HERE / "go"
#: Static, the same wherever it is built, and nothing but what go.sum says.
ENV = {"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly -trimpath", "GOWORK": "off"}
#: These run on nodes only, inside images; the others are of use by themselves.
NODE_ONLY = {"coredns", "crictl", "kube-proxy", "kubelet"}


def parts(versions: Mapping[str, str]) -> list[Part]:
    """One part a group. RequestError when a go.mod and versions.yaml disagree."""
    return [_part(group, versions) for group in GROUPS]


def _part(group: Group, versions: Mapping[str, str]) -> Part:
    folder = MODULES / group.name
    wrong = disagreement(group, versions, (folder / "go.mod").read_text())
    if wrong:
        raise RequestError(f"{folder / 'go.mod'} is out of date", wrong, "hack/components/build --tidy")
    version = version_of(group, versions)
    return Part(
        name=f"go/{group.name}",
        build=functools.partial(_build, group=group, version=version),
        inputs={
            "version": version,
            "go": toolchain(),
            "commands": " ".join(f"{n}={p}" for n, p in sorted(group.mains.items())),
            "ldflags": ldflags(group, version),
            "environment": " ".join(f"{k}={v}" for k, v in sorted(ENV.items())),
        },
        sources=(folder / "go.mod", folder / "go.sum", Path(__file__)),
        seconds=group.seconds,
    )


def _build(work: Work, *, group: Group, version: str) -> None:
    folder = MODULES / group.name
    flags = ldflags(group, version)
    for i, (name, package) in enumerate(sorted(group.mains.items()), 1):
        work.say(f"{name} ({i} of {len(group.mains)})")
        target = work.out / "bin" / name
        work.run("go", "build", "-ldflags", flags, "-o", target, package, cwd=folder, env=ENV)
        if name not in NODE_ONLY:
            work.layout.binary(target, version=version, source=purl(group, version, package))


def version_of(group: Group, versions: Mapping[str, str]) -> str:
    """The version that all modules of the group have."""
    (key,) = set(group.versions.values())
    return versions[key]


def purl(group: Group, version: str, package: str) -> str:
    """The package URL (purl-spec, type golang) of a command."""
    module = max((m for m in group.versions if package.startswith(m)), key=len)
    below = package.removeprefix(module).strip("/")
    return f"pkg:golang/{module}@{version}" + (f"#{below}" if below else "")


def command_purl(name: str, versions: Mapping[str, str]) -> str:
    """The package URL of the command with this name."""
    (group,) = (g for g in GROUPS if name in g.mains)
    return purl(group, version_of(group, versions), group.mains[name])


@cache
def toolchain() -> str:
    """What `go env` says of version and platform. MachineError without Go."""
    if not shutil.which("go"):
        raise MachineError("no Go toolchain", "`go` isn't on the PATH", "install Go 1.26 or newer")
    return " ".join(_go("env", "GOVERSION", "GOOS", "GOARCH", "GOAMD64").split())


@cache
def platform() -> str:
    """`linux/amd64`"""
    return "/".join(toolchain().split()[1:3])


def tidy(versions: Mapping[str, str]) -> None:
    """Writes go.mod and go.sum of each group that disagrees with versions.yaml anew. MachineError when `go`
    fails."""
    for group in GROUPS:
        folder = MODULES / group.name
        path = folder / "go.mod"
        if path.is_file() and not disagreement(group, versions, path.read_text()):
            continue
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "go.sum").unlink(missing_ok=True)
        path.write_text(go_mod(group, versions, _staged(group, versions)))
        _go("mod", "tidy", folder=folder)


def module_folder(module: str) -> Path:
    """Where Go's module cache has a module of the cluster-api group, checked against go.sum. To be read
    only."""
    found = json.loads(_go("mod", "download", "-json", module, folder=MODULES / "cluster-api"))
    return Path(found["Dir"])


def _staged(group: Group, versions: Mapping[str, str]) -> list[str]:
    if group.name != "kubernetes":
        return []
    found = json.loads(_go("mod", "download", "-json", f"k8s.io/kubernetes@{versions['kubernetes']}"))
    return staging(Path(found["GoMod"]).read_text())


def _go(*argv: str, folder: Path | None = None) -> str:
    env = {**os.environ, "GOWORK": "off"}
    done = subprocess.run(["go", *argv], cwd=folder, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise MachineError(f"`go {' '.join(argv)}` failed", done.stderr.strip()[-2000:])
    return done.stdout
