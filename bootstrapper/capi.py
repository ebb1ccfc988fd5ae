"""What Cluster API's objects say, read from their JSON. Pure.

Conditions follow the v1beta2 contract: `status.conditions` as metav1.Condition, one `Available` or `Ready` that sums up
the others and whose message lists what is wrong (CAPI proposal 20240916-improve-status-in-CAPI-resources).
"""

from __future__ import annotations

from typing import Any

Object = dict[str, Any]

CORE = "cluster.x-k8s.io/v1beta2"
CLUSTER = (CORE, "Cluster")
MACHINE = (CORE, "Machine")
MACHINE_DEPLOYMENT = (CORE, "MachineDeployment")
CONTROL_PLANE_GROUP = "controlplane.cluster.x-k8s.io/v1beta2"
KUBEADM_CONTROL_PLANE = (CONTROL_PLANE_GROUP, "KubeadmControlPlane")
CLUSTER_LABEL = "cluster.x-k8s.io/cluster-name"
#: Who looks after an object (a provider, a kubelet) looks again when any of its annotations changes.
NUDGE = "bootstrapper.dev/nudge"


def condition(obj: Object, kind: str) -> Object | None:
    """The condition of this type, None when the object hasn't got it yet."""
    return next((c for c in obj.get("status", {}).get("conditions", []) if c["type"] == kind), None)


#: Kinds without a namespace, as clusterctl has them (`util.IsResourceNamespaced`): without an API server a kind's scope
#: can't be known, so in a template or a provider's components any other kind gets a namespace.
CLUSTER_SCOPED = frozenset(
    {
        "CertificateSigningRequest",
        "ClusterRole",
        "ClusterRoleBinding",
        "CSIDriver",
        "CSINode",
        "CustomResourceDefinition",
        "MutatingWebhookConfiguration",
        "Namespace",
        "Node",
        "PersistentVolume",
        "PriorityClass",
        "RuntimeClass",
        "StorageClass",
        "ValidatingWebhookConfiguration",
        "VolumeAttachment",
    }
)
#: What a Cluster waits for first to last; what comes later in here can't be so before what comes earlier.
_ORDER = ("InfrastructureReady", "ControlPlaneAvailable", "WorkersAvailable", "RemoteConnectionProbe")


def cluster_lacking(cluster: Object) -> str | None:
    """Why the Cluster isn't Available: the first of the things it waits for, as one line; None when it is."""
    if is_true(cluster, "Available"):
        return None
    message = (condition(cluster, "Available") or {}).get("message", "")
    parts = {part.split(":")[0].strip(): part for part in ("\n" + message).split("\n* ")[1:]}
    first = next((parts[name] for name in _ORDER if name in parts), None)
    return one_line(first) if first else lacking(cluster, "Available")


def is_true(obj: Object, kind: str) -> bool:
    """Whether the condition is there and True."""
    found = condition(obj, kind)
    return found is not None and found["status"] == "True"


def lacking(obj: Object, kind: str) -> str | None:
    """Why the condition isn't True, as one line; None when it is."""
    found = condition(obj, kind)
    if found is None:
        return f"no controller has set {kind} yet"
    if found["status"] == "True":
        return None
    return one_line(found.get("message", "")) or f"{kind} is {found['status']} ({found.get('reason', 'no reason')})"


def one_line(message: str) -> str:
    """A condition's message, which may be a nested list, on one line."""
    lines = [line.strip().removeprefix("* ").strip() for line in message.splitlines()]
    return "; ".join(line for line in lines if line).replace(":; ", ": ")


def title(obj: Object) -> str:
    """An object's kind and name as messages call it: `Machine default/mgmt-x7k2p`."""
    metadata = obj["metadata"]
    space = metadata.get("namespace")
    return f"{obj['kind']} {space}/{metadata['name']}" if space else f"{obj['kind']} {metadata['name']}"


def is_managed_by_topology(cluster: Object) -> bool:
    """Whether a ClusterClass makes the cluster's objects."""
    return "topology" in cluster.get("spec", {})
