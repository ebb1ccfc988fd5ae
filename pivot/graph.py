"""Who hangs below whom: ownerReferences, and the soft owners that providers rely on.

Soft owners follow clusterctl (cmd/clusterctl/client/cluster/objectgraph.go, `setSoftOwnership`): a Cluster's Secrets by
name, a Cluster below its ClusterClass, a ClusterResourceSetBinding below its Cluster, the templates of a ClusterClass.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pivot.objects import BINDING, CLUSTER, CLUSTER_CLASS, Item, Key
from pivot.ports import Object

#: What a Cluster's own Secrets are called: `<cluster>-<suffix>` (CAPI util/secret).
SECRET_SUFFIXES = ("kubeconfig", "ca", "etcd", "sa", "proxy", "apiserver-etcd-client")


@dataclass(frozen=True)
class Graph:
    """The items of one cluster with their owners. Pure; built once for an observation."""

    items: Mapping[Key, Item]

    @cached_property
    def by_uid(self) -> Mapping[str, Key]:
        return {item.uid: key for key, item in self.items.items()}

    def references(self, key: Key) -> Iterator[tuple[Object, Key | None]]:
        """The ownerReferences of an item, each with the owner's key, None when no such object was found."""
        for reference in self.items[key].owners:
            yield reference, self.by_uid.get(reference.get("uid", ""))

    @cached_property
    def hard(self) -> Mapping[Key, frozenset[Key]]:
        """Item -> its owners by ownerReference."""
        return {key: frozenset(owner for _, owner in self.references(key) if owner is not None) for key in self.items}

    @cached_property
    def soft(self) -> Mapping[Key, frozenset[Key]]:
        """Item -> its soft owners."""
        found: dict[Key, set[Key]] = defaultdict(set)
        for key, item in self.items.items():
            for child, owner in self._soft_edges(key, item):
                if child in self.items and owner in self.items and child != owner:
                    found[child].add(owner)
        return {key: frozenset(owners) for key, owners in found.items()}

    def _soft_edges(self, key: Key, item: Item) -> Iterator[tuple[Key, Key]]:
        if key.group_kind == ("", "Secret") and not item.owners:
            named = (Key(*CLUSTER, key.namespace, name) for name in cluster_names(key.name))
            yield from ((key, cluster) for cluster in itertools.islice(filter(self.items.get, named), 1))
        elif key.group_kind == CLUSTER and (used := class_of(item)):
            yield key, used
        elif key.group_kind == BINDING:
            yield key, Key(*CLUSTER, key.namespace, (item.body.get("spec") or {}).get("clusterName") or "")
        elif key.group_kind == CLUSTER_CLASS:
            yield from ((template, key) for template in templates_of(item))

    def owners(self, key: Key) -> frozenset[Key]:
        """All owners, hard and soft."""
        return self.hard[key] | self.soft.get(key, frozenset())

    @cached_property
    def below(self) -> Mapping[Key, frozenset[Key]]:
        """Item -> what hangs directly below it."""
        found: dict[Key, set[Key]] = defaultdict(set)
        for key in self.items:
            for owner in self.owners(key):
                found[owner].add(key)
        return {key: frozenset(children) for key, children in found.items()}

    def hierarchy(self, roots: Iterable[Key], within: Callable[[Key], bool]) -> Mapping[Key, Key]:
        """Everything at and below the roots that is `within` -> the first root above it (in the order of names)."""
        reached: dict[Key, Key] = {}
        for root in sorted(roots):
            todo = [root]
            while todo:
                key = todo.pop()
                if key not in reached and within(key):
                    reached[key] = root
                    todo.extend(self.below.get(key, ()))
        return reached

    def waves(self, chosen: Collection[Key]) -> list[list[Key]]:
        """The chosen in waves, owners before what they own. Of a cycle the smallest name goes first."""
        among = frozenset(chosen)
        waiting = {key: (self.owners(key) & among) - {key} for key in among}
        waves: list[list[Key]] = []
        placed: set[Key] = set()
        while waiting:
            ready = sorted(key for key, owners in waiting.items() if owners <= placed)
            wave = ready or [_first_of_a_cycle(waiting, placed)]
            waves.append(wave)
            placed.update(wave)
            for key in wave:
                del waiting[key]
        return waves


def _first_of_a_cycle(waiting: Mapping[Key, frozenset[Key]], placed: Collection[Key]) -> Key:
    """The smallest key that is on a cycle: walk up from the smallest until a key comes back."""
    key, seen = min(waiting), set[Key]()
    while key not in seen:
        seen.add(key)
        key = min(owner for owner in waiting[key] if owner not in placed)
    cycle = [key]
    while (key := min(owner for owner in waiting[key] if owner not in placed)) != cycle[0]:
        cycle.append(key)
    return min(cycle)


def cluster_names(secret: str) -> list[str]:
    """The names of Clusters that a Secret of this name may belong to, longest first."""
    names = [secret.removesuffix(f"-{suffix}") for suffix in SECRET_SUFFIXES if secret.endswith(f"-{suffix}")]
    return sorted((name for name in names if name), key=len, reverse=True)


def class_of(cluster: Item) -> Key | None:
    """The ClusterClass of a Cluster's topology, in the v1beta2 (`classRef`) or v1beta1 (`class`) shape."""
    topology: Object = (cluster.body.get("spec") or {}).get("topology") or {}
    reference = topology.get("classRef") or {}
    name = reference.get("name") or topology.get("class")
    namespace = reference.get("namespace") or topology.get("classNamespace") or cluster.key.namespace
    return Key(*CLUSTER_CLASS, namespace, name) if name else None


def templates_of(cluster_class: Item) -> list[Key]:
    """Every template that a ClusterClass's spec refers to."""
    found: set[Key] = set()
    todo: list[Any] = [cluster_class.body.get("spec")]
    while todo:
        part = todo.pop()
        if isinstance(part, list):
            todo.extend(part)
        elif isinstance(part, dict):
            todo.extend(part.values())
            if isinstance(part.get("apiVersion"), str) and part.get("kind") and part.get("name"):
                group = part["apiVersion"].rpartition("/")[0]
                namespace = part.get("namespace") or cluster_class.key.namespace
                found.add(Key(group, str(part["kind"]), namespace, str(part["name"])))
    return sorted(found)
