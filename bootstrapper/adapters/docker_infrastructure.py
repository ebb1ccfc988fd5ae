"""The docker provider's machines: containers on this machine's engine, one of them a load balancer.

They are found by the label that the provider gives them. kind gives the same one to its own nodes; those are told apart
by their names, and never touched from here.

A management cluster's name is claimed in its state folder before its first machine is made, so that a later run knows
the machines of an earlier one from somebody else's.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from bootstrapper import diagnose, doctor
from bootstrapper.adapters import engine_images, machine
from bootstrapper.adapters import state as states
from bootstrapper.adapters.engine import NETWORK, Container, Engine
from bootstrapper.adapters.layout import Layout
from bootstrapper.config import ClusterRequest, ManagementCluster
from bootstrapper.errors import EngineUnavailable, LostContact, Taken
from bootstrapper.step import Cause
from bootstrapper.world import Finding, bootstrap_name

NODE_IMAGE = "kindest/node"
BALANCER_IMAGE = "kindest/haproxy"
CONTROL_PLANE, WORKER, BALANCER = "control-plane", "worker", "external-load-balancer"
ADMIN = "/etc/kubernetes/admin.conf"
API_PORT = 6443
CLAIM = "claim"
#: How much of a machine's log is read.
LINES = 200
#: The options that kind gives the network it makes (kind, providers/docker/network.go), the second one when it must.
KIND_OPTIONS = {"com.docker.network.bridge.enable_ip_masquerade", "com.docker.network.driver.mtu"}


class DockerInfrastructure:
    """See `bootstrapper.world.Infrastructure`."""

    def __init__(self, engine: Engine, bundle: Layout) -> None:
        self._engine = engine
        self._bundle = bundle
        #: Machines that were there once: one that isn't any more was taken away, not delayed.
        self._seen: set[str] = set()

    # before the first machine

    def findings(self, config: ClusterRequest) -> list[Finding]:
        """What is unfit on this machine, its engine and the bundle, all at once."""
        here = machine.read(states.State(config.name).folder)
        versions = [a.name.partition(":")[2] for a in self._bundle.of_kind("image") if _is(a.name, NODE_IMAGE)]
        found = [
            *doctor.machine(here, doctor.nodes(config) + 1),
            *doctor.bundle(config, self._bundle.missing(), versions),
        ]
        try:
            return found + self._engine_findings(config, here)
        except (EngineUnavailable, LostContact) as error:
            return [Finding("container engine", str(error), error.hint, whose="engine"), *found]

    def unprepared(self, request: ClusterRequest) -> str | None:
        """Which images the engine lacks, or that a management cluster's name isn't claimed."""
        if _claimable(request):
            return f"the name {request.name} isn't claimed on this machine yet"
        lacking = engine_images.absent(self._engine, self._bundle, self._images(request))
        return f"not in the container engine yet: {', '.join(lacking)}" if lacking else None

    def prepare(self, request: ClusterRequest) -> None:
        """Claim the name, then load the images.

        Raises:
            Taken: machines of that name are there, and this state folder knows nothing of them.
            BundleError: an image isn't in the bundle.
        """
        if _claimable(request):
            for finding in self._name_findings(request):
                raise Taken(f"{finding.subject} is taken", finding.text, finding.remedy)
            states.State(request.name).write(CLAIM, f"{request.name}\n")
        engine_images.load(self._engine, self._bundle, self._images(request))

    # machines

    def missing_images(self, cluster: str, images: Sequence[str]) -> str | None:
        """Which images the running machines of a cluster lack."""
        nodes = self._nodes(cluster)
        if not nodes:
            return f"cluster {cluster} has no running machine yet"
        lacking = {node.name: len(self._engine.missing_images(node.name, images)) for node in nodes}
        said = [f"{count} of {len(images)} images on {name}" for name, count in lacking.items() if count]
        return f"not loaded yet: {', '.join(said)}" if said else None

    def load_images(self, cluster: str, images: Sequence[str]) -> None:
        """Load them, one machine after another: they share this machine's disk.

        Raises:
            LostContact: there is no running machine, or one didn't take them.
        """
        nodes = self._nodes(cluster)
        if not nodes:
            raise LostContact(f"cluster {cluster} has no running machine yet")
        for node in nodes:
            lacking = self._engine.missing_images(node.name, images)
            if lacking:
                self._engine.load_into(node.name, self._bundle.docker_archive(lacking))

    def kubeconfig(self, cluster: str) -> str | None:
        """The admin kubeconfig of a control-plane machine, by the load balancer's port on this machine."""
        balancer = self._balancer(cluster)
        if balancer is None or not balancer.running:
            return None
        for node in self._nodes(cluster):
            if node.role == CONTROL_PLANE:
                code, text = self._engine.execute(node.name, ["cat", ADMIN])
                if code == 0:
                    return with_server(text, f"https://127.0.0.1:{self._engine.port(balancer.name, API_PORT)}")
        return None

    def machine_cause(self, cluster: str, machine: str) -> Cause | None:
        """What a machine's container says about why it doesn't come up; None when it says nothing of it.

        A container that isn't there yet is no cause: what it waits for stands in the Machine's conditions.
        """
        name = container_name(cluster, machine)
        found = next((c for c in self._machines(cluster) if c.name == name), None)
        if found is None:
            gone = name in self._seen
            return Cause(f"container {name}", "it was removed", diagnose.ANEW, hopeless=True) if gone else None
        self._seen.add(name)
        return stop_cause(found) or self._said(found) or self._balancer_cause(cluster)

    # what is left

    def leftovers(self, cluster: str) -> list[str]:
        """The containers of a cluster, and the network when nobody else is left in it."""
        machines = [c.name for c in self._machines(cluster)]
        network = [f"network {NETWORK}"] if self._network_is_left(cluster, machines) else []
        return [f"container {name} with its volumes" for name in machines] + network

    def remove_leftovers(self, cluster: str) -> None:
        """Remove just that; the load balancer last, so that a kill in between leaves what is found again."""
        for found in sorted(self._machines(cluster), key=lambda c: c.role == BALANCER):
            self._engine.remove(found.name)
        if self._network_is_left(cluster, []):
            self._engine.remove_network(NETWORK)

    # below

    def _images(self, config: ClusterRequest) -> list[str]:
        balancers = [a.name for a in self._bundle.of_kind("image") if _is(a.name, BALANCER_IMAGE)]
        return [f"{NODE_IMAGE}:{config.kubernetes_version}", *(balancers or [BALANCER_IMAGE])]

    def _machines(self, cluster: str) -> list[Container]:
        return [c for c in self._engine.containers(cluster) if not is_kinds_own(cluster, c.name)]

    def _nodes(self, cluster: str) -> list[Container]:
        return [c for c in self._machines(cluster) if c.running and c.role in (CONTROL_PLANE, WORKER)]

    def _balancer(self, cluster: str) -> Container | None:
        return next((c for c in self._machines(cluster) if c.role == BALANCER), None)

    def _said(self, found: Container) -> Cause | None:
        reading = ["journalctl", "--no-pager", "--output=cat", f"--lines={LINES}", "--unit=kubelet"]
        code, printed = self._engine.execute(found.name, reading)
        words = diagnose.kubelet(printed) if code == 0 else None
        if words:
            return Cause(f"machine {found.name}", words.text, words.hint, words.hopeless)
        if found.restarts:
            text = "it stopped and was started again; what kubeadm had begun in it is lost"
            return Cause(f"machine {found.name}", text, diagnose.ANEW)
        return None

    def _balancer_cause(self, cluster: str) -> Cause | None:
        balancer = self._balancer(cluster)
        if balancer is None:
            return None
        words = diagnose.balancer(self._engine.logs(balancer.name, LINES))
        said = Cause(f"load balancer {balancer.name}", words.text, words.hint, words.hopeless) if words else None
        return stop_cause(balancer) or said

    def _engine_findings(self, config: ClusterRequest, here: doctor.Machine) -> list[Finding]:
        said, images = self._engine.facts(), self._images(config)
        process = machine.daemon("dockerd") if _engine_is_here() else None
        facts = doctor.Engine(said.api, said.memory, said.cgroup, said.default_runtime)
        if process:
            seen = machine.sys_resource(process), machine.nofile(process), machine.disk(Path(said.root))
            facts = doctor.Engine(said.api, said.memory, said.cgroup, said.default_runtime, *seen)
        size = engine_images.size(self._bundle, images)
        around = here if process else doctor.Machine()
        return [
            *doctor.engine(config, facts, around, self._present(config, images), size),
            *(self._name_findings(config) if _claimable(config) else []),
        ]

    def _present(self, config: ClusterRequest, images: list[str]) -> doctor.Present:
        bootstrap = bootstrap_name(config) if isinstance(config, ManagementCluster) else ""
        stands = bool(bootstrap) and any(c.running for c in self._engine.containers(bootstrap))
        there = all(self._engine.image_id(name) for name in images)
        return doctor.Present(len(self._nodes(config.name)), stands, there)

    def _name_findings(self, config: ClusterRequest) -> list[Finding]:
        in_use = self._engine.names_in_use()
        return doctor.names(doctor.Names(in_use, config.name, [f"{config.name}-lb"]))

    def _network_is_left(self, cluster: str, without: Sequence[str]) -> bool:
        """Whether the network is ours to remove: we made machines here, it is as kind makes it, and no container uses
        it, running or not. kind makes it anew when it needs it; one that somebody made by hand is left alone."""
        network = self._engine.network(NETWORK) if _claimed(cluster) else None
        if network is None or not is_kinds_network(network):
            return False
        return set(self._engine.network_users(NETWORK)) <= set(without)


def container_name(cluster: str, machine: str) -> str:
    """A machine's container, as the docker provider names it (MachineContainerName)."""
    return machine if machine.startswith(cluster) else f"{cluster}-{machine}"


def is_kinds_own(cluster: str, container: str) -> bool:
    """Whether a container is a node that kind made: the docker provider's names end in what was made up for them."""
    return bool(re.fullmatch(re.escape(cluster) + r"-(control-plane\d*|worker\d*|external-load-balancer)", container))


def is_kinds_network(network: dict[str, Any]) -> bool:
    """Whether a network looks as kind makes it when there is none."""
    options = network.get("Options") or {}
    masked = options.get("com.docker.network.bridge.enable_ip_masquerade") == "true"
    return network["Driver"] == "bridge" and masked and not network.get("Labels") and set(options) <= KIND_OPTIONS


def stop_cause(container: Container) -> Cause | None:
    """Why a stopped container is stopped. The provider starts none again; one that it is just about to start is no
    stopped one."""
    if container.status == "paused":
        hint = f"'docker unpause {container.name}', then run the same command again."
        return Cause(f"container {container.name}", "it is paused", hint)
    if container.status not in ("exited", "dead"):
        return None
    why = diagnose.stopped(container.exit_code, out_of_memory=container.out_of_memory)
    hint = f"Was its node complete? Then start it ('docker start {container.name}'). Otherwise: {diagnose.ANEW}"
    return Cause(f"container {container.name}", f"it doesn't run: {why}", hint, hopeless=True)


def with_server(kubeconfig: str, server: str) -> str:
    """The kubeconfig with another address of the API server."""
    config = yaml.safe_load(kubeconfig)
    for cluster in config["clusters"]:
        cluster["cluster"]["server"] = server
    return str(yaml.safe_dump(config))


def _claimable(request: ClusterRequest) -> bool:
    """Whether its name must be claimed yet. A workload cluster's name is its management cluster's business."""
    return isinstance(request, ManagementCluster) and not _claimed(request.name)


def _claimed(name: str) -> bool:
    state = states.State(name)
    return state.read(CLAIM) is not None or state.read("kubeconfig") is not None


def _is(image: str, repository: str) -> bool:
    return image.startswith(f"{repository}:")


def _engine_is_here() -> bool:
    return os.environ.get("DOCKER_HOST", "unix://").startswith("unix://")
