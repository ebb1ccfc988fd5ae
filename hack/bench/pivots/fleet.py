"""The objects of a Cluster, as its providers make them: who owns what, finalizers, field managers. Pure.

Twenty objects a Cluster: one control-plane Machine, one worker Machine, their templates, configurations and Secrets.
Machines and what belongs to them are applied server-side, as Cluster API's controllers do; so their managedFields have
to be restored by whoever moves them. Status is what `clusterctl move` asks for before it begins.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

Object = dict[str, Any]
PER_CLUSTER = 20
VERSION = "v1.36.3"
SINCE = "2026-01-01T00:00:00Z"
CLUSTER_NAME = "cluster.x-k8s.io/cluster-name"
USER, CORE_MANAGER, KCP_MANAGER, SET_MANAGER = "kubectl", "manager", "capi-kubeadmcontrolplane", "capi-machineset"
#: What a certificate, a key, a kubeconfig and a machine's cloud-config weigh, in bytes.
CERTIFICATE, PRIVATE_KEY, KUBECONFIG, CLOUD_CONFIG = 1100, 1680, 5600, 6200


@dataclass(frozen=True)
class Resource:
    """One kind, as a URL needs it."""

    group: str
    kind: str
    plural: str
    version: str = "v1beta2"

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str, name: str = "") -> str:
        """The path of a namespace's collection, or of one object in it."""
        prefix = f"/apis/{self.api_version}" if self.group else f"/api/{self.api_version}"
        return f"{prefix}/namespaces/{namespace}/{self.plural}" + (f"/{name}" if name else "")


CORE, INFRA, BOOT = "cluster.x-k8s.io", "infrastructure.cluster.x-k8s.io", "bootstrap.cluster.x-k8s.io"
CLUSTER = Resource(CORE, "Cluster", "clusters")
DEPLOYMENT = Resource(CORE, "MachineDeployment", "machinedeployments")
SET = Resource(CORE, "MachineSet", "machinesets")
MACHINE = Resource(CORE, "Machine", "machines")
CONTROL_PLANE = Resource("controlplane.cluster.x-k8s.io", "KubeadmControlPlane", "kubeadmcontrolplanes")
INFRA_CLUSTER = Resource(INFRA, "DevCluster", "devclusters")
INFRA_MACHINE = Resource(INFRA, "DevMachine", "devmachines")
INFRA_TEMPLATE = Resource(INFRA, "DevMachineTemplate", "devmachinetemplates")
CONFIG = Resource(BOOT, "KubeadmConfig", "kubeadmconfigs")
CONFIG_TEMPLATE = Resource(BOOT, "KubeadmConfigTemplate", "kubeadmconfigtemplates")
SECRET = Resource("", "Secret", "secrets", "v1")
#: Owners before what they own.
RESOURCES = (
    CLUSTER,
    INFRA_CLUSTER,
    CONTROL_PLANE,
    INFRA_TEMPLATE,
    CONFIG_TEMPLATE,
    DEPLOYMENT,
    SET,
    MACHINE,
    INFRA_MACHINE,
    CONFIG,
    SECRET,
)


@dataclass(frozen=True)
class Wish:
    """One object to be made. `owner` is the place of its owner in the Cluster's list, None for none.

    `applied`: by server-side apply instead of a create. `status`: written afterwards, through the subresource.
    """

    resource: Resource
    body: Object = field(repr=False)
    manager: str
    owner: int | None = None
    controller: bool = True
    applied: bool = False
    status: Object | None = field(default=None, repr=False)


def clusters_for(objects: int) -> int:
    """How many Clusters have at least so many objects."""
    return math.ceil(objects / PER_CLUSTER)


def cluster(number: int) -> list[Wish]:
    """The twenty objects of one Cluster, owners first."""
    name = f"c{number:05}"
    return [
        _cluster(name),
        _plain(INFRA_CLUSTER, name, name, {"backend": {"docker": {}}}, "devcluster", CORE_MANAGER, controller=True),
        _control_plane(name),
        _plain(INFRA_TEMPLATE, name, name, _template(DOCKER)),
        _plain(CONFIG_TEMPLATE, name, name, _template(_kubeadm(name))),
        _plain(DEPLOYMENT, f"{name}-md", name, _machines(name), "machinedeployment"),
        Wish(SET, _body(SET, f"{name}-md-x7k2p", name, _machines(name), "machineset"), CORE_MANAGER, THE_DEPLOYMENT),
        *_machine(name, f"{name}-cp-4hv9z", KCP_MANAGER, THE_CONTROL_PLANE, 7),
        *_machine(name, f"{name}-md-x7k2p-q8c5d", SET_MANAGER, THE_SET, 11),
        *_secrets(name),
    ]


#: Places in that list.
THE_CLUSTER, THE_CONTROL_PLANE, THE_DEPLOYMENT, THE_SET = 0, 2, 5, 6
DOCKER: Object = {"backend": {"docker": {"customImage": f"kindest/node:{VERSION}"}}}


def _cluster(name: str) -> Wish:
    spec = {
        "clusterNetwork": {"pods": {"cidrBlocks": ["10.244.0.0/16"]}, "services": {"cidrBlocks": ["10.96.0.0/16"]}},
        "controlPlaneEndpoint": {"host": f"{name}.example.org", "port": 6443},
        "controlPlaneRef": _named(CONTROL_PLANE, name),
        "infrastructureRef": _named(INFRA_CLUSTER, name),
    }
    status = {
        "phase": "Provisioned",
        "initialization": {"infrastructureProvisioned": True, "controlPlaneInitialized": True},
        "conditions": [*map(_condition, ("Available", "ControlPlaneInitialized", "InfrastructureReady"))],
    }
    return Wish(CLUSTER, _body(CLUSTER, name, name, spec, "cluster"), USER, status=status)


def _control_plane(name: str) -> Wish:
    infra = {"spec": {"infrastructureRef": _named(INFRA_TEMPLATE, name)}}
    spec = {"replicas": 1, "version": VERSION, "machineTemplate": infra, "kubeadmConfigSpec": _kubeadm(name)}
    return Wish(CONTROL_PLANE, _body(CONTROL_PLANE, name, name, spec, "kubeadm"), USER, THE_CLUSTER)


def _machine(cluster_name: str, name: str, manager: str, owner: int, place: int) -> Iterator[Wish]:
    """A Machine and what belongs to it; it gets this place in the list, the others those that follow."""
    spec = {**_machine_spec(cluster_name, name), "providerID": f"docker:////{name}"}
    status = {
        "phase": "Running",
        "nodeRef": {"name": name},
        "initialization": {"infrastructureProvisioned": True, "bootstrapDataSecretCreated": True},
        "conditions": [*map(_condition, ("Available", "Ready", "BootstrapConfigReady", "NodeReady"))],
    }
    body = _body(MACHINE, name, cluster_name, spec, "machine")
    yield Wish(MACHINE, body, manager, owner, applied=True, status=status)
    body = _body(INFRA_MACHINE, name, cluster_name, {**DOCKER, "providerID": f"docker:////{name}"}, "devmachine")
    yield Wish(INFRA_MACHINE, body, manager, place, applied=True)
    body = _body(CONFIG, name, cluster_name, _kubeadm(cluster_name))
    yield Wish(CONFIG, body, manager, place, applied=True)
    yield _secret(cluster_name, name, place + 2, value=CLOUD_CONFIG)


def _secrets(name: str) -> Iterator[Wish]:
    for suffix in ("ca", "etcd", "proxy", "sa"):
        yield _secret(name, f"{name}-{suffix}", THE_CONTROL_PLANE, **{"tls.crt": CERTIFICATE, "tls.key": PRIVATE_KEY})
    yield _secret(name, f"{name}-kubeconfig", THE_CONTROL_PLANE, value=KUBECONFIG)


def _secret(cluster_name: str, name: str, owner: int, **data: int) -> Wish:
    """A Secret with so many bytes under each name."""
    texts = {part: base64.b64encode((f"{name} " * size)[:size].encode()).decode() for part, size in data.items()}
    metadata = {"name": name, "labels": {CLUSTER_NAME: cluster_name}}
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "cluster.x-k8s.io/secret"}
    return Wish(SECRET, {**body, "data": texts}, CORE_MANAGER, owner)


def _plain(
    resource: Resource,
    name: str,
    cluster_name: str,
    spec: Object,
    finalizer: str = "",
    manager: str = USER,
    controller: bool = False,
) -> Wish:
    """Something directly below the Cluster."""
    return Wish(resource, _body(resource, name, cluster_name, spec, finalizer), manager, THE_CLUSTER, controller)


def _body(resource: Resource, name: str, cluster_name: str, spec: Object, finalizer: str = "") -> Object:
    metadata: Object = {"name": name, "labels": {CLUSTER_NAME: cluster_name}}
    if finalizer:
        metadata["finalizers"] = [f"{finalizer}.{resource.group}"]
    return {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata, "spec": spec}


def _named(resource: Resource, name: str) -> Object:
    return {"apiGroup": resource.group, "kind": resource.kind, "name": name}


def _template(spec: Object) -> Object:
    return {"template": {"spec": spec}}


def _machines(cluster_name: str) -> Object:
    labels = {CLUSTER_NAME: cluster_name, "cluster.x-k8s.io/deployment-name": f"{cluster_name}-md"}
    template = {"metadata": {"labels": labels}, "spec": _machine_spec(cluster_name, cluster_name)}
    return {"clusterName": cluster_name, "replicas": 1, "selector": {"matchLabels": labels}, "template": template}


def _machine_spec(cluster_name: str, name: str) -> Object:
    boot = {"configRef": _named(CONFIG, name), "dataSecretName": name}
    infra = _named(INFRA_MACHINE, name)
    return {"clusterName": cluster_name, "version": VERSION, "bootstrap": boot, "infrastructureRef": infra}


def _kubeadm(cluster_name: str) -> Object:
    arguments = [{"name": "eviction-hard", "value": "nodefs.available<0%,imagefs.available<0%"}]
    node = {"criSocket": "unix:///run/containerd/containerd.sock", "kubeletExtraArgs": arguments}
    text = f"# {cluster_name}\n" + "net.ipv4.ip_forward = 1\n" * 40
    return {
        "clusterConfiguration": {"apiServer": {"certSANs": ["localhost", "127.0.0.1", f"{cluster_name}.example.org"]}},
        "initConfiguration": {"nodeRegistration": node},
        "joinConfiguration": {"nodeRegistration": node},
        "files": [{"path": "/etc/sysctl.d/90-node.conf", "owner": "root:root", "permissions": "0644", "content": text}],
        "preKubeadmCommands": ["sysctl --system", "systemctl restart containerd"],
    }


def _condition(kind: str) -> Object:
    return {"type": kind, "status": "True", "reason": kind, "message": "", "lastTransitionTime": SINCE}


def placed(wish: Wish, namespace: str, owner: Object | None) -> Object:
    """Its body, in a namespace, below an owner that was made already."""
    metadata = {**wish.body["metadata"], "namespace": namespace}
    if owner:
        metadata["ownerReferences"] = [owner_reference(owner, wish.controller)]
    return {**wish.body, "metadata": metadata}


def owner_reference(owner: Object, controller: bool) -> Object:
    """An ownerReference to a live object."""
    named = {"apiVersion": owner["apiVersion"], "kind": owner["kind"]}
    extra = {"controller": True, "blockOwnerDeletion": True} if controller else {}
    return {**named, "name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"], **extra}
