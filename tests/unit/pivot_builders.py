"""Two clusters in the domain's words, as an observation: `look(source=[cluster("a"), ...])`."""

from __future__ import annotations

from typing import Any

from pivot.graph import Graph
from pivot.objects import CLUSTERCTL_LABEL, Item, item_of
from pivot.ports import CONFIG_MAP, NAMESPACE, SECRET, Kind, Object
from pivot.seen import Claim, Marker, Options, Seen, Side, pivot_name

INFRA = "infrastructure.cluster.x-k8s.io"


def crd(kind: str, group: str = "cluster.x-k8s.io", namespaced: bool = True, labels: tuple[str, ...] = ()) -> Kind:
    marks = dict.fromkeys((CLUSTERCTL_LABEL, *labels), "")
    return Kind(group, kind, "v1beta2", kind.lower() + "s", namespaced, ("v1beta2",), marks)


CLUSTER = crd("Cluster")
CLASS = crd("ClusterClass")
MACHINE = crd("Machine")
DRAIN_RULE = crd("MachineDrainRule")
RESOURCE_SET = crd("ClusterResourceSet", "addons.cluster.x-k8s.io")
BINDING = crd("ClusterResourceSetBinding", "addons.cluster.x-k8s.io")
EXTENSION = crd("ExtensionConfig", "runtime.cluster.x-k8s.io", namespaced=False)
INFRA_MACHINE = crd("DevMachine", INFRA)
TEMPLATE = crd("DevMachineTemplate", INFRA)
IDENTITY = crd("DevIdentity", INFRA, namespaced=False)
PROVIDER = crd("Provider", "clusterctl.cluster.x-k8s.io")
WIDGET = Kind("example.test", "Widget", "v1", "widgets", True, ("v1",), {})
MOVED_WIDGET = Kind("example.test", "Gadget", "v1", "gadgets", True, ("v1",), {"clusterctl.cluster.x-k8s.io/move": ""})
KINDS = (
    CLUSTER,
    CLASS,
    MACHINE,
    DRAIN_RULE,
    RESOURCE_SET,
    BINDING,
    EXTENSION,
    INFRA_MACHINE,
    TEMPLATE,
    IDENTITY,
    PROVIDER,
    WIDGET,
    MOVED_WIDGET,
    SECRET,
    CONFIG_MAP,
)


def an(
    kind: Kind,
    name: str,
    *owners: Item,
    namespace: str = "default",
    uid: str = "",
    controller: bool = False,
    labels: tuple[str, ...] = (),
    annotations: dict[str, str] | None = None,
    deleting: bool = False,
    finalizers: tuple[str, ...] = (),
    managed: tuple[Object, ...] = (),
    generation: int = 1,
    **parts: Any,
) -> Item:
    """An object below its owners."""
    home = namespace if kind.namespaced else ""
    metadata: Object = {"name": name, "uid": uid or f"{kind.kind}-{home}-{name}", "resourceVersion": "1"}
    metadata |= {"namespace": home} if home else {}
    metadata |= {"labels": dict.fromkeys(labels, "")} if labels else {}
    metadata |= {"annotations": annotations} if annotations else {}
    metadata |= {"deletionTimestamp": "2026-01-01T00:00:00Z"} if deleting else {}
    metadata |= {"finalizers": list(finalizers)} if finalizers else {}
    metadata |= {"managedFields": list(managed)} if managed else {}
    metadata |= {"generation": generation}
    if owners:
        metadata["ownerReferences"] = [reference(owner, controller) for owner in owners]
    return item_of({"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata, **parts}, kind)


def reference(owner: Item, controller: bool = False) -> Object:
    found = {"apiVersion": owner.kind.api_version, "kind": owner.key.kind, "name": owner.key.name, "uid": owner.uid}
    return {**found, "controller": True} if controller else found


def cluster(name: str, *owners: Item, **parts: Any) -> Item:
    spec = parts.pop("spec", {})
    return an(CLUSTER, name, *owners, spec=spec, **parts)


def of_class(name: str, cluster_class: str, class_namespace: str | None = None, **parts: Any) -> Item:
    """A Cluster whose topology is of a ClusterClass."""
    where = {"namespace": class_namespace} if class_namespace else {}
    return cluster(name, spec={"topology": {"classRef": {"name": cluster_class, **where}}}, **parts)


def side(name: str, items: tuple[Item, ...], kinds: tuple[Kind, ...], **parts: Any) -> Side:
    namespaces = {item.key.namespace for item in items if item.key.namespace} | set(parts.pop("namespaces", ()))
    homes = {home: an(NAMESPACE, home, uid=f"{name}-{home}") for home in namespaces}
    table = {(kind.group, kind.kind): kind for kind in kinds}
    homes |= parts.pop("homes", {})
    return Side(name, f"{name}-id", table, Graph({item.key: item for item in items}), homes, **parts)


def look(
    *source: Item,
    target: tuple[Item, ...] = (),
    target_kinds: tuple[Kind, ...] = KINDS,
    marker: Marker | None = None,
    claim: Claim | None = None,
    options: Options | None = None,
    running: tuple[str, ...] = (),
    stopped: tuple[str, ...] = (),
    homes: dict[str, Item] | None = None,
) -> Seen:
    """An observation of these objects."""
    namespaces = options.namespaces if options else ()
    ours = side("source", source, KINDS, running=running, stopped=stopped, homes=homes or {})
    return Seen(ours, side("target", target, target_kinds), pivot_name("source-id", namespaces, marker), marker, claim)
