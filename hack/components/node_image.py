"""The node image, as kind and the docker provider want it, and the docker provider's load balancer.

See node/README.md for what is in the image and what a cluster's template needs. Three layers, so that a change of one
leaves the others' bytes alone: Debian; Kubernetes' commands and our files; containerd's store with the preloaded images
(the only one whose bytes differ from build to build: containerd's database holds times).
"""

from __future__ import annotations

import functools
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from hack.components import debian
from hack.components.node_base import CONTAINER_PACKAGES, PACKAGES, SUITE, debootstrap
from hack.components.parts import Part
from hack.components.tarball import layer_from_tree

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hack.components.work import Work

HERE = Path(__file__).parent
NODE = HERE / "node"
#: kind applies what is in the image at this place, unless its config says `disableDefaultCNI`.
CNI = HERE.parents[1] / "manifests" / "cni" / "node-routes.yaml"
STORE = "var/lib/containerd"
COMMANDS = {
    "kubeadm": "go/kubernetes",
    "kubectl": "go/kubernetes",
    "kubelet": "go/kubernetes",
    "crictl": "go/cri-tools",  # the docker provider runs `crictl ps` before kubeadm, and waits for ever without it
}
CONFIG = {
    "Env": ["container=docker", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
    "Entrypoint": ["/usr/local/bin/entrypoint", "/sbin/init"],
    "StopSignal": "SIGRTMIN+3",
}
#: The name that cluster-api v1.14 asks for by default (test/infrastructure/docker/internal/loadbalancer/const.go).
LOAD_BALANCER = "kindest/haproxy:v20230606-42a2262b"
#: haproxy, and what the docker provider runs beside it: `mkdir` and `cp`; `sh` for the wrapper.
BALANCER_PACKAGES = ("haproxy", "coreutils", "dash")
BALANCER_DROPPED = ("usr/share", "var", "usr/lib/x86_64-linux-gnu/gconv", "usr/lib/x86_64-linux-gnu/perl-base")


def parts(versions: Mapping[str, str]) -> list[Part]:
    """Debian's part of the node image, the node image, the load balancer's image."""
    tarball = HERE / "tarball.py"
    return [
        Part(
            name="node/base",
            build=debootstrap,
            inputs={"suite": SUITE, "packages": " ".join((*PACKAGES, *CONTAINER_PACKAGES))},
            sources=(HERE / "node_base.py", tarball),
            lane="fetch",
            seconds=120,
        ),
        Part(
            name="image/node",
            build=functools.partial(_node, version=versions["kubernetes"]),
            inputs={"kubernetes": versions["kubernetes"]},
            sources=(Path(__file__), NODE, CNI, tarball),
            needs=("node/base", "images/kubernetes", *sorted(set(COMMANDS.values()))),
            seconds=60,
        ),
        Part(
            name="image/load-balancer",
            build=_load_balancer,
            inputs={"packages": " ".join(BALANCER_PACKAGES), "image": LOAD_BALANCER},
            sources=(Path(__file__), HERE / "load_balancer", tarball),
            lane="fetch",
            seconds=20,
        ),
    ]


def _node(work: Work, *, version: str) -> None:
    images = work.layout_of("images/kubernetes")
    names = sorted(a.name for a in images.artifacts if a.kind == "image")
    (pause,) = (n for n in names if n.rsplit("/", 1)[-1].startswith("pause:"))
    base = work.need("node/base") / "layer.tar"
    work.say("our files and commands")
    files = layer_from_tree(_files(work, pause, version), work.scratch / "files.tar")
    work.say(f"{len(names)} images")
    archive = work.scratch / "images.tar"
    with archive.open("wb") as f:
        f.writelines(images.docker_archive(names))
    store = layer_from_tree(_store(work, base, archive, pause), work.scratch / "store.tar", _in_store)
    layers = [base, files, store]
    work.layout.image(f"kindest/node:{version}", layers, CONFIG, version=version, source=f"pkg:deb/debian/{SUITE}")


def _files(work: Work, pause: str, version: str) -> Path:
    """The tree of the second layer: ours from node/rootfs, and Kubernetes' commands."""
    root = work.scratch / "files"
    shutil.copytree(NODE / "rootfs", root)
    containerd = root / "etc/containerd/config.toml"
    containerd.write_text(containerd.read_text().replace("@PAUSE@", pause))
    (root / "kind/manifests").mkdir(parents=True)
    shutil.copyfile(CNI, root / "kind/manifests/default-cni.yaml")
    (root / "kind/version").write_text(version)
    (root / "usr/bin").mkdir()
    for name, part in COMMANDS.items():
        shutil.copyfile(work.need(part) / "bin" / name, root / "usr/bin" / name)
        (root / "usr/bin" / name).chmod(0o755)
    wants = root / "etc/systemd/system/multi-user.target.wants"
    wants.mkdir()
    for unit in ("containerd.service", "kubelet.service", "node-routes.service"):
        folder = "/etc" if (root / "etc/systemd/system" / unit).is_file() else "/usr/lib"
        (wants / unit).symlink_to(f"{folder}/systemd/system/{unit}")
    _plain_modes(root)
    return root


def _plain_modes(root: Path) -> None:
    """What git doesn't keep, the umask doesn't decide either."""
    for path in root.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)


def _store(work: Work, base: Path, archive: Path, pause: str) -> Path:
    """A file system with the images in containerd's store."""
    root = work.scratch / "root"
    root.mkdir()
    work.run("tar", "-xf", base, "-C", root, "--xattrs", "--xattrs-include=*", "--numeric-owner")
    namespaces = ("unshare", "--mount", "--pid", "--fork", "--kill-child=KILL")
    work.run(*namespaces, NODE / "preload", root, archive, pause)
    return root


def _in_store(path: str) -> bool:
    """Whether the path is containerd's store, below it (what a stopped containerd needs not, aside), or above it."""
    if path.startswith((f"{STORE}/tmpmounts", f"{STORE}/io.containerd.runtime")):
        return False
    return STORE.startswith(f"{path}/") or path == STORE or path.startswith(f"{STORE}/")


def _load_balancer(work: Work) -> None:
    root = work.scratch / "root"
    debs = debian.fetch(work, BALANCER_PACKAGES)
    for deb in debs:
        work.run("dpkg-deb", "-x", deb, root)
    shutil.copytree(HERE / "load_balancer", root / "usr/local", dirs_exist_ok=True)
    _plain_modes(root / "usr/local")
    layer = layer_from_tree(root, work.scratch / "layer.tar", lambda path: path not in BALANCER_DROPPED)
    (version,) = (deb.name.split("_")[1] for deb in debs if deb.name.startswith("haproxy_"))
    config = {
        "Env": CONFIG["Env"][1:],
        "Entrypoint": ["haproxy", "-W", "-db", "-f", "/usr/local/etc/haproxy/haproxy.cfg"],
    }
    work.layout.image(LOAD_BALANCER, [layer], config, version=version, source=f"pkg:deb/debian/haproxy@{version}")
