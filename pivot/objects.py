"""One object, as the pivot sees it: its name, its essence (what a copy keeps), its digest, where it came from.

What a copy keeps and clears follows the clusterctl contract (CAPI book, "clusterctl provider contract", Move) and
pivot.md; the pause state isn't part of the essence, because the pivot itself changes it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from pivot.ports import FIELD_MANAGER, Kind, Object

CAPI = "cluster.x-k8s.io"
ADDONS = "addons.cluster.x-k8s.io"
CLUSTER = (CAPI, "Cluster")
CLUSTER_CLASS = (CAPI, "ClusterClass")
CLUSTER_RESOURCE_SET = (ADDONS, "ClusterResourceSet")
BINDING = (ADDONS, "ClusterResourceSetBinding")
PROVIDER = ("clusterctl.cluster.x-k8s.io", "Provider")

#: clusterctl's labels and annotations (cmd/clusterctl/api/v1alpha3 of CAPI).
CLUSTERCTL_LABEL = "clusterctl.cluster.x-k8s.io"
MOVE_LABEL = "clusterctl.cluster.x-k8s.io/move"
HIERARCHY_LABEL = "clusterctl.cluster.x-k8s.io/move-hierarchy"
BLOCK_MOVE = "clusterctl.cluster.x-k8s.io/block-move"
DELETE_FOR_MOVE = "clusterctl.cluster.x-k8s.io/delete-for-move"
PAUSED = "cluster.x-k8s.io/paused"
#: The field manager of clusterctl.
PEER = "clusterctl"

#: Our own annotations: on a copy, what it is a copy of; on what we paused, whether its operator had paused it already.
ORIGIN = "pivot.bootstrapper/origin"
WAS_PAUSED = "pivot.bootstrapper/was-paused"
OURS = (ORIGIN, WAS_PAUSED, DELETE_FOR_MOVE)


class Key(NamedTuple):
    """An object's name in one cluster; `namespace` is empty for cluster-scoped kinds. A tuple: it is sorted a lot."""

    group: str
    kind: str
    namespace: str
    name: str

    @property
    def group_kind(self) -> tuple[str, str]:
        return self.group, self.kind

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


@dataclass(frozen=True)
class Origin:
    """What a copy is a copy of: the source's identity, the pivot that made it, the object's UID there, its digest.

    `moved`: the object leaves the source (MOVE, not COPY), as it was judged when all of its hierarchy stood there.
    """

    source: str
    pivot: str
    uid: str
    digest: str
    moved: bool


@dataclass(frozen=True)
class Item:
    """An object that was found. Compared by name and UID; the body is for reading."""

    key: Key
    uid: str
    kind: Kind = field(compare=False, repr=False)
    body: Object = field(compare=False, repr=False)

    @property
    def metadata(self) -> Object:
        return dict(self.body["metadata"])

    @property
    def labels(self) -> Mapping[str, str]:
        return self.body["metadata"].get("labels") or {}

    @property
    def annotations(self) -> Mapping[str, str]:
        return self.body["metadata"].get("annotations") or {}

    @property
    def owners(self) -> list[Object]:
        return list(self.body["metadata"].get("ownerReferences") or [])

    @property
    def deleting(self) -> bool:
        return bool(self.body["metadata"].get("deletionTimestamp"))

    @property
    def generation(self) -> int:
        return int(self.body["metadata"].get("generation") or 0)

    @property
    def pausable(self) -> bool:
        """Whether the pivot pauses it: Clusters by `spec.paused`, ClusterClasses by annotation."""
        return self.key.group_kind in (CLUSTER, CLUSTER_CLASS)

    @property
    def paused(self) -> bool:
        """Whether it is paused, in the way of its kind."""
        if self.key.group_kind == CLUSTER:
            return bool((self.body.get("spec") or {}).get("paused"))
        return PAUSED in self.annotations

    @property
    def paused_by_peer(self) -> bool:
        """Whether it is `clusterctl move` that paused it, and didn't end (see `peer.py`)."""
        entries = self.body["metadata"].get("managedFields") or []
        is_cluster = self.key.group_kind == CLUSTER
        path = ["f:spec", "f:paused"] if is_cluster else ["f:metadata", "f:annotations", f"f:{PAUSED}"]
        return self.paused and any(e.get("manager") == PEER and _owns(e.get("fieldsV1"), path) for e in entries)

    @property
    def was_paused(self) -> bool | None:
        """Whether its operator had paused it before the pivot did; None when the pivot hasn't touched it."""
        noted = self.annotations.get(WAS_PAUSED)
        return None if noted is None else noted == "true"

    @cached_property
    def origin(self) -> Origin | None:
        """What it is a copy of, None when it is no copy of ours."""
        try:
            noted = json.loads(self.annotations[ORIGIN])
            source, pivot, uid, digest = (str(noted[part]) for part in ("source", "pivot", "uid", "digest"))
            return Origin(source, pivot, uid, digest, noted["moved"] is True)
        except (KeyError, TypeError, ValueError):
            return None

    @cached_property
    def essence(self) -> Object:
        """What a copy keeps, without ownerReferences (their UIDs differ) and without the pause state."""
        return essence(self.body, self.kind)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the essence, as 64 hex digits."""
        text = json.dumps(self.essence, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def applied(self) -> frozenset[tuple[str, str]]:
        """The server-side-apply managers of its fields: (manager, subresource)."""
        entries = self.body["metadata"].get("managedFields") or []
        return frozenset(
            (entry.get("manager", ""), entry.get("subresource", ""))
            for entry in entries
            if entry.get("operation") == "Apply"
        )

    @property
    def touched(self) -> bool:
        """Whether a field manager of ours stands on it."""
        return any(map(_is_ours, self.body["metadata"].get("managedFields") or []))


def item_of(body: Object, kind: Kind) -> Item:
    """The item of a body that an API server gave."""
    metadata = body["metadata"]
    key = Key(kind.group, kind.kind, metadata.get("namespace") or "", metadata["name"])
    return Item(key, metadata.get("uid", ""), kind, body)


def essence(body: Object, kind: Kind) -> Object:
    """What a copy keeps of a body: labels, annotations less ours, finalizers, and everything but metadata and status.

    `status` stays where it is no subresource: there it is data like any other.
    """
    metadata = body["metadata"]
    annotations = {key: text for key, text in (metadata.get("annotations") or {}).items() if key not in OURS}
    if (kind.group, kind.kind) == CLUSTER_CLASS:
        annotations.pop(PAUSED, None)
    dropped = {"apiVersion", "kind", "metadata"} | ({"status"} if kind.status else set())
    kept = {name: part for name, part in body.items() if name not in dropped}
    if (kind.group, kind.kind) == CLUSTER and isinstance(kept.get("spec"), dict):
        kept["spec"] = {name: part for name, part in kept["spec"].items() if name != "paused"}
    described = {
        "labels": dict(metadata.get("labels") or {}),
        "annotations": annotations,
        "finalizers": sorted(metadata.get("finalizers") or []),
    }
    return {**kept, "metadata": {name: part for name, part in described.items() if part}}


def copy_of(item: Item, note: str, owners: Iterable[Object], kind: Kind) -> Object:
    """The body to create in the target, at the target's `kind`: the essence, its origin, paused if that can be paused.

    `owners` are ownerReferences whose UIDs are the target's already; `note` is its `origin_note`.
    """
    body: Object = dict(item.essence)
    metadata: Object = {**body["metadata"], "name": item.key.name}
    body["metadata"] = metadata
    if item.key.namespace:
        metadata["namespace"] = item.key.namespace
    references = list(owners)
    if references:
        metadata["ownerReferences"] = references
    notes = metadata["annotations"] = {**metadata.get("annotations", {}), ORIGIN: note}
    if item.pausable:
        notes[WAS_PAUSED] = was_paused(item)
        if item.key.group_kind == CLUSTER:
            body["spec"] = {**(body.get("spec") or {}), "paused": True}
        else:
            notes[PAUSED] = item.annotations.get(PAUSED, "")
    return {"apiVersion": kind.api_version, "kind": kind.kind, **body}


def origin_note(item: Item, source: str, pivot: str, moved: bool) -> str:
    """The text of ORIGIN on the copy of an item, made by a pivot of the source with this identity."""
    noted = {"source": source, "pivot": pivot, "uid": item.uid, "digest": item.digest, "moved": moved}
    return json.dumps(noted, sort_keys=True)


def was_paused(item: Item) -> str:
    """The text of WAS_PAUSED: what is noted on it, or else whether it is paused, or `clusterctl` when that did it."""
    noted = item.annotations.get(WAS_PAUSED)
    if noted is not None:
        return noted
    return PEER if item.paused_by_peer else "true" if item.paused else "false"


def _owns(fields: object, path: Iterable[str]) -> bool:
    """Whether a FieldsV1 names the field at this path."""
    for name in path:
        if not isinstance(fields, dict) or name not in fields:
            return False
        fields = fields[name]
    return True


def difference(wanted: Any, live: Any, path: str = "") -> str | None:
    """The first path at which `live` lacks or contradicts what `wanted` says; None when it says all of it.

    The target may know more (defaults of a newer CRD, a controller's label); it may not know less.
    """
    if isinstance(wanted, dict):
        if not isinstance(live, dict):
            return path if wanted else None
        for name, part in wanted.items():
            found = difference(part, live.get(name), f"{path}.{name}" if path else name)
            if found:
                return found
        return None
    if isinstance(wanted, list) and path.endswith("finalizers"):
        return None if set(wanted) <= set(live or []) else path
    if isinstance(wanted, list):
        if not isinstance(live, list) or len(live) != len(wanted):
            return path if wanted or live else None
        pairs = enumerate(zip(wanted, live, strict=True))
        return next((at for i, (a, b) in pairs if (at := difference(a, b, f"{path}[{i}]"))), None)
    return None if wanted == live else path


def restored_fields(item: Item, kind: Kind) -> list[Object]:
    """The managedFields to restore on a copy: the source's, less entries of ours or of versions that aren't served."""
    served = {f"{kind.group}/{version}" if kind.group else version for version in kind.served}
    entries = item.body["metadata"].get("managedFields") or []
    return [e for e in entries if not _is_ours(e) and e.get("apiVersion") in served]


def _is_ours(entry: Object) -> bool:
    return entry.get("manager") == FIELD_MANAGER and entry.get("operation") == "Update"


def conditions(item: Item) -> list[Object]:
    """Its conditions, wherever its API version keeps them."""
    status = item.body.get("status") or {}
    newer = (status.get("v1beta2") or {}).get("conditions") or []
    return [*(status.get("conditions") or []), *newer]


def paused_condition(item: Item) -> Object | None:
    """Its `Paused` condition, None when it shows none."""
    return next((c for c in conditions(item) if c.get("type") == "Paused"), None)
