"""Fleets in the domain's words: kinds, and builders of objects as providers make them."""

from __future__ import annotations

from typing import Any

from fake_cluster import FakeCluster

from pivot.objects import CLUSTERCTL_LABEL
from pivot.ports import CONFIG_MAP, DEPLOYMENT, NAMESPACE, POD, SECRET, Kind, Object

LABELS = {CLUSTERCTL_LABEL: ""}


def crd(kind: str, group: str = "cluster.x-k8s.io", namespaced: bool = True, **labels: str) -> Kind:
    """A labelled CRD as `clusterctl init` installs it."""
    version = "v1alpha3" if kind == "Provider" else "v1beta2"
    marks = LABELS | {key.replace("__", "/"): text for key, text in labels.items()}
    return Kind(group, kind, version, kind.lower() + "s", namespaced, (version,), marks, kind != "Provider")


INFRA = "infrastructure.cluster.x-k8s.io"
CLUSTER = crd("Cluster")
CLUSTER_CLASS = crd("ClusterClass")
DEPLOYMENT_OF_MACHINES = crd("MachineDeployment")
MACHINE_SET = crd("MachineSet")
MACHINE = crd("Machine")
DRAIN_RULE = crd("MachineDrainRule")
DEV_CLUSTER = crd("DevCluster", INFRA)
DEV_MACHINE = crd("DevMachine", INFRA)
DEV_TEMPLATE = crd("DevMachineTemplate", INFRA)
DEV_IDENTITY = crd("DevIdentity", INFRA, namespaced=False)
BOOT = crd("KubeadmConfig", "bootstrap.cluster.x-k8s.io")
RESOURCE_SET = crd("ClusterResourceSet", "addons.cluster.x-k8s.io")
BINDING = crd("ClusterResourceSetBinding", "addons.cluster.x-k8s.io")
EXTENSION = crd("ExtensionConfig", "runtime.cluster.x-k8s.io", namespaced=False)
PROVIDER = crd("Provider", "clusterctl.cluster.x-k8s.io")
#: A CRD that somebody made without clusterctl's label.
UNLABELLED = Kind("example.test", "Widget", "v1", "widgets", True, ("v1",), {})
KINDS = (
    CLUSTER,
    CLUSTER_CLASS,
    DEPLOYMENT_OF_MACHINES,
    MACHINE_SET,
    MACHINE,
    DRAIN_RULE,
    DEV_CLUSTER,
    DEV_MACHINE,
    DEV_TEMPLATE,
    DEV_IDENTITY,
    BOOT,
    RESOURCE_SET,
    BINDING,
    EXTENSION,
    PROVIDER,
    UNLABELLED,
)


class Fleet:
    """Puts objects into a namespace of a cluster, as users and providers do."""

    def __init__(self, cluster: FakeCluster, namespace: str = "default") -> None:
        self.cluster, self.namespace = cluster, namespace
        self.shows_pause = False

    def make(
        self,
        kind: Kind,
        name: str,
        *owners: Object,
        controller: bool = False,
        labels: dict[str, str] | None = None,
        annotations: dict[str, str] | None = None,
        finalizers: list[str] | None = None,
        **parts: Any,
    ) -> Object:
        """One object; its owners are bodies that were made before."""
        metadata: Object = {"name": name}
        if kind.namespaced:
            metadata["namespace"] = self.namespace
        if owners:
            metadata["ownerReferences"] = [owner_reference(owner, controller) for owner in owners]
        for part, text in (("labels", labels), ("annotations", annotations), ("finalizers", finalizers)):
            if text:
                metadata[part] = text
        return self.cluster.put(kind, {"metadata": metadata, **parts})

    def namespaces(self, *names: str, **labels: str) -> None:
        for name in names:
            self.cluster.put(NAMESPACE, {"metadata": {"name": name, "labels": labels}})

    def cluster_with_machines(self, name: str, machines: int = 1, paused: bool = False, **spec: Any) -> Object:
        """A Cluster with its infrastructure, a MachineDeployment, Machines, and its Secrets."""
        body = self.make(
            CLUSTER,
            name,
            finalizers=["cluster.cluster.x-k8s.io"],
            spec={**({"paused": True} if paused else {}), **spec},
            **self._status(),
        )
        self.make(DEV_CLUSTER, name, body, controller=True, finalizers=["dev"], spec={"host": f"{name}.example.org"})
        deployment = self.make(DEPLOYMENT_OF_MACHINES, f"{name}-md", body, spec={"replicas": machines})
        one_set = self.make(MACHINE_SET, f"{name}-ms", deployment, controller=True, spec={"replicas": machines})
        for number in range(machines):
            self.machine(one_set, f"{name}-m{number}", name)
        self.make(SECRET, f"{name}-ca", type="cluster.x-k8s.io/secret", data={"tls.key": "c2VjcmV0"})
        return body

    def machine(self, owner: Object, name: str, cluster: str) -> Object:
        machine = self.make(
            MACHINE,
            name,
            owner,
            controller=True,
            finalizers=["machine.cluster.x-k8s.io"],
            spec={"clusterName": cluster},
            **self._status(),
        )
        infra = self.make(DEV_MACHINE, name, machine, controller=True, finalizers=["dev"], spec={"id": f"dev://{name}"})
        boot = self.make(BOOT, name, machine, controller=True, spec={"format": "cloud-config"})
        self.make(SECRET, name, boot, controller=True, data={"value": "Ym9vdA=="})
        assert infra
        return machine

    def _status(self) -> Object:
        """The Paused condition that real controllers write, where there are controllers."""
        return {"status": unpaused_status()} if self.shows_pause else {}

    def managers(self) -> None:
        """A provider's Deployment with its pod, which acts while the pod is there."""
        self.shows_pause = True
        self.cluster.put(NAMESPACE, {"metadata": {"name": "capi-system"}})
        labels = {"cluster.x-k8s.io/provider": "cluster-api"}
        spec = {"replicas": 1, "selector": {"matchLabels": labels}}
        body = {
            "metadata": {"name": "capi-manager", "namespace": "capi-system", "labels": labels},
            "spec": spec,
        }
        self.cluster.put(DEPLOYMENT, {**body, "status": {"replicas": 1, "readyReplicas": 1}})
        self.cluster.controllers.insert(0, run_deployments)
        run_deployments(self.cluster)

    def provider(self, name: str, version: str, kind: str = "CoreProvider") -> None:
        self.make(PROVIDER, name, providerName=name, type=kind, version=version)

    def config_map(self, name: str, *owners: Object, **data: str) -> Object:
        return self.make(CONFIG_MAP, name, *owners, data=data)


def owner_reference(owner: Object, controller: bool = False) -> Object:
    found = {part: owner[part] for part in ("apiVersion", "kind")}
    extra = {"controller": True, "blockOwnerDeletion": True} if controller else {}
    return {**found, "name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"], **extra}


def unpaused_status() -> Object:
    return {"conditions": [{"type": "Paused", "status": "False", "observedGeneration": 1}]}


def run_deployments(cluster: FakeCluster) -> None:
    """The Deployment controller: as many pods as wanted."""
    for name, body in list(cluster.objects.items()):
        if name[:2] != ("apps", "Deployment"):
            continue
        pod = ("", "Pod", name[2], f"{name[3]}-0")
        wanted = body["spec"]["replicas"]
        if wanted and pod not in cluster.objects:
            labels = body["spec"]["selector"]["matchLabels"]
            cluster.put(POD, {"metadata": {"name": pod[3], "namespace": pod[2], "labels": labels}})
        elif not wanted:
            cluster.remove(pod)
        body["status"] = {"replicas": wanted, "readyReplicas": wanted}


def acting(cluster: FakeCluster) -> bool:
    """Whether a manager of this cluster is alive."""
    return any(name[:2] == ("", "Pod") for name in cluster.objects)
