"""The built-in templates: what a docker cluster is made of."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from bootstrapper import config, manifests
from bootstrapper.config import ClusterRequest
from bootstrapper.envsubst import names
from bootstrapper.template import render

TAINT = {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}
HEAD = "apiVersion: bootstrapper/v1alpha1\nkind: ManagementCluster\n"
PATCHES = "/etc/kubernetes/patches"


def rendered(request: ClusterRequest, **images: str) -> dict[str, dict[str, Any]]:
    """The objects by "Kind name"."""
    return {f"{o['kind']} {o['metadata']['name']}": o for o in render(request, {}, images)}


def references(value: Any) -> list[str]:
    """Every "Kind name" that something refers to by apiGroup."""
    if isinstance(value, list):
        return [found for item in value for found in references(item)]
    if not isinstance(value, dict):
        return []
    own = [f"{value['kind']} {value['name']}"] if "apiGroup" in value else []
    return own + [found for item in value.values() for found in references(item)]


SMALL = config.load(None)
LARGE = config.workload("c1", namespace="team", control_plane=3, workers=2)


def test_one_control_plane() -> None:
    assert list(rendered(SMALL)) == [
        "Cluster mgmt",
        "DevCluster mgmt",
        "DevMachineTemplate mgmt-control-plane",
        "KubeadmControlPlane mgmt-control-plane",
    ]


def test_each_pool_has_its_own_three_objects() -> None:
    request = config.parse(f"{HEAD}spec: {{workers: [{{name: a, replicas: 2}}, {{name: b, replicas: 0}}]}}\n", "f")
    objects = rendered(request)
    assert list(objects)[4:] == [
        "DevMachineTemplate mgmt-a",
        "KubeadmConfigTemplate mgmt-a",
        "MachineDeployment mgmt-a",
        "DevMachineTemplate mgmt-b",
        "KubeadmConfigTemplate mgmt-b",
        "MachineDeployment mgmt-b",
    ]
    assert [objects[f"MachineDeployment mgmt-{pool}"]["spec"]["replicas"] for pool in "ab"] == [2, 0]


@pytest.mark.parametrize("request_", [SMALL, LARGE], ids=["small", "large"])
class TestEveryCluster:
    def test_every_reference_is_to_something_there(self, request_: ClusterRequest) -> None:
        objects = rendered(request_)
        named = references(list(objects.values()))
        assert named
        assert set(named) <= set(objects)

    def test_one_namespace(self, request_: ClusterRequest) -> None:
        found = {o["metadata"]["namespace"] for o in rendered(request_).values()}
        assert found == {request_.namespace}

    def test_the_stored_version_of_each_kind(self, request_: ClusterRequest) -> None:
        assert {o["apiVersion"].partition("/")[2] for o in rendered(request_).values()} == {"v1beta2"}

    def test_every_machine_can_make_others_through_the_engine(self, request_: ClusterRequest) -> None:
        machines = [o for name, o in rendered(request_).items() if name.startswith("DevMachineTemplate")]
        for machine in machines:
            docker = machine["spec"]["template"]["spec"]["backend"]["docker"]
            assert docker["customImage"] == f"kindest/node:{request_.kubernetes_version}"
            socket = "/var/run/docker.sock"
            assert {"containerPath": socket, "hostPath": socket} in docker["extraMounts"]

    def test_the_image_may_be_another(self, request_: ClusterRequest) -> None:
        objects = rendered(request_, NODE_IMAGE="mirror.local:5000/node@sha256:" + "0" * 64)
        machine = objects[f"DevMachineTemplate {request_.name}-control-plane"]
        image = machine["spec"]["template"]["spec"]["backend"]["docker"]["customImage"]
        assert image.startswith("mirror.local:5000/node@sha256:0")

    def test_kubelets_start_on_cgroup_v1(self, request_: ClusterRequest) -> None:
        for name, item in rendered(request_).items():
            if not name.startswith("Kubeadm"):
                continue
            spec = item["spec"].get("kubeadmConfigSpec") or item["spec"]["template"]["spec"]
            patches = [f for f in spec["files"] if f["path"] == f"{PATCHES}/kubeletconfiguration0+merge.yaml"]
            assert [yaml.safe_load(f["content"])["failCgroupV1"] for f in patches] == [False]
            used = [
                spec[key]["patches"]["directory"] for key in ("initConfiguration", "joinConfiguration") if key in spec
            ]
            assert set(used) == {PATCHES}


class TestControlPlane:
    @pytest.mark.parametrize("request_", [SMALL, LARGE], ids=["small", "large"])
    def test_it_is_reached_by_the_names_of_this_machine(self, request_: ClusterRequest) -> None:
        spec = rendered(request_)[f"KubeadmControlPlane {request_.name}-control-plane"]["spec"]
        sans = spec["kubeadmConfigSpec"]["clusterConfiguration"]["apiServer"]["certSANs"]
        assert {"localhost", "127.0.0.1", "0.0.0.0"} <= set(sans)

    def test_size_and_version(self) -> None:
        spec = rendered(LARGE)["KubeadmControlPlane c1-control-plane"]["spec"]
        assert (spec["replicas"], spec["version"]) == (3, manifests.versions()["kubernetes"])

    @pytest.mark.parametrize(
        ("who", "request_", "taints"),
        [
            ("management", SMALL, []),
            ("management with workers", config.parse(f"{HEAD}spec: {{workers: [{{name: a}}]}}", "f"), []),
            ("workload without workers", config.workload("c1"), []),
            ("workload with workers", LARGE, [TAINT]),
        ],
    )
    def test_what_may_run_there(self, who: str, request_: ClusterRequest, taints: list[object]) -> None:
        kubeadm = rendered(request_)[f"KubeadmControlPlane {request_.name}-control-plane"]["spec"]["kubeadmConfigSpec"]
        for phase in ("initConfiguration", "joinConfiguration"):
            assert kubeadm[phase]["nodeRegistration"]["taints"] == taints, who


class TestNetwork:
    def test_the_ranges(self) -> None:
        text = f"{HEAD}spec: {{network: {{pods: 10.7.0.0/16, services: 10.8.0.0/20}}}}"
        network = rendered(config.parse(text, "f"))["Cluster mgmt"]["spec"]["clusterNetwork"]
        assert network["pods"] == {"cidrBlocks": ["10.7.0.0/16"]}
        assert network["services"] == {"cidrBlocks": ["10.8.0.0/20"]}


class TestNames:
    @pytest.mark.parametrize("name", ["on", "null", "123", "1e3", "0x1f"])
    def test_a_name_that_looks_like_something_else_stays_text(self, name: str) -> None:
        objects = rendered(config.workload(name, namespace=name, workers=1))
        assert objects[f"Cluster {name}"]["spec"]["infrastructureRef"]["name"] == name
        assert objects[f"MachineDeployment {name}-md-0"]["spec"]["clusterName"] == name


class TestFiles:
    def test_each_template_says_which_variables_it_has(self) -> None:
        for file in manifests.path("templates").rglob("*.yaml"):
            text = file.read_text()
            comment = "".join(line for line in text.splitlines(keepends=True) if line.startswith("#"))
            used = names(text, file.name)
            assert used
            assert used <= set(re.findall(r"[A-Z_]{4,}", comment)), file.name

    def test_docker_is_built_in(self) -> None:
        assert "docker" in manifests.builtin_providers()

    def test_versions_are_versions(self) -> None:
        assert all(re.fullmatch(r"v\d+\.\d+\.\d+", version) for version in manifests.versions().values())
