"""The container engine (Docker), as the kind backend and the docker provider need it.

Every docker exception ends here: an engine that can't be reached is `EngineUnavailable`, permanent when there was never
one, and `LostContact` when it goes away half-way, because then it may come back.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from bootstrapper.adapters import process
from bootstrapper.errors import EngineUnavailable, LostContact, MachineError

if TYPE_CHECKING:
    from docker import DockerClient

F = TypeVar("F", bound=Callable[..., Any])

#: kind and the docker provider both mark their containers so.
CLUSTER_LABEL = "io.x-k8s.kind.cluster"
ROLE_LABEL = "io.x-k8s.kind.role"
#: The network that kind and the docker provider share.
NETWORK = "kind"

START_HINT = "Start the Docker engine (in a checkout: hack/engine start), then run this again."


@dataclass(frozen=True)
class Container:
    """One container of a cluster: its name, role, whether it runs, its exit code when it doesn't, its image's name.

    `status` is the engine's word (created, running, restarting, exited, dead, removing, paused), `restarts` how often
    the engine started it again after it failed.
    """

    name: str
    role: str
    running: bool
    exit_code: int
    image: str
    status: str = "running"
    out_of_memory: bool = False
    restarts: int = 0
    id: str = ""


@dataclass(frozen=True)
class EngineFacts:
    """What the engine says of itself. `memory` in bytes; `api` as (major, minor); `root`: its folder, as it sees it."""

    version: str
    api: tuple[int, int]
    memory: int
    cgroup: str
    root: str
    default_runtime: str


def _ours(method: F) -> F:
    """Turn what docker raises into ours."""

    @functools.wraps(method)
    def wrapped(self: Engine, *args: Any, **kwargs: Any) -> Any:
        import docker.errors
        import requests.exceptions

        try:
            answer = method(self, *args, **kwargs)
        except docker.errors.APIError as error:
            self.answered = True
            what = f"the container engine refused to {method.__name__.replace('_', ' ')}"
            why = str(error.explanation or error)
            # Absent or stopped between two questions: providers stop and replace containers, so it is worth waiting.
            kind = LostContact if error.status_code in (404, 409) else MachineError
            raise kind(what, why) from None
        except (docker.errors.DockerException, requests.exceptions.RequestException, OSError) as error:
            if not self.answered:
                raise EngineUnavailable("no container engine can be reached", _reason(error), START_HINT) from None
            raise LostContact("the container engine doesn't answer", _reason(error), START_HINT) from None
        self.answered = True
        return answer

    return wrapped  # type: ignore[return-value]  # a decorator that keeps the signature


def _reason(error: BaseException) -> str:
    text = str(error)
    if "Permission denied" in text:
        return "permission denied on its socket: be root, or be in its group"
    if "No such file" in text or "Connection refused" in text or "ConnectionRefused" in text:
        return "nothing listens on its socket"
    return text


class Engine:
    """A Docker engine as the operator's environment names it (DOCKER_HOST, else the default socket)."""

    #: Whether it ever did: one that never did isn't waited for.
    answered = False

    @functools.cached_property
    def _docker(self) -> DockerClient:
        import docker

        # A node image of a gigabyte takes its time to unpack: the engine answers only afterwards.
        return docker.from_env(timeout=600)

    @_ours
    def _info(self) -> tuple[dict[str, Any], dict[str, Any]]:
        return self._docker.info(), self._docker.version()

    def facts(self) -> EngineFacts:
        """What the engine says of itself.

        Raises:
            EngineUnavailable: there is none, or it doesn't let us in.
        """
        try:
            info, version = self._info()
        except LostContact as error:
            raise EngineUnavailable("no container engine can be reached", error.why, START_HINT) from None
        major, minor = version["ApiVersion"].split(".")[:2]
        return EngineFacts(
            version["Version"],
            (int(major), int(minor)),
            int(info["MemTotal"]),
            f"v{info.get('CgroupVersion', '1')}",
            info["DockerRootDir"],
            info.get("DefaultRuntime", "runc"),
        )

    @_ours
    def image_id(self, name: str) -> str | None:
        """The config digest of the image of this name, None when the engine has none."""
        import docker.errors

        try:
            return str(self._docker.images.get(name).id)
        except docker.errors.ImageNotFound:
            return None

    @_ours
    def image_layers(self, name: str) -> list[str]:
        """The digests of the unpacked layers of the image of this name; none when the engine hasn't got it."""
        import docker.errors

        try:
            return list(self._docker.images.get(name).attrs["RootFS"].get("Layers") or ())
        except docker.errors.ImageNotFound:
            return []

    @_ours
    def load(self, archive: Iterable[bytes]) -> None:
        """Load a docker-archive stream."""
        answers: Any = self._docker.api.load_image(archive)  # type: ignore[no-untyped-call]
        for line in answers or ():
            if "error" in line:
                raise MachineError("the container engine can't load an image", str(line["error"]))

    @_ours
    def containers(self, cluster: str) -> list[Container]:
        """The containers of a cluster, running or not, sorted by name."""
        found = self._docker.api.containers(all=True, filters={"label": f"{CLUSTER_LABEL}={cluster}"})
        seen = [self._container(item["Id"]) for item in found]
        return sorted((c for c in seen if c is not None), key=lambda c: c.name)

    def _container(self, identity: str) -> Container | None:
        import docker.errors

        try:
            item = self._docker.api.inspect_container(identity)
        except docker.errors.NotFound:  # removed since it was listed
            return None
        state, config = item["State"], item["Config"]
        return Container(
            item["Name"].lstrip("/"),
            config["Labels"].get(ROLE_LABEL, ""),
            bool(state["Running"]),
            int(state["ExitCode"]),
            config["Image"],
            str(state.get("Status", "")),
            bool(state.get("OOMKilled")),
            int(item.get("RestartCount", 0)),
            str(item["Id"]),
        )

    @_ours
    def mounts(self, container: str) -> dict[str, str]:
        """Where each folder in the container comes from: {path inside: path outside or volume name}."""
        item = self._docker.api.inspect_container(container)
        return {m["Destination"]: m.get("Source") or m.get("Name", "") for m in item["Mounts"]}

    @_ours
    def names_in_use(self) -> dict[str, str]:
        """Every container's name with the cluster it belongs to ("" for none)."""
        found = self._docker.api.containers(all=True)
        return {
            name.lstrip("/"): (item["Labels"] or {}).get(CLUSTER_LABEL, "") for item in found for name in item["Names"]
        }

    @_ours
    def execute(self, container: str, command: list[str]) -> tuple[int, str]:
        """Run a command in a container; its exit code and what it printed."""
        result: Any = self._docker.containers.get(container).exec_run(command)
        return int(result.exit_code), bytes(result.output).decode("utf-8", "replace")

    @_ours
    def logs(self, container: str, lines: int) -> str:
        """The last lines that the container's first process printed."""
        return bytes(self._docker.containers.get(container).logs(tail=lines)).decode("utf-8", "replace")

    @_ours
    def start(self, container: str) -> None:
        """Start a stopped container."""
        self._docker.api.start(container)

    @_ours
    def port(self, container: str, inside: int) -> int:
        """The port of this machine at which a container's port is published.

        Raises:
            LostContact: it isn't published (the container doesn't run).
        """
        item = self._docker.api.inspect_container(container)
        published = (item["NetworkSettings"]["Ports"] or {}).get(f"{inside}/tcp")
        if not published:
            raise LostContact(f"container {container} publishes no port {inside}", "it doesn't run")
        return int(published[0]["HostPort"])

    @_ours
    def remove(self, container: str) -> None:
        """Remove a container with its anonymous volumes, running or not; absent is fine."""
        import docker.errors

        try:
            self._docker.api.remove_container(container, v=True, force=True)
        except docker.errors.NotFound:
            return

    @_ours
    def network(self, name: str) -> dict[str, Any] | None:
        """A network as the engine's API gives it, None when there is none of this name."""
        import docker.errors

        try:
            return dict(self._docker.api.inspect_network(name))
        except docker.errors.NotFound:
            return None

    @_ours
    def network_users(self, name: str) -> list[str]:
        """The containers attached to a network; stopped ones too, which couldn't be started without it."""
        found = self._docker.api.containers(all=True, filters={"network": name})
        return sorted(str(item["Names"][0]).lstrip("/") for item in found)

    @_ours
    def remove_network(self, name: str) -> None:
        """Remove a network; absent is fine."""
        import docker.errors

        try:
            self._docker.api.remove_network(name)
        except docker.errors.NotFound:
            return

    def missing_images(self, container: str, images: Iterable[str]) -> list[str]:
        """Which of `images` a node container's containerd lacks."""
        code, printed = self.execute(container, ["ctr", "-n", "k8s.io", "images", "ls", "-q"])
        if code != 0:
            raise LostContact(f"containerd on node {container} doesn't answer", printed.strip()[-300:])
        have = set(printed.split())
        return [image for image in images if image not in have]

    def load_into(self, container: str, archive: Iterable[bytes]) -> None:
        """Load a docker-archive stream into a node container's containerd.

        Raises:
            LostContact: the node stopped or its containerd isn't up; may succeed later.
        """
        # Without --local, ctr hands the stream on to containerd in small pieces: three times the time and the CPU.
        importing = ["docker", "exec", "-i", container, "ctr", "-n", "k8s.io", "images", "import", "--local", "-"]
        done = process.run(importing, stdin=archive)
        if done.code != 0:
            raise LostContact(f"node {container} didn't take the images", done.out.strip()[-300:])
