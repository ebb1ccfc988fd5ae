"""What is in the two clusters now: the whole input of `plan`. Made by `observe`, or by tests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from pivot.graph import Graph
from pivot.objects import Item, Key
from pivot.ports import Kind

#: What becomes of the source: it lives on, or it is destroyed as a whole.
Source = Literal["keep", "destroyed-later"]

#: How far a pivot is that has handed over.
HANDED_OVER, RETIRED, DONE = "handed-over", "retired", "done"


@dataclass(frozen=True)
class Options:
    """What the operator asked for.

    `namespaces`: only these, empty for all. `allow`: names (`Kind namespace/name`) of objects below a Cluster that may
    be left behind though they can't move. `status`: kinds (`Kind.group`) whose status is restored. `parallel`: writes
    in flight. `stall`: seconds without any change after which a wait ends. `holder`: who we are, for other movers.
    """

    namespaces: tuple[str, ...] = ()
    source: Source = "keep"
    allow: frozenset[str] = frozenset()
    status: frozenset[str] = frozenset()
    parallel: int = 32
    stall: float = 600.0
    holder: str = "bootstrapper"


@dataclass(frozen=True)
class Marker:
    """The hand-over, as the target remembers it. Its presence is the only evidence that the target is in charge."""

    source: str
    namespaces: tuple[str, ...]
    mode: Source
    state: str
    uid: str = ""

    def data(self, source_name: str) -> dict[str, str]:
        """The ConfigMap's data."""
        return {
            "source": self.source,
            "sourceName": source_name,
            "namespaces": json.dumps(self.namespaces),
            "mode": self.mode,
            "state": self.state,
        }


def marker_of(data: Mapping[str, str], uid: str) -> Marker:
    """The marker in a ConfigMap's data."""
    mode: Source = "keep" if data.get("mode") == "keep" else "destroyed-later"
    namespaces = tuple(json.loads(data.get("namespaces") or "[]"))
    return Marker(data.get("source", ""), namespaces, mode, data.get("state", HANDED_OVER), uid)


@dataclass(frozen=True)
class Claim:
    """Who moves this source, and where to: a Lease in the source."""

    holder: str
    target: str
    version: str = ""


@dataclass(frozen=True)
class Side:
    """One cluster as it was found. `graph` has every item of the kinds that were looked at.

    `kinds` are all kinds by (group, kind); `running` and `stopped` name the managers (see `ports.Managers`).
    """

    name: str
    identity: str
    kinds: Mapping[tuple[str, str], Kind]
    graph: Graph
    namespaces: Mapping[str, Item] = field(default_factory=dict)
    running: tuple[str, ...] = ()
    stopped: tuple[str, ...] = ()

    def get(self, key: Key) -> Item | None:
        """The item of this name."""
        return self.graph.items.get(key)


@dataclass(frozen=True)
class Seen:
    """Both sides, the marker, the claim."""

    source: Side
    target: Side
    marker: Marker | None = None
    claim: Claim | None = None

    @cached_property
    def copies(self) -> Mapping[str, Item]:
        """The copies of this source's objects that stand in the target, by the source object's UID."""
        return {
            item.origin.uid: item
            for item in self.target.graph.items.values()
            if item.origin and item.origin.source == self.source.identity
        }
