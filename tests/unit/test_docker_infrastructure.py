"""Machines that are containers: what is prepared, what they say, what is left of them. The engine is a fake."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from bootstrapper import config
from bootstrapper.adapters import engine_images, machine
from bootstrapper.adapters.docker_infrastructure import DockerInfrastructure, container_name
from bootstrapper.adapters.engine import Container, Engine, EngineFacts
from bootstrapper.adapters.layout import Artifact, File, Layout
from bootstrapper.adapters.remote_infrastructure import RemoteInfrastructure
from bootstrapper.adapters.state import State
from bootstrapper.doctor import Machine
from bootstrapper.errors import BundleError, EngineUnavailable, LostContact, Taken

if TYPE_CHECKING:
    from pathlib import Path

NODE, BALANCER = "kindest/node:v1.36.3", "kindest/haproxy:v20230606-42a2262b"
PAUSE, DNS = "images.example/pause:3.10.2", "images.example/coredns/coredns:v1.14.2"
KIND_NETWORK = {
    "Driver": "bridge",
    "Options": {"com.docker.network.bridge.enable_ip_masquerade": "true", "com.docker.network.driver.mtu": "1500"},
    "Labels": {},
}
ADMIN = yaml.safe_dump({"clusters": [{"name": "mgmt", "cluster": {"server": "https://172.18.0.3:6443"}}]})


def digest(text: str) -> str:
    return "sha256:" + (text.encode().hex() + "0" * 64)[:64]


def an_image(name: str) -> Artifact:
    files = (File("config", digest("config" + name), 10), File("layer-0", digest("layer" + name), 90))
    return Artifact("image", name, "1", "pkg:generic/x", digest(name), 100, files)


@dataclass
class FakeEngine(Engine):
    """An engine that is a few tables; `loaded` is what was given to it or to the nodes."""

    nodes: dict[str, tuple[str, Container]] = field(default_factory=dict)
    images: dict[str, str] = field(default_factory=dict)
    layers: dict[str, list[str]] = field(default_factory=dict)
    on_node: dict[str, set[str]] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)
    its_network: dict[str, Any] | None = None
    others_in_network: tuple[str, ...] = ()
    loaded: list[tuple[str, list[str]]] = field(default_factory=list)
    answers: bool = True

    def add(self, cluster: str, name: str, role: str = "control-plane", **state: Any) -> None:
        running = state.get("status", "running") == "running"
        fresh = Container(name, role, running, 0, NODE)
        self.nodes[name] = (cluster, replace(fresh, **state))

    def facts(self) -> EngineFacts:
        if not self.answers:
            raise EngineUnavailable("no container engine can be reached", "nothing listens on its socket", "Start it.")
        return EngineFacts("28", (1, 48), 1 << 40, "v2", "/", "runc")

    def containers(self, cluster: str) -> list[Container]:
        return sorted((c for label, c in self.nodes.values() if label == cluster), key=lambda c: c.name)

    def names_in_use(self) -> dict[str, str]:
        return {name: cluster for name, (cluster, _) in self.nodes.items()}

    def image_id(self, name: str) -> str | None:
        return self.images.get(name)

    def image_layers(self, name: str) -> list[str]:
        return self.layers.get(name, [])

    def load(self, archive: Iterable[bytes]) -> None:
        names = [chunk.decode() for chunk in archive]
        self.loaded.append(("engine", names))
        self.images |= {name: digest("config" + name) for name in names}

    def missing_images(self, container: str, images: Iterable[str]) -> list[str]:
        return [image for image in images if image not in self.on_node.get(container, set())]

    def load_into(self, container: str, archive: Iterable[bytes]) -> None:
        names = [chunk.decode() for chunk in archive]
        self.loaded.append((container, names))
        self.on_node.setdefault(container, set()).update(names)

    def execute(self, container: str, command: list[str]) -> tuple[int, str]:
        if command[0] == "cat":
            return (0, self.said["admin.conf"]) if "admin.conf" in self.said else (1, "no such file")
        return 0, self.said.get(container, "")

    def logs(self, container: str, lines: int) -> str:
        return self.said.get(container, "")

    def port(self, container: str, inside: int) -> int:
        return {("mgmt-lb", 6443): 32769}[container, inside]

    def remove(self, container: str) -> None:
        self.loaded.append(("removed", [container]))
        del self.nodes[container]

    def network(self, name: str) -> dict[str, Any] | None:
        return self.its_network

    def network_users(self, name: str) -> list[str]:
        return sorted([*self.nodes, *self.others_in_network])

    def remove_network(self, name: str) -> None:
        self.its_network = None


class FakeBundle(Layout):
    """A bundle whose archive is the names of its images."""

    def missing(self) -> list[str]:
        return []

    def docker_archive(self, names: Sequence[str]) -> Any:
        for name in names:
            self.artifact("image", name)
        return iter([name.encode() for name in names])


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(machine, "read", lambda folder: Machine())
    monkeypatch.setattr(machine, "daemon", lambda name: None)


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def docker(engine: FakeEngine, tmp_path: Path) -> DockerInfrastructure:
    names = (NODE, BALANCER, PAUSE, DNS)
    return DockerInfrastructure(engine, FakeBundle(tmp_path, ["linux/amd64"], [an_image(n) for n in names]))


def a_cluster(engine: FakeEngine, workers: int = 1, cluster: str = "mgmt") -> None:
    """As the docker provider makes it."""
    engine.add(cluster, f"{cluster}-lb", "external-load-balancer")
    engine.add(cluster, f"{cluster}-control-plane-x7k2p")
    for number in range(workers):
        engine.add(cluster, f"{cluster}-md-0-abcde-{number}", "worker")


def claim(name: str = "mgmt") -> None:
    State(name).write("claim", name)


MGMT = replace(config.load(None), name="mgmt", kubernetes_version="v1.36.3")

# before the first machine


def test_the_name_is_claimed_and_the_images_are_loaded(docker: DockerInfrastructure, engine: FakeEngine) -> None:
    assert docker.unprepared(MGMT) == "the name mgmt isn't claimed on this machine yet"
    docker.prepare(MGMT)
    assert docker.unprepared(MGMT) is None
    assert engine.loaded == [("engine", [NODE, BALANCER])]
    docker.prepare(MGMT)
    assert len(engine.loaded) == 1


@pytest.mark.parametrize(
    ("identity", "layers", "there"),
    [
        pytest.param(None, [], False, id="no image of that name"),
        pytest.param(digest("config" + NODE), [], True, id="the same"),
        pytest.param(digest("other"), [digest("other layer")], False, id="another one of that name"),
        pytest.param(digest("manifest"), [digest("layer" + NODE)], True, id="the same, in a containerd store"),
    ],
)
def test_an_image_is_there_when_its_content_is(
    identity: str | None, layers: list[str], there: bool, engine: FakeEngine, docker: DockerInfrastructure
) -> None:
    if identity:
        engine.images[NODE] = identity
    engine.layers[NODE] = layers
    assert engine_images.absent(engine, docker._bundle, [NODE]) == ([] if there else [NODE])


def test_an_image_that_the_bundle_lacks_is_named(docker: DockerInfrastructure) -> None:
    claim()
    with pytest.raises(BundleError, match=r"no image kindest/node:v1\.30\.0 in it"):
        docker.prepare(replace(MGMT, kubernetes_version="v1.30.0"))


def test_machines_of_somebody_else_are_never_taken_over(docker: DockerInfrastructure, engine: FakeEngine) -> None:
    a_cluster(engine)
    with pytest.raises(Taken) as caught:
        docker.prepare(MGMT)
    assert caught.value.what == "cluster name mgmt is taken"
    assert "mgmt-control-plane-x7k2p" in caught.value.why
    assert docker.unprepared(MGMT) is not None
    assert engine.loaded == []


@pytest.mark.parametrize("file", ["claim", "kubeconfig"])
def test_machines_of_our_own_killed_run_are_ours(file: str, docker: DockerInfrastructure, engine: FakeEngine) -> None:
    a_cluster(engine)
    State("mgmt").write(file, "x")
    assert docker.findings(MGMT) == []
    docker.prepare(MGMT)
    assert docker.unprepared(MGMT) is None


def test_a_workload_clusters_name_isnt_claimed_here(docker: DockerInfrastructure) -> None:
    request = config.workload("c2", kubernetes_version="v1.36.3")
    docker.prepare(request)
    assert docker.unprepared(request) is None
    assert docker.findings(request) == []
    assert State("c2").read("claim") is None


def test_everything_unfit_is_found_at_once(docker: DockerInfrastructure, engine: FakeEngine) -> None:
    a_cluster(engine)
    found = docker.findings(replace(MGMT, kubernetes_version="v1.30.0"))
    assert [f.subject for f in found] == ["bundle", "cluster name mgmt"]


def test_without_an_engine_the_rest_is_found_all_the_same(docker: DockerInfrastructure, engine: FakeEngine) -> None:
    engine.answers = False
    found = docker.findings(replace(MGMT, kubernetes_version="v1.30.0"))
    assert found[0].remedy == "Start it."
    assert [f.subject for f in found] == ["container engine", "bundle"]


# images on the machines


def test_images_go_to_every_running_machine_but_not_to_the_load_balancer(
    docker: DockerInfrastructure, engine: FakeEngine
) -> None:
    a_cluster(engine)
    engine.add("mgmt", "mgmt-md-0-abcde-9", "worker", status="exited")
    a_cluster(engine, cluster="other")
    engine.on_node["mgmt-control-plane-x7k2p"] = {PAUSE}
    assert docker.missing_images("mgmt", [PAUSE, DNS]) == (
        "not loaded yet: 1 of 2 images on mgmt-control-plane-x7k2p, 2 of 2 images on mgmt-md-0-abcde-0"
    )
    docker.load_images("mgmt", [PAUSE, DNS])
    assert engine.loaded == [("mgmt-control-plane-x7k2p", [DNS]), ("mgmt-md-0-abcde-0", [PAUSE, DNS])]
    assert docker.missing_images("mgmt", [PAUSE, DNS]) is None


def test_no_machine_is_no_success(docker: DockerInfrastructure, engine: FakeEngine) -> None:
    engine.add("mgmt", "mgmt-lb", "external-load-balancer")
    assert docker.missing_images("mgmt", [PAUSE]) == "cluster mgmt has no running machine yet"
    with pytest.raises(LostContact):
        docker.load_images("mgmt", [PAUSE])


# kubeconfig


def test_the_kubeconfig_leads_through_the_load_balancer(docker: DockerInfrastructure, engine: FakeEngine) -> None:
    a_cluster(engine)
    engine.said["admin.conf"] = ADMIN
    text = docker.kubeconfig("mgmt")
    assert text is not None
    assert yaml.safe_load(text)["clusters"][0]["cluster"]["server"] == "https://127.0.0.1:32769"


@pytest.mark.parametrize("lack", ["load balancer", "running load balancer", "control plane", "admin.conf"])
def test_there_is_no_kubeconfig_without(lack: str, docker: DockerInfrastructure, engine: FakeEngine) -> None:
    a_cluster(engine)
    engine.said["admin.conf"] = ADMIN
    if lack == "load balancer":
        del engine.nodes["mgmt-lb"]
    elif lack == "running load balancer":
        engine.add("mgmt", "mgmt-lb", "external-load-balancer", status="exited")
    elif lack == "control plane":
        del engine.nodes["mgmt-control-plane-x7k2p"]
    else:
        del engine.said["admin.conf"]
    assert docker.kubeconfig("mgmt") is None


# causes

FIRST = "mgmt-control-plane-x7k2p"


@pytest.mark.parametrize(
    ("state", "said", "cause", "hopeless"),
    [
        pytest.param({}, "", None, None, id="it says nothing: it's coming up"),
        pytest.param({"status": "created"}, "", None, None, id="about to start"),
        pytest.param({"status": "restarting"}, "", None, None, id="about to start again"),
        pytest.param(
            {"status": "exited", "exit_code": 137},
            "",
            f"container {FIRST}: it doesn't run: it was killed (SIGKILL)",
            True,
            id="killed",
        ),
        pytest.param(
            {"status": "exited", "exit_code": 137, "out_of_memory": True},
            "",
            f"container {FIRST}: it doesn't run: it was killed: it ran out of memory",
            True,
            id="out of memory",
        ),
        pytest.param(
            {"restarts": 1},
            "",
            f"machine {FIRST}: it stopped and was started again; what kubeadm had begun in it is lost",
            False,
            id="killed and started again",
        ),
        pytest.param(
            {},
            "running with swap on is not supported",
            f"machine {FIRST}: kubelet refuses to run: swap is on",
            True,
            id="kubelet's own words",
        ),
    ],
)
def test_a_machine_says_why(
    state: dict[str, Any],
    said: str,
    cause: str | None,
    hopeless: bool | None,
    docker: DockerInfrastructure,
    engine: FakeEngine,
) -> None:
    a_cluster(engine)
    engine.add("mgmt", FIRST, **state)
    engine.said[FIRST] = said
    found = docker.machine_cause("mgmt", FIRST)
    assert (str(found) if found else None, found.hopeless if found else None) == (cause, hopeless)


def test_a_machine_that_isnt_there_yet_is_no_cause_but_one_that_went_away_is(
    docker: DockerInfrastructure, engine: FakeEngine
) -> None:
    assert docker.machine_cause("mgmt", FIRST) is None
    a_cluster(engine)
    assert docker.machine_cause("mgmt", FIRST) is None
    del engine.nodes[FIRST]
    found = docker.machine_cause("mgmt", FIRST)
    assert found is not None
    assert (found.text, found.hopeless) == ("it was removed", True)


@pytest.mark.parametrize(
    ("status", "said", "cause"),
    [
        ("exited", "", "container mgmt-lb: it doesn't run: it ended"),
        (
            "running",
            "[haproxy.main()] Cannot raise FD limit to 200035, limit is 20000.",
            "load balancer mgmt-lb: the load balancer can't get the file handles that it asks for",
        ),
    ],
)
def test_a_load_balancer_that_fails_is_the_cause(
    status: str, said: str, cause: str, docker: DockerInfrastructure, engine: FakeEngine
) -> None:
    a_cluster(engine)
    engine.add("mgmt", "mgmt-lb", "external-load-balancer", status=status)
    engine.said["mgmt-lb"] = said
    found = docker.machine_cause("mgmt", FIRST)
    assert str(found) == cause


@pytest.mark.parametrize(("machine", "container"), [("mgmt-md-0-a", "mgmt-md-0-a"), ("workers-a", "mgmt-workers-a")])
def test_a_machines_container_is_found_as_the_provider_names_it(machine: str, container: str) -> None:
    assert container_name("mgmt", machine) == container


# what is left


@pytest.mark.parametrize(
    ("network", "others", "claimed", "left"),
    [
        pytest.param(KIND_NETWORK, (), True, True, id="made by kind, nobody else in it"),
        pytest.param(KIND_NETWORK, ("stopped-node",), True, False, id="somebody else is in it"),
        pytest.param(KIND_NETWORK, (), False, False, id="we never made anything here"),
        pytest.param({**KIND_NETWORK, "Labels": {"team": "a"}}, (), True, False, id="made by hand: labels"),
        pytest.param({**KIND_NETWORK, "Options": {}}, (), True, False, id="made by hand: no options"),
        pytest.param({**KIND_NETWORK, "Driver": "macvlan"}, (), True, False, id="made by hand: another driver"),
        pytest.param(None, (), True, False, id="there is none"),
    ],
)
def test_what_is_left_is_named_and_just_that_is_removed(
    network: dict[str, Any] | None,
    others: tuple[str, ...],
    claimed: bool,
    left: bool,
    docker: DockerInfrastructure,
    engine: FakeEngine,
) -> None:
    a_cluster(engine)
    engine.its_network, engine.others_in_network = network, others
    if claimed:
        claim()
    assert docker.leftovers("mgmt") == [
        "container mgmt-control-plane-x7k2p with its volumes",
        "container mgmt-lb with its volumes",
        "container mgmt-md-0-abcde-0 with its volumes",
        *(["network kind"] if left else []),
    ]
    docker.remove_leftovers("mgmt")
    assert engine.nodes == {}
    assert engine.its_network == (None if left else network)
    assert docker.leftovers("mgmt") == []
    docker.remove_leftovers("mgmt")


def test_the_load_balancer_goes_last(docker: DockerInfrastructure, engine: FakeEngine) -> None:
    a_cluster(engine, workers=2)
    docker.remove_leftovers("mgmt")
    assert engine.loaded[-1] == ("removed", ["mgmt-lb"])


def test_a_kind_cluster_of_the_same_name_is_left_alone(docker: DockerInfrastructure, engine: FakeEngine) -> None:
    for name in ("mgmt-control-plane", "mgmt-control-plane2", "mgmt-worker", "mgmt-external-load-balancer"):
        engine.add("mgmt", name)
    assert docker.leftovers("mgmt") == []
    docker.remove_leftovers("mgmt")
    assert len(engine.nodes) == 4
    assert docker.kubeconfig("mgmt") is None
    assert [f.subject for f in docker.findings(MGMT)] == ["cluster name mgmt"]


def test_other_clusters_stay(docker: DockerInfrastructure, engine: FakeEngine) -> None:
    a_cluster(engine, cluster="mgmt2")
    engine.its_network = KIND_NETWORK
    claim()
    docker.remove_leftovers("mgmt")
    assert len(engine.nodes) == 3
    assert engine.its_network is KIND_NETWORK


# machines elsewhere


def test_machines_elsewhere_need_nothing_from_here() -> None:
    remote = RemoteInfrastructure()
    remote.prepare(MGMT)
    remote.load_images("mgmt", [PAUSE])
    remote.remove_leftovers("mgmt")
    assert remote.findings(MGMT) == []
    assert remote.unprepared(MGMT) is None
    assert remote.missing_images("mgmt", [PAUSE]) is None
    assert remote.machine_cause("mgmt", "a") is None
    assert remote.kubeconfig("mgmt") is None
    assert remote.leftovers("mgmt") == []
