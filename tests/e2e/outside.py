"""What stands outside the command, seen by other programs than the command's own: docker and kubectl."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

CLUSTER_LABEL = "io.x-k8s.kind.cluster"
ROLE_LABEL = "io.x-k8s.kind.role"

Object = dict[str, Any]


def until(what: str, so: Callable[[], bool], seconds: float = 120.0) -> None:
    """Wait until it is so."""
    end = time.monotonic() + seconds
    while not so():
        assert time.monotonic() < end, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.3)


def docker(*args: str) -> str:
    """What a docker command prints."""
    done = subprocess.run(["docker", *args], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"docker {' '.join(args)}: {done.stderr}"
    return done.stdout.strip()


def execute(container: str, *command: str) -> subprocess.CompletedProcess[str]:
    """A command in a container, whatever comes of it."""
    return subprocess.run(["docker", "exec", container, *command], capture_output=True, text=True, check=False)


@dataclass(frozen=True)
class Container:
    """A container of a cluster."""

    id: str
    name: str
    role: str
    state: str


def containers(cluster: str) -> list[Container]:
    """The containers of a cluster, running or not, sorted by name."""
    form = f'{{{{.ID}}}} {{{{.Names}}}} {{{{.Label "{ROLE_LABEL}"}}}} {{{{.State}}}}'
    printed = docker("ps", "-a", "--no-trunc", "--filter", f"label={CLUSTER_LABEL}={cluster}", "--format", form)
    return sorted((Container(*line.split(" ")) for line in printed.splitlines()), key=lambda c: c.name)


def of_role(cluster: str, role: str) -> list[Container]:
    """Those of one role: control-plane, worker, external-load-balancer."""
    return [c for c in containers(cluster) if c.role == role]


@dataclass(frozen=True)
class Engine:
    """What the engine holds at one moment, besides containers."""

    volumes: frozenset[str]
    networks: frozenset[str]

    @classmethod
    def now(cls) -> Engine:
        """As it is."""
        return cls(
            frozenset(docker("volume", "ls", "-q").split()),
            frozenset(docker("network", "ls", "--format", "{{.Name}}").split()),
        )

    def added(self) -> list[str]:
        """Volumes and networks that weren't there then, are there now, and belong to no container that stands."""
        now = Engine.now()
        volumes = [v for v in now.volumes - self.volumes if not docker("ps", "-aq", "--filter", f"volume={v}")]
        networks = [n for n in now.networks - self.networks if not docker("ps", "-aq", "--filter", f"network={n}")]
        return sorted([f"volume {v}" for v in volumes] + [f"network {n}" for n in networks])


class Births:
    """Every container of a cluster that is created while this stands, also those that go away again."""

    def __init__(self, cluster: str) -> None:
        self._cluster = cluster

    def __enter__(self) -> Self:
        chosen = ["--filter", "event=create", "--filter", f"label={CLUSTER_LABEL}={self._cluster}"]
        self._watch = subprocess.Popen(
            ["docker", "events", *chosen, "--format", "{{.Actor.Attributes.name}}"], stdout=subprocess.PIPE, text=True
        )
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, t: TracebackType | None) -> None:
        self._watch.terminate()
        self.names = sorted(self._watch.communicate()[0].split())


@dataclass(frozen=True)
class Kubectl:
    """A cluster as kubectl shows it."""

    program: Path
    kubeconfig: Path

    def run(self, *args: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """One kubectl command, whatever comes of it."""
        argv = [str(self.program), f"--kubeconfig={self.kubeconfig}", f"--cache-dir={self.kubeconfig}-cache", *args]
        return subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False)

    def objects(self, kinds: str, *args: str) -> list[Object]:
        """The objects of some kinds (`machines,clusters`) in all namespaces."""
        done = self.run("get", kinds, "--all-namespaces", "--output=json", *args)
        assert done.returncode == 0, f"kubectl get {kinds}: {done.stderr}"
        return list(json.loads(done.stdout)["items"])

    def apply(self, objects: Sequence[Object]) -> None:
        """Apply them."""
        done = self.run("apply", "-f", "-", stdin=json.dumps({"kind": "List", "apiVersion": "v1", "items": objects}))
        assert done.returncode == 0, f"kubectl apply: {done.stderr}"

    def apply_file(self, path: Path) -> None:
        """Apply a manifest."""
        done = self.run("apply", "-f", str(path))
        assert done.returncode == 0, f"kubectl apply -f {path}: {done.stderr}"


def condition(obj: Object, kind: str) -> str:
    """`True`, or why the condition isn't."""
    found = [c for c in obj.get("status", {}).get("conditions", []) if c["type"] == kind]
    if not found:
        return f"no condition {kind}"
    return "True" if found[0]["status"] == "True" else f"{found[0]['reason']}: {found[0].get('message', '')}"


def names(objects: Sequence[Object]) -> list[str]:
    """Their names, sorted."""
    return sorted(o["metadata"]["name"] for o in objects)
