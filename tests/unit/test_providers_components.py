"""A provider from its release's files: variables, labels, namespace, inventory, images, waves."""

from __future__ import annotations

from typing import Any

import pytest

from bootstrapper.errors import BundleError, TemplateError
from bootstrapper.providers import components, waves

Object = dict[str, Any]

COMPONENTS = """\
apiVersion: v1
kind: Namespace
metadata: {name: capx-system, labels: {control-plane: controller-manager}}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: xclusters.infrastructure.cluster.x-k8s.io}
spec:
  conversion:
    strategy: Webhook
    webhook: {clientConfig: {service: {name: capx-webhook-service, namespace: elsewhere, path: /convert}}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: capx-manager}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: capx-manager-rolebinding}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: capx-manager-role}
subjects:
- {kind: ServiceAccount, name: capx-manager, namespace: elsewhere}
- {kind: Group, name: "system:masters"}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: capx-controller-manager, namespace: elsewhere}
spec:
  template:
    spec:
      initContainers: [{name: prepare, image: example.org/before:v1}]
      containers:
      - {name: manager, image: "example.org/capx:v1.2.3", args: ["--t=${CLUSTER_TOPOLOGY:=false}", "--a=${A:=1}"]}
      - {name: proxy, image: "example.org/prepare:v2"}
---
# an empty document stays out
---
apiVersion: v1
kind: ConfigMap
metadata: {name: since, annotations: {day: 2026-01-31}}
"""
METADATA = """\
apiVersion: clusterctl.cluster.x-k8s.io/v1alpha3
kind: Metadata
releaseSeries:
- {major: 1, minor: 2, contract: v1beta2}
- {major: 1, minor: 10, contract: v1beta2}
- {major: 0, minor: 9, contract: v1alpha4}
"""


def read(text: str = COMPONENTS, kind: str = "infrastructure", version: str = "v1.2.3", **variables: str) -> Any:
    return components.read(kind, "x", version, text, METADATA, variables)


def of_kind(objects: Any, kind: str) -> Object:
    found = [obj for obj in objects if obj["kind"] == kind]
    assert len(found) == 1
    return dict(found[0])


def test_every_object_has_the_labels_that_clusterctl_looks_for_and_keeps_its_own() -> None:
    for obj in read().objects:
        labels = obj["metadata"]["labels"]
        assert labels["clusterctl.cluster.x-k8s.io"] == ""
        assert labels["cluster.x-k8s.io/provider"] == "infrastructure-x"
    assert of_kind(read().objects, "Namespace")["metadata"]["labels"]["control-plane"] == "controller-manager"


@pytest.mark.parametrize(
    ("kind", "label", "recorded"),
    [
        ("core", "x", "CoreProvider"),
        ("bootstrap", "bootstrap-x", "BootstrapProvider"),
        ("control-plane", "control-plane-x", "ControlPlaneProvider"),
        ("infrastructure", "infrastructure-x", "InfrastructureProvider"),
        ("runtime-extension", "runtime-extension-x", "RuntimeExtensionProvider"),
    ],
)
def test_the_inventory_s_entry_is_clusterctl_s(kind: str, label: str, recorded: str) -> None:
    assert read(kind=kind).inventory() == {
        "apiVersion": "clusterctl.cluster.x-k8s.io/v1alpha3",
        "kind": "Provider",
        "metadata": {
            "name": label,
            "namespace": "capx-system",
            "labels": {
                "clusterctl.cluster.x-k8s.io": "",
                "cluster.x-k8s.io/provider": label,
                "clusterctl.cluster.x-k8s.io/core": "inventory",
            },
        },
        "providerName": "x",
        "type": recorded,
        "version": "v1.2.3",
        "watchedNamespace": "",
    }


def test_everything_namespaced_and_all_that_points_there_is_in_the_provider_s_namespace() -> None:
    objects = read().objects
    placed = {obj["kind"]: obj["metadata"].get("namespace") for obj in objects}
    assert placed == {
        "Namespace": None,
        "CustomResourceDefinition": None,
        "ServiceAccount": "capx-system",
        "ClusterRoleBinding": None,
        "Deployment": "capx-system",
        "ConfigMap": "capx-system",
    }
    account, group = of_kind(objects, "ClusterRoleBinding")["subjects"]
    assert account["namespace"] == "capx-system"
    assert "namespace" not in group
    webhook = of_kind(objects, "CustomResourceDefinition")["spec"]["conversion"]["webhook"]
    assert webhook["clientConfig"]["service"]["namespace"] == "capx-system"


@pytest.mark.parametrize(
    ("variables", "args"),
    [
        ({}, ["--t=true", "--a=1"]),
        ({"CLUSTER_TOPOLOGY": "false", "A": "2"}, ["--t=false", "--a=2"]),
    ],
)
def test_variables_win_over_our_defaults_and_ours_over_the_file_s(variables: dict[str, str], args: list[str]) -> None:
    deployment = of_kind(read(**variables).objects, "Deployment")
    assert deployment["spec"]["template"]["spec"]["containers"][0]["args"] == args


def test_contract_is_that_of_the_release_series() -> None:
    assert (read().contract, read(version="v1.10.0-rc.1").contract, read(version="v0.9.1").contract) == (
        "v1beta2",
        "v1beta2",
        "v1alpha4",
    )
    assert list(read().series) == ["1.10", "1.2", "0.9"]


def test_a_date_stays_text() -> None:
    assert of_kind(read().objects, "ConfigMap")["metadata"]["annotations"] == {"day": "2026-01-31"}


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [
        ("a: [", BundleError, "infrastructure-x's components: not YAML"),
        ("- a list", BundleError, "not Kubernetes objects"),
        ("{apiVersion: v1, kind: Namespace, metadata: {}}", BundleError, "no kind and name"),
        ("{apiVersion: v1, kind: Service, metadata: {name: a}}", BundleError, "0 Namespaces"),
        (COMPONENTS + "---\n{apiVersion: v1, kind: Namespace, metadata: {name: b}}", BundleError, "2 Namespaces"),
        ("a: ${NEEDED}", TemplateError, "NEEDED has no value"),
    ],
)
def test_a_file_that_is_no_components_file_is_refused(text: str, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        read(text)


def test_the_inventory_s_definition_is_labelled_as_clusterctl_does() -> None:
    text = "{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: providers}}"
    [found] = components.inventory_definition(text)
    assert found["metadata"]["labels"] == {"clusterctl.cluster.x-k8s.io/core": "inventory"}


def pod_of(*images: str) -> Object:
    return {"containers": [{"name": f"c{n}", "image": image} for n, image in enumerate(images)]}


@pytest.mark.parametrize(
    ("obj", "images"),
    [
        ({"kind": "Pod", "spec": pod_of("a")}, ["a"]),
        ({"kind": "DaemonSet", "spec": {"template": {"spec": pod_of("b", "a", "b")}}}, ["a", "b"]),
        ({"kind": "CronJob", "spec": {"jobTemplate": {"spec": {"template": {"spec": pod_of("a")}}}}}, ["a"]),
        ({"kind": "Service", "spec": {}}, []),
        ({"kind": "MachineDeployment", "spec": {"template": {"spec": {"bootstrap": {}}}}}, []),
        ({"kind": "DockerMachineTemplate", "spec": {"template": "text"}}, []),
    ],
)
def test_images_of_every_kind_of_workload(obj: Object, images: list[str]) -> None:
    assert components.images([obj]) == images


def test_images_of_init_containers_count() -> None:
    assert components.images(read().objects) == [
        "example.org/before:v1",
        "example.org/capx:v1.2.3",
        "example.org/prepare:v2",
    ]


KINDS = """Deployment Provider ValidatingWebhookConfiguration RoleBinding Role CustomResourceDefinition Secret Namespace
Certificate Issuer ClusterClass""".split()  # noqa: SIM905 - a list of words


def test_waves_come_in_the_order_in_which_objects_need_each_other() -> None:
    found = waves.waves({"kind": kind, "metadata": {"name": kind.lower()}} for kind in KINDS)
    assert {wave: [obj["kind"] for obj in objects] for wave, objects in found.items()} == {
        "namespaces": ["Namespace"],
        "secrets": ["Secret"],
        "definitions": ["CustomResourceDefinition"],
        "access": ["Role", "Issuer"],
        "bindings": ["RoleBinding", "Certificate", "ClusterClass"],
        "webhooks": ["ValidatingWebhookConfiguration"],
        "managers": ["Deployment"],
        "inventory": ["Provider"],
    }
    order = ["namespaces", "secrets", "definitions", "access", "bindings", "webhooks", "managers", "inventory"]
    assert list(found) == order
    assert list(waves.waves([])) == order


def test_no_wave_loses_an_object() -> None:
    provider = read()
    objects = [*provider.objects, provider.inventory()]
    assert sorted(map(id, objects)) == sorted(id(obj) for wave in waves.waves(objects).values() for obj in wave)
