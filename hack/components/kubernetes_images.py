"""The images of a Kubernetes node, under the names that the kubeadm of this version asks for.

The tags of etcd and coredns are kubeadm's, too: what is inside is the version of versions.yaml, which
`version` and `source` of the artifact tell. All are FROM scratch: a static command, for kube-proxy with
Debian's iptables and nft.
"""

from __future__ import annotations

import functools
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bootstrapper.errors import MachineError
from hack.components.go_parts import command_purl
from hack.components.parts import Part
from hack.components.tarball import layer_from_files

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hack.components.work import Work

PAUSE = Path(__file__).with_name("pause.c")
PAUSE_FLAGS = ("-Os", "-static", "-s", "-Wl,--build-id=none")
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Recipe:
    """An image: path in it -> (part, file of that part's `bin/`); the commands of `entrypoint`; a lower
    layer."""

    files: Mapping[str, tuple[str, str]]
    entrypoint: tuple[str, ...] = ()
    below: str = ""


def _plain(name: str) -> Recipe:
    return Recipe({f"usr/local/bin/{name}": ("go/kubernetes", name)})


#: By the last path element of the image's name, without the tag.
RECIPES = {
    **{n: _plain(n) for n in ("kube-apiserver", "kube-controller-manager", "kube-scheduler")},
    "kube-proxy": Recipe({"usr/local/bin/kube-proxy": ("go/kubernetes", "kube-proxy")}, below="deb/kube-proxy"),
    "etcd": Recipe({f"usr/local/bin/{n}": ("go/etcd", n) for n in ("etcd", "etcdctl")}),
    "coredns": Recipe({"coredns": ("go/coredns", "coredns")}, entrypoint=("/coredns",)),
    "pause": Recipe({}, entrypoint=("/pause",)),
}


def parts(versions: Mapping[str, str]) -> list[Part]:
    """One part with all of them."""
    here = Path(__file__)
    return [
        Part(
            name="images/kubernetes",
            build=functools.partial(_build, versions=dict(versions)),
            inputs={"gcc": _gcc(), "pause flags": " ".join(PAUSE_FLAGS)},
            sources=(here, PAUSE, here.with_name("tarball.py")),
            needs=("go/kubernetes", "go/etcd", "go/coredns", "deb/kube-proxy"),
            seconds=10,
        )
    ]


def image_names(kubeadm: bytes) -> dict[str, str]:
    """Short name -> full name with tag, of what `kubeadm config images list` prints."""
    return {short_name(line): line for line in kubeadm.decode().split()}


def short_name(image: str) -> str:
    """`kube-proxy` of `host/path/kube-proxy:v1`."""
    return image.rsplit("/", 1)[-1].split(":")[0]


def _build(work: Work, *, versions: Mapping[str, str]) -> None:
    kubeadm = work.need("go/kubernetes") / "bin" / "kubeadm"
    version = versions["kubernetes"]
    asked = image_names(work.run(kubeadm, "config", "images", "list", "--kubernetes-version", version))
    unknown = sorted(set(asked) - set(RECIPES))
    if unknown:
        raise MachineError(f"kubeadm {version} asks for {', '.join(unknown)}", "there is no recipe for it")
    for short, image in sorted(asked.items()):
        work.say(short)
        if short == "pause":
            _pause(work, image)
        else:
            _image(work, image, RECIPES[short], versions)


def _image(work: Work, image: str, recipe: Recipe, versions: Mapping[str, str]) -> None:
    commands = {path: work.need(part) / "bin" / name for path, (part, name) in recipe.files.items()}
    part, name = next(iter(recipe.files.values()))
    layers = [work.need(recipe.below) / "layer.tar"] if recipe.below else []
    layers.append(layer_from_files(commands, work.scratch / f"{name}.tar"))
    version = versions[part.removeprefix("go/")]
    _add(work, image, layers, recipe.entrypoint, version=version, source=command_purl(name, versions))


def _pause(work: Work, image: str) -> None:
    binary = work.scratch / "pause"
    work.run("gcc", *PAUSE_FLAGS, "-o", binary, PAUSE)
    layer = layer_from_files({"pause": binary}, work.scratch / "pause.tar")
    tag = image.rsplit(":", 1)[-1]
    _add(work, image, [layer], ("/pause",), version=tag, source="pkg:generic/pause")


def _add(
    work: Work, image: str, layers: Sequence[Path], entrypoint: Sequence[str], *, version: str, source: str
) -> None:
    config: dict[str, object] = {"Env": [PATH], "WorkingDir": "/"}
    if entrypoint:
        config["Entrypoint"] = list(entrypoint)
    work.layout.image(image, layers, config, version=version, source=source)


def _gcc() -> str:
    if not shutil.which("gcc"):
        return "absent"
    return subprocess.run(["gcc", "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]
