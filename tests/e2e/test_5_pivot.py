"""Everything moves to another management cluster and back, killed on the way, while workload clusters live on."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bootstrapper import manifests
from e2e import outside, topology
from e2e.conftest import SEED, Management
from e2e.lab import Lab
from e2e.outside import Births, Kubectl, Object, condition, until
from e2e.watch import Watch, machines

CLASSY, TEAM = "e2e-classy", "team"
KINDS = "clusters,clusterclasses,machines,machinesets,machinedeployments,kubeadmcontrolplanes,devmachines,devclusters"


@dataclass(frozen=True)
class Two:
    """Two management clusters by their API servers, and the workload clusters that change hands."""

    here: Lab
    there: Lab
    source: Kubectl
    target: Kubectl
    workloads: dict[str, Kubectl]

    @property
    def clusters(self) -> tuple[str, ...]:
        return (self.here.name, self.here.second, CLASSY, self.there.name)

    def sides(self, back: bool = False) -> list[str]:
        source, target = (self.target, self.source) if back else (self.source, self.target)
        return ["--kubeconfig", str(source.kubeconfig), "--to-kubeconfig", str(target.kubeconfig)]


@pytest.fixture(scope="module")
def two(management: Management, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    """The management cluster of all tests, with a ClusterClass-based cluster in a second namespace; and another one."""
    here = management.lab
    management.kubectl.apply(topology.objects(CLASSY, TEAM, manifests.versions()["kubernetes"]))
    there = Lab(tmp_path_factory.mktemp("there"), "e2e-there", workers=0)
    there.sweep()
    there.init().finish().must()
    classy = _with_network(here)
    workloads = {here.second: here.kubectl("cluster", "kubeconfig", here.second), CLASSY: classy}
    yield Two(here, there, management.kubectl, there.kubectl(), workloads)
    there.sweep()
    for found in outside.containers(CLASSY):
        outside.docker("rm", "-fv", found.name)


def _with_network(here: Lab) -> Kubectl:
    """The ClusterClass-based cluster, whole: its operator brings the pod network."""
    words = ("cluster", "kubeconfig", CLASSY, "-n", TEAM)
    until("it has a kubeconfig", lambda: here.run(*words).code == 0, 300)
    classy = here.kubectl(*words)
    until("its API server answers", lambda: classy.run("get", "--raw", "/readyz").returncode == 0, 300)
    classy.apply_file(manifests.path("cni", "node-routes.yaml"))
    status = ("cluster", "status", CLASSY, "-n", TEAM)
    until("it is whole", lambda: f"{CLASSY}  ready" in here.run(*status).out, 300)
    return classy


#: What a run says in this order; it is killed when it says so.
WORDS = ("pause: ", "copy: ", "fence: ", "hand over: ", "retire: ", "resume clusters: ", "start managers: ")


def begun(two: Two, machine: Lab, word: str) -> str:
    """A run that is killed when it says this; what it said, empty when it came to its end before."""
    running = machine.start("pivot", *two.sides(), "--yes")
    found = running.wait_for(lambda event: word in event["text"])
    running.kill()
    running.finish()
    return str(found["text"]) if found else ""


def available(cluster: Kubectl) -> dict[str, str]:
    """Each Cluster: `True`, or why it isn't available."""
    return {c["metadata"]["name"]: condition(c, "Available") for c in cluster.objects("clusters")}


def wanted(cluster: Kubectl) -> dict[str, Object]:
    """What a roll-out would change: the spec of each Machine and MachineSet."""
    found = cluster.objects("machines,machinesets")
    return {f"{o['kind']} {o['metadata']['name']}": o["spec"] for o in found}


def test_there_killed_three_times(two: Two, tmp_path: Path) -> None:
    seed = int(os.environ.get(SEED) or random.randrange(1 << 32))
    print(f"\nkills of the pivot by {SEED}={seed}:", flush=True)
    before, specs = machines(*two.clusters), wanted(two.source)
    words = [WORDS[place] for place in sorted(random.Random(seed).sample(range(len(WORDS)), 3))]
    laptop, desk = Lab(tmp_path / "laptop", "nobody"), Lab(tmp_path / "desk", "nobody")
    with Births(two.here.second) as second, Births(CLASSY) as classy, Watch(two.workloads) as watch:
        for word in words:
            said = begun(two, laptop, word)
            print(f"  killed at: {said}", flush=True)
            assert said
        desk.start("pivot", *two.sides(), "--yes").finish().must()
        until("all are available", lambda: set(available(two.target).values()) == {"True"}, 300)
    assert available(two.target).keys() == {*two.clusters}
    assert two.source.objects(KINDS) == []
    assert machines(*two.clusters) == before, "a machine was made, ended or started anew"
    assert second.names + classy.names == []
    assert watch.silent == []
    assert watch.answers > 0
    now = wanted(two.target)
    assert {name: now.get(name) for name in specs} == specs


def test_the_new_one_acts(two: Two) -> None:
    """It makes a machine, of the pool of a ClusterClass-based cluster, and takes it away."""
    for number in (2, 1):
        patch = f'[{{"op":"replace","path":"/spec/topology/workers/machineDeployments/0/replicas","value":{number}}}]'
        done = two.target.run("patch", "cluster", CLASSY, f"--namespace={TEAM}", "--type=json", f"--patch={patch}")
        assert done.returncode == 0, done.stderr
        has_workers(two, number)


def has_workers(two: Two, number: int) -> None:
    """Wait until there are so many."""
    until(f"{number} workers", lambda: workers(two) == (number, number), 300)


def workers(two: Two) -> tuple[int, int]:
    """The worker containers of the ClusterClass-based cluster, and its worker Machines."""
    pool = f"cluster.x-k8s.io/cluster-name={CLASSY},topology.cluster.x-k8s.io/deployment-name=md-0"
    return len(outside.of_role(CLASSY, "worker")), len(two.target.objects("machines", f"--selector={pool}"))


def test_and_back_again(two: Two) -> None:
    before = machines(*two.clusters)
    with Watch(two.workloads) as watch:
        done = two.here.start("pivot", *two.sides(back=True), "--yes").finish().must()
        until("all are available", lambda: set(available(two.source).values()) == {"True"}, 300)
    assert done.events()[-1]["in_charge"] == "target"
    assert two.target.objects(KINDS) == []
    assert machines(*two.clusters) == before
    assert watch.silent == []
    late = two.here.run("pivot", "abort", *two.sides(back=True))
    late.must(43)


def test_what_was_another_management_cluster_is_a_workload_cluster_now(two: Two) -> None:
    """Both extra clusters go the way of any workload cluster."""
    two.here.run("cluster", "delete", two.there.name, "--yes").must()
    two.here.run("cluster", "delete", CLASSY, "-n", TEAM, "--yes").must()
    assert outside.containers(two.there.name) == outside.containers(CLASSY) == []
    two.there.run("destroy", two.there.name, "--yes").must()
    assert two.there.left() == []
