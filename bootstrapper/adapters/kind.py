"""The `kind` backend: the bootstrap cluster as one container on this machine's engine.

Nothing outside this module knows of kind. It runs the kind binary of the bundle with the bundle's node image.

How a half-made cluster is told from a finished one: the file READY is written inside the node container once `kind
create` came back, before anything else is put into it. A container that carries our mark, lacks READY and whose API
server doesn't answer was left by a killed run, holds nothing, and is made anew. One that has READY is never removed but
by `remove`.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from bootstrapper import manifests
from bootstrapper.adapters import engine_images, process
from bootstrapper.adapters.engine import Container, Engine
from bootstrapper.adapters.layout import Layout
from bootstrapper.errors import LostContact, StepError, Taken
from bootstrapper.step import Cause

READY = "/kind/bootstrapper-ready"
#: A mount from the state folder marks the container as ours: kind gives no labels to set.
MARK = "/etc/bootstrapper-owner"
SOCKET = "/var/run/docker.sock"
ADMIN = "/etc/kubernetes/admin.conf"
NODE_IMAGE = "kindest/node"


class KindBackend:
    """See `bootstrapper.world.Backend`."""

    throw_away = True

    def __init__(self, engine: Engine, bundle: Layout, folder: Path, kubernetes_version: str) -> None:
        self._engine = engine
        self._bundle = bundle
        self._folder = folder
        self._image = f"{NODE_IMAGE}:{kubernetes_version}"
        # What was read from a finished node container, by its ID: it doesn't change while the container lives.
        self._finished: dict[str, str] = {}

    def gap(self, name: str) -> str | None:
        """Why the bootstrap cluster can't be used yet."""
        node = self._node(name)
        if node is None:
            return f"there is no bootstrap cluster {name} on this machine"
        if not node.running:
            return f"node container {node.name} of the bootstrap cluster is stopped (exit code {node.exit_code})"
        if not self._ready(node):
            return f"bootstrap cluster {name} isn't finished: kubeadm hasn't ended on {node.name}"
        return None

    def start(self, name: str) -> None:
        """Make the cluster, finish it, or start its stopped container.

        Raises:
            Taken: a cluster of this name is there and isn't ours.
            StepError: kind failed; says what kubeadm said.
        """
        node = self._node(name)
        if node is None:
            self._create(name)
        elif not self._ours(node):
            raise Taken(
                f"the name {name} is taken",
                f"container {node.name} belongs to a kind cluster that bootstrapper didn't make",
                f"Remove it with 'kind delete cluster --name {name}', or choose another metadata.name.",
            )
        elif node.status == "created":  # the run that made it was killed before it was ever started
            self._redo(name, node)
        elif not node.running:
            self._engine.start(node.name)
        elif not self._ready(node):
            self._finish_or_redo(name, node)

    def kubeconfig(self, name: str) -> str | None:
        """The kubeconfig's text, None while there is no finished cluster."""
        node = self._node(name)
        if node is None or not node.running or not self._ready(node):
            return None
        if node.id not in self._finished:
            code, text = self._engine.execute(node.name, ["cat", ADMIN])
            if code != 0:
                return None
            self._finished[node.id] = self._reachable(node, text)
        return self._finished[node.id]

    def missing_images(self, name: str, images: Sequence[str]) -> str | None:
        """Which images the node lacks, as a sentence."""
        node = self._node(name)
        if node is None or not node.running:
            return f"bootstrap cluster {name} has no running node yet"
        missing = self._engine.missing_images(node.name, images)
        return f"{len(missing)} of {len(images)} images aren't on node {node.name} yet" if missing else None

    def load_images(self, name: str, images: Sequence[str]) -> None:
        """Put images into the node; its containerd answers well before kubeadm is done."""
        node = self._node(name)
        if node is None or not node.running:
            raise LostContact(f"bootstrap cluster {name} has no running node yet")
        missing = self._engine.missing_images(node.name, images)
        if missing:
            self._engine.load_into(node.name, self._bundle.docker_archive(missing))

    def exists(self, name: str) -> bool:
        """Whether anything of the cluster is there, finished or not."""
        return self._node(name) is not None

    def remove(self, name: str) -> None:
        """Remove the cluster with everything in it; one that isn't ours is left alone."""
        for container in self._engine.containers(name):
            if self._ours(container):
                self._engine.remove(container.name)

    def cause(self, name: str) -> Cause | None:
        """Why it isn't up, from its node container."""
        node = self._node(name)
        if node is None or node.running:
            return None
        return Cause(f"node container {node.name}", f"stopped with exit code {node.exit_code}")

    def _node(self, name: str) -> Container | None:
        found = [c for c in self._engine.containers(name) if c.role == "control-plane"]
        return found[0] if found else None

    def _ours(self, node: Container) -> bool:
        return MARK in self._engine.mounts(node.name)

    def _ready(self, node: Container) -> bool:
        return node.id in self._finished or self._engine.execute(node.name, ["test", "-e", READY])[0] == 0

    def _finish_or_redo(self, name: str, node: Container) -> None:
        answers, _ = self._engine.execute(
            node.name, ["kubectl", f"--kubeconfig={ADMIN}", "get", "--raw=/readyz", "--request-timeout=5s"]
        )
        if answers == 0:
            self._finish(node.name)
        else:
            self._redo(name, node)

    def _redo(self, name: str, node: Container) -> None:
        self._engine.remove(node.name)
        self._create(name)

    def _create(self, name: str) -> None:
        import platformdirs

        kind = self._bundle.executable("kind", platformdirs.user_cache_path("bootstrapper") / "bin")
        engine_images.load(self._engine, self._bundle, [self._image])
        with tempfile.TemporaryDirectory(prefix="bootstrapper-") as scratch:
            config = Path(scratch, "kind.yaml")
            config.write_text(yaml.safe_dump(self._config(name)), encoding="utf-8")
            # The kubeconfig goes into the scratch folder: the operator's own is nobody's business, and ours is read
            # from the node whenever it is asked for.
            command = [str(kind), "create", "cluster", "--name", name, "--image", self._image, "--retain"]
            command += ["--config", str(config), "--kubeconfig", str(Path(scratch, "kubeconfig"))]
            done = process.run(command, env={**os.environ, "KIND_EXPERIMENTAL_PROVIDER": "docker"})
        if done.code != 0:
            self._engine.containers(name)  # an engine that went away meanwhile says so itself: it may come back
            raise StepError(
                f"bootstrap cluster {name} couldn't be created",
                failure(done.err),
                f"See 'docker logs {name}-control-plane'; then run the same command again: it starts afresh.",
            )
        self._finish(f"{name}-control-plane")

    def _finish(self, container: str) -> None:
        """Switch the node image's own pod network on, and mark the cluster as finished."""
        network = manifests.path("cni", "node-routes.yaml").read_bytes()
        command = ["docker", "exec", "-i", container, "kubectl", f"--kubeconfig={ADMIN}", "apply", "-f", "-"]
        done = process.run(command, stdin=[network])
        if done.code != 0:
            raise LostContact(f"node {container} took no pod network", done.out.strip()[-300:])
        self._engine.execute(container, ["touch", READY])

    def _config(self, name: str) -> dict[str, Any]:
        mark = self._folder / "bootstrap-owner"
        mark.mkdir(mode=0o700, parents=True, exist_ok=True)
        mounts = [{"hostPath": str(mark), "containerPath": MARK, "readOnly": True}]
        if Path(SOCKET).exists():  # the docker provider makes machines beside this one
            mounts.append({"hostPath": SOCKET, "containerPath": SOCKET})
        return {
            "kind": "Cluster",
            "apiVersion": "kind.x-k8s.io/v1alpha4",
            "name": name,
            "networking": {"disableDefaultCNI": True},
            "nodes": [{"role": "control-plane", "extraMounts": mounts}],
        }

    def _reachable(self, node: Container, text: str) -> str:
        config = yaml.safe_load(text)
        port = self._engine.port(node.name, 6443)
        config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{port}"
        return str(yaml.safe_dump(config))


def failure(printed: str) -> str:
    """The reason in what kind printed: kubeadm's own errors, else kind's first `ERROR`, else its last line."""
    kubeadm = re.findall(r"\[ERROR [^\]]+\]: [^\n]*", printed)
    if kubeadm:
        return "kubeadm failed: " + "; ".join(dict.fromkeys(kubeadm))
    errors = [line for line in printed.splitlines() if "ERROR:" in line]
    lines = errors or printed.strip().splitlines()[-1:]
    return lines[0].strip() if lines else "kind said nothing"
