"""A verdict for every object that was found in the source. Pure.

What moves follows the clusterctl provider contract (CAPI book, "Move"), with its silent losses turned into refusals:
what hangs below a Cluster and can't move is REFUSED before any write, never dropped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from pivot import peer
from pivot.graph import class_of
from pivot.objects import (
    CAPI,
    CLUSTER,
    CLUSTER_CLASS,
    CLUSTER_RESOURCE_SET,
    CLUSTERCTL_LABEL,
    HIERARCHY_LABEL,
    MOVE_LABEL,
    PROVIDER,
    Item,
    Key,
)
from pivot.ports import Kind, Object
from pivot.seen import Options, Seen

ROOTS = (CLUSTER, CLUSTER_CLASS, CLUSTER_RESOURCE_SET)
#: Kinds that clusterctl never moves though a fleet needs them.
ALWAYS = ((CAPI, "MachineDrainRule"), ("runtime.cluster.x-k8s.io", "ExtensionConfig"))
CORE = (("", "Secret"), ("", "ConfigMap"))


class Verdict(StrEnum):
    """MOVE · COPY (created in the target, kept in the source) · STAY · REFUSED."""

    MOVE = "MOVE"
    COPY = "COPY"
    STAY = "STAY"
    REFUSED = "REFUSED"


@dataclass(frozen=True)
class Judgement:
    """The verdict on one object, why, and which ownerReferences (by UID) its copy does without."""

    key: Key
    verdict: Verdict
    reason: str
    dropped: tuple[str, ...] = ()

    @property
    def travels(self) -> bool:
        """Whether it will stand in the target."""
        return self.verdict in (Verdict.MOVE, Verdict.COPY)


def judge(seen: Seen, options: Options, handed_over: bool = False) -> dict[Key, Judgement]:
    """The verdict on every object of the source. After the hand-over what stands in the target isn't questioned."""
    court = _Court(seen, options, handed_over)
    return {key: court.judge(key) for key in sorted(seen.source.graph.items)}


def movable(kind: Kind, item: Item | None = None) -> bool:
    """Whether such objects may move at all: of a clusterctl-labelled CRD, Secrets, ConfigMaps, labelled to move."""
    labels = {*kind.labels, *(item.labels if item else ())}
    return (kind.group, kind.kind) in CORE or not labels.isdisjoint({CLUSTERCTL_LABEL, MOVE_LABEL, HIERARCHY_LABEL})


def owner_key(seen: Seen, item: Item, reference: Object) -> Key:
    """The name that an ownerReference means, whether such an object was found or not."""
    group = str(reference.get("apiVersion", "")).rpartition("/")[0]
    kind = seen.source.kinds.get((group, reference.get("kind", "")))
    namespace = item.key.namespace if kind is None or kind.namespaced else ""
    return Key(group, reference.get("kind", ""), namespace, reference.get("name", ""))


@dataclass(frozen=True)
class _Court:
    seen: Seen
    options: Options
    handed_over: bool

    @property
    def items(self) -> Mapping[Key, Item]:
        return self.seen.source.graph.items

    def in_scope(self, key: Key) -> bool:
        """In the chosen namespaces; what has no namespace always; Secrets of infrastructure providers too."""
        if not self.options.namespaces or not key.namespace or key.namespace in self.options.namespaces:
            return True
        return key.group_kind == ("", "Secret") and key.namespace in self.provider_namespaces

    @cached_property
    def provider_namespaces(self) -> frozenset[str]:
        return frozenset(
            key.namespace
            for key, item in self.items.items()
            if key.group_kind == PROVIDER and item.body.get("type") == "InfrastructureProvider"
        )

    @cached_property
    def roots(self) -> frozenset[Key]:
        """What takes along all that hangs below it.

        What is labelled to move without its hierarchy does so, too, where it leaves the source: clusterctl leaves what
        hangs below it behind, for the garbage collector.
        """
        chosen = ((key, item) for key, item in self.items.items() if self.in_scope(key))
        return frozenset(key for key, item in chosen if _is_root(item) or (key.namespace and _is_forced(item)))

    @cached_property
    def hierarchy(self) -> Mapping[Key, Key]:
        return self.seen.source.graph.hierarchy(self.roots, self.in_scope)

    @cached_property
    def global_hierarchy(self) -> Mapping[Key, Key]:
        """What hangs below cluster-scoped roots. It ends at Clusters: a Cluster that is in both is managed twice."""
        roots = [key for key in self.roots if not key.namespace]
        return self.seen.source.graph.hierarchy(roots, self._is_copied)

    def _is_copied(self, key: Key) -> bool:
        return self.in_scope(key) and key.group_kind != CLUSTER

    @cached_property
    def staying_clusters(self) -> list[Key]:
        return [k for k in self.items if k.group_kind == CLUSTER and k not in self.hierarchy]

    @cached_property
    def shared(self) -> Mapping[Key, Key]:
        """ClusterClasses (with what they need) that Clusters on both sides will use -> the class."""
        moving = {class_of(self.items[key]) for key in self.hierarchy if key.group_kind == CLUSTER}
        staying = {class_of(self.items[key]) for key in self.staying_clusters}
        inside = set(self.hierarchy)
        shared = (staying & inside) | (moving - inside)
        classes = [key for key in shared if key is not None and key in self.items]
        return self.seen.source.graph.hierarchy(classes, lambda key: key.group_kind != CLUSTER)

    @cached_property
    def travelling(self) -> frozenset[Key]:
        """What would stand in the target if nothing were refused."""
        found = {*self.hierarchy, *self.shared}
        found |= {key for key, item in self.items.items() if self.in_scope(key) and _is_forced(item)}
        return frozenset(key for key in found if str(key) not in self.options.allow)

    def judge(self, key: Key) -> Judgement:
        item = self.items[key]
        if str(key) in self.options.allow:
            return Judgement(key, Verdict.STAY, "left behind, as allowed by name")
        if key not in self.travelling:
            return Judgement(key, Verdict.STAY, self._why_not(key))
        dropped, objection = self._owners(item)
        objection = objection or self._objection(item)
        if objection:
            return Judgement(key, Verdict.REFUSED, objection)
        verdict, reason = self._travels(key)
        note = f"; without {len(dropped)} owner(s) that stay" if dropped else ""
        return Judgement(key, verdict, reason + note, dropped)

    def _why_not(self, key: Key) -> str:
        if not self.in_scope(key):
            return "outside of the chosen namespaces"
        if key.group_kind == PROVIDER:
            return "inventory: each cluster keeps its own"
        return "not below a Cluster, ClusterClass or ClusterResourceSet, and not labelled to move"

    def _travels(self, key: Key) -> tuple[Verdict, str]:
        if key in self.shared:
            return Verdict.COPY, f"also needed in the source: {self.shared[key]}"
        if not key.namespace:
            return Verdict.COPY, "cluster-scoped"
        if key in self.global_hierarchy:
            return Verdict.COPY, f"below cluster-scoped {self.global_hierarchy[key]}"
        if key in self.hierarchy:
            root = self.hierarchy[key]
            return Verdict.MOVE, _why_root(self.items[key]) if root == key else f"below {root}"
        raise AssertionError(f"{key} travels without a reason")

    def _objection(self, item: Item) -> str:
        kind = item.kind
        if not movable(kind, item) and item.key.group_kind not in ALWAYS:
            return f"its kind isn't one that moves: label the CRD {kind.plural}.{kind.group} with {CLUSTERCTL_LABEL}"
        target = self.seen.target.kinds.get(item.key.group_kind)
        if target is None:
            return f"the target has no CRD for {kind}: install its provider there"
        if kind.version not in target.served:
            return f"the target serves {', '.join(target.served)} of {kind} and the source none of these"
        if self.handed_over:
            return ""
        if peer.half_removed(item):
            return self._half_removed(item)
        return "it is being deleted: wait for the deletion to end" if item.deleting else self._taken(item)

    def _half_removed(self, item: Item) -> str:
        """A clusterctl move that was cut short had come to its last part: everything stands in its target already."""
        copy = self.seen.target.get(item.key)
        if copy is not None and peer.same_object(item, copy) and (copy.paused or not copy.pausable):
            return ""
        return "a clusterctl move was removing it, and this target doesn't have it: give the target of that move"

    def _taken(self, item: Item) -> str:
        other = self.seen.target.get(item.key)
        if other is None or self.seen.ours(other) or not item.key.namespace or item.key in self.global_hierarchy:
            return ""
        copied = self._travels(item.key)[0] is Verdict.COPY
        if copied and other.origin and other.origin.uid == item.uid:
            return ""  # an earlier pivot took it along
        if item.pausable and not other.paused and not copied:
            return "the target has an object of that name, and it is active there: rename or remove one of the two"
        if other.essence == item.essence:
            return ""
        return "the target has another object of that name: rename or remove one of the two"

    def _owners(self, item: Item) -> tuple[tuple[str, ...], str]:
        """The ownerReferences to do without, and what speaks against that."""
        dropped = []
        for reference, owner in self.seen.source.graph.references(item.key):
            named = owner or owner_key(self.seen, item, reference)
            if owner in self.travelling or (owner and self.seen.target.get(owner)):
                continue
            if reference.get("controller"):
                return (), f"its controller {named} doesn't move"
            dropped.append(str(reference.get("uid", "")))
        return tuple(dropped), ""


def _why_root(item: Item) -> str:
    if _is_root(item):
        return "a root"
    return "needed by the fleet" if item.key.group_kind in ALWAYS else "labelled to move"


def _is_root(item: Item) -> bool:
    return item.key.group_kind in ROOTS or HIERARCHY_LABEL in item.labels or HIERARCHY_LABEL in item.kind.labels


def _is_forced(item: Item) -> bool:
    return item.key.group_kind in ALWAYS or MOVE_LABEL in item.labels or MOVE_LABEL in item.kind.labels
