"""What is found unfit, with its remedy, before anything is touched; and how this machine's facts are read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bootstrapper import config, doctor
from bootstrapper.adapters import machine
from bootstrapper.config import ManagementCluster
from bootstrapper.doctor import GIB, Disk, Engine, Machine, Names, Present
from bootstrapper.request import Bootstrap, ControlPlane, WorkerPool

BIG = 64 * GIB


def a_request(control_plane: int = 1, workers: int = 0) -> ManagementCluster:
    pools = (WorkerPool("md-0", workers),) if workers else ()
    return replace(config.load(None), control_plane=ControlPlane(control_plane), workers=pools)


def a_fit_engine() -> Engine:
    return Engine((1, 48), BIG, sys_resource=True, nofile=1 << 20, disk=Disk("/var/lib/docker", BIG, BIG))


NOTHING = Present()
A_FIT_MACHINE = Machine(memory=BIG, inotify=1024, state_disk=Disk("/state", BIG, BIG))


def of_engine(
    engine: Engine,
    here: Machine = A_FIT_MACHINE,
    present: Present = NOTHING,
    request: ManagementCluster | None = None,
) -> list[str]:
    found = doctor.engine(request or a_request(), engine, here, present, GIB)
    assert all(f.remedy for f in found)
    return [f"{'blocks' if f.blocks else 'note'} {f.subject}: {f.text}" for f in found]


def test_a_fit_machine_has_no_findings() -> None:
    assert of_engine(a_fit_engine()) == []
    assert doctor.machine(A_FIT_MACHINE, here=5) == []


def test_what_cant_be_read_is_no_finding() -> None:
    assert of_engine(Engine((1, 48), BIG), Machine()) == []
    assert doctor.machine(Machine(), here=5) == []


@pytest.mark.parametrize(
    ("engine", "found"),
    [
        pytest.param(
            replace(a_fit_engine(), api=(1, 40)),
            "blocks container engine: its API is 1.40, 1.41 or later is needed",
            id="too old",
        ),
        pytest.param(
            replace(a_fit_engine(), memory=GIB), "blocks memory: 1.0 GiB are free, 2.0 GiB are needed", id="memory"
        ),
        pytest.param(
            replace(a_fit_engine(), disk=Disk("/var/lib/docker", 3 * GIB, 4 * GIB)),
            "blocks disk: 3.0 GiB are free in /var/lib/docker (container engine), 5.0 GiB are needed",
            id="disk",
        ),
        pytest.param(
            replace(a_fit_engine(), disk=Disk("/var/lib/docker", 10 * GIB, 100 * GIB)),
            "note disk: 10 % of /var/lib/docker are free; kubelets evict pods below 15%",
            id="disk nearly full",
        ),
        pytest.param(
            replace(a_fit_engine(), sys_resource=False),
            "blocks container engine: it has no CAP_SYS_RESOURCE to give, and its runtime runc insists: no node can "
            "start",
            id="capability",
        ),
        pytest.param(
            replace(a_fit_engine(), nofile=4096),
            "blocks container engine: its hard limit of open files is 4096; the load balancer needs 8192",
            id="open files",
        ),
    ],
)
def test_an_unfit_engine(engine: Engine, found: str) -> None:
    assert of_engine(engine) == [found]


def test_a_runtime_that_leaves_the_capability_out_is_fit() -> None:
    assert of_engine(replace(a_fit_engine(), sys_resource=False, default_runtime="runc-without-sys-resource")) == []


def test_all_findings_come_at_once() -> None:
    bad = Engine((1, 40), GIB, sys_resource=False, nofile=1024, disk=Disk("/d", 0, GIB))
    assert len(of_engine(bad)) == 6


@pytest.mark.parametrize(
    ("cgroup", "template", "version", "notes"),
    [
        ("v1", True, "v1.36.3", 1),
        ("v1", False, "v1.36.3", 0),
        ("v2", True, "v1.36.3", 0),
        ("v1", True, "v1.34.0", 0),
    ],
    ids=["own template", "ours takes care of it", "v2", "kubelet still takes it"],
)
def test_cgroup_v1_is_the_business_of_who_writes_the_template(
    cgroup: str, template: bool, version: str, notes: int
) -> None:
    request = replace(a_request(), template=Path("own.yaml") if template else None, kubernetes_version=version)
    assert len(of_engine(replace(a_fit_engine(), cgroup=cgroup), request=request)) == notes


@pytest.mark.parametrize(
    ("control_plane", "workers", "present", "gibibytes"),
    [
        pytest.param(1, 0, Present(), 2.0, id="one node and the bootstrap cluster"),
        pytest.param(3, 2, Present(), 4.0, id="plain ones take half"),
        pytest.param(3, 2, Present(bootstrap=True), 3.0, id="the bootstrap cluster stands already"),
        pytest.param(3, 2, Present(nodes=1, bootstrap=True), 2.0, id="and the first machine"),
        pytest.param(3, 2, Present(nodes=5), 0.0, id="everything stands, the bootstrap cluster is gone"),
        pytest.param(1, 0, Present(nodes=3), 0.0, id="more than asked for"),
    ],
)
def test_memory_for_what_isnt_there_yet(control_plane: int, workers: int, present: Present, gibibytes: float) -> None:
    assert doctor.memory_needed(a_request(control_plane, workers), present) == gibibytes * GIB


def test_other_requests_need_no_bootstrap_cluster() -> None:
    brought = replace(a_request(), bootstrap=Bootstrap("existing", Path("kubeconfig")))
    assert doctor.memory_needed(brought, Present()) == 1.0 * GIB
    assert doctor.memory_needed(config.workload("c2", workers=1), Present()) == 1.0 * GIB


def test_the_lesser_of_the_engines_memory_and_what_is_free_here_counts() -> None:
    assert of_engine(a_fit_engine(), replace(A_FIT_MACHINE, memory=GIB)) == [
        "blocks memory: 1.0 GiB are free, 2.0 GiB are needed"
    ]


@pytest.mark.parametrize(
    ("present", "gibibytes"),
    [
        (Present(), 2 * 1.0 + 2 * 1.5),
        (Present(images=True), 2 * 1.5),
        (Present(images=True, bootstrap=True), 1.5),
        (Present(images=True, nodes=1), 0.0),
    ],
)
def test_disk_for_what_isnt_there_yet(present: Present, gibibytes: float) -> None:
    assert doctor.disk_needed(a_request(), present, GIB) == gibibytes * GIB


@pytest.mark.parametrize(
    ("instances", "here", "blocks"),
    [(128, 2, [False]), (128, 3, [True]), (512, 9, []), (None, 9, [])],
)
def test_inotify(instances: int | None, here: int, blocks: list[bool]) -> None:
    found = doctor.machine(Machine(inotify=instances), here)
    assert [f.blocks for f in found] == blocks


def test_a_full_state_folder() -> None:
    (found,) = doctor.machine(Machine(state_disk=Disk("/state", 0, GIB)), here=1)
    assert found.text == "0.0 GiB are free in /state (state folder), 0.2 GiB are needed"


@pytest.mark.parametrize(
    ("missing", "versions", "found"),
    [
        pytest.param([], ["v1.36.3"], [], id="complete"),
        pytest.param(["a: sha256:1"], ["v1.36.3"], ["it isn't complete: a: sha256:1"], id="one blob missing"),
        pytest.param(list("abcde"), ["v1.36.3"], ["it isn't complete: a, b, c and 2 more"], id="many missing"),
        pytest.param([], ["v1.35.0"], ["Kubernetes v1.36.3 isn't in it; it has v1.35.0"], id="another version"),
        pytest.param([], [], ["Kubernetes v1.36.3 isn't in it; it has none"], id="no node image"),
    ],
)
def test_the_bundle(missing: list[str], versions: list[str], found: list[str]) -> None:
    request = replace(a_request(), kubernetes_version="v1.36.3")
    assert [f.text for f in doctor.bundle(request, missing, versions)] == found


MACHINES = {"mgmt-lb": "mgmt", "mgmt-control-plane-x7k2p": "mgmt"}
STRANGE = {"mgmt-lb": "", "web": ""}


@pytest.mark.parametrize(
    ("in_use", "ours", "found"),
    [
        pytest.param({"web": "", "other-lb": "other"}, False, [], id="free"),
        pytest.param(MACHINES, True, [], id="left by our own, killed run"),
        pytest.param(MACHINES, False, ["cluster name mgmt"], id="somebody else's cluster"),
        pytest.param(STRANGE, False, ["container name mgmt-lb"], id="a container of that name"),
        pytest.param(
            {**STRANGE, "mgmt-a": "mgmt"}, False, ["cluster name mgmt", "container name mgmt-lb"], id="both at once"
        ),
    ],
)
def test_names(in_use: dict[str, str], ours: bool, found: list[str]) -> None:
    names = Names(in_use, "mgmt", ["mgmt-lb"], frozenset({"mgmt"} if ours else ()))
    assert [f.subject for f in doctor.names(names)] == found


# this machine's facts


def a_proc(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_facts_are_read_from_proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    proc = a_proc(
        tmp_path,
        meminfo="MemTotal:       24684096 kB\nMemAvailable:       2048 kB\n",
        sys__fs__inotify__max_user_instances="128\n",
        self__comm="python3\n",
    )
    a_proc(
        tmp_path / "42",
        comm="dockerd\n",
        status="Name:\tdockerd\nCapBnd:\t000001fffeffffff\n",
        limits="Limit  Soft Limit  Hard Limit  Units\nMax open files            1024                 20000     files\n",
    )
    monkeypatch.setattr(machine, "PROC", proc)
    seen = machine.read(tmp_path / "not" / "there" / "yet")
    assert (seen.memory, seen.inotify) == (2048 * 1024, 128)
    assert seen.state_disk is not None
    assert seen.state_disk.total > 0
    daemon = machine.daemon("dockerd")
    assert daemon == proc / "42"
    assert (machine.sys_resource(daemon), machine.nofile(daemon)) == (False, 20000)
    assert machine.daemon("containerd") is None


def test_a_machine_without_proc_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "PROC", tmp_path / "none")
    seen = machine.read(tmp_path)
    assert (seen.memory, seen.inotify) == (None, None)
    assert machine.daemon("dockerd") is None
    assert machine.sys_resource(tmp_path) is None
    assert machine.nofile(tmp_path) is None


def test_a_full_capability_set_and_no_limit(tmp_path: Path) -> None:
    process = a_proc(
        tmp_path, status="CapBnd:\t000001ffffffffff\n", limits="Max open files   unlimited   unlimited   files\n"
    )
    assert machine.sys_resource(process) is True
    assert machine.nofile(process) == machine.UNLIMITED
