"""What is in the two clusters now: the whole input of `plan`. Made by `observe`, or by tests."""

from __future__ import annotations

import hashlib
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
#: By which markers are found.
MARKER_LABEL = "pivot.bootstrapper/marker"


@dataclass(frozen=True)
class Options:
    """What the operator asked for.

    `namespaces`: only these, empty for all. `allow`: names (`Kind namespace/name`) of objects below a Cluster that may
    be left behind though they can't move. `status`: kinds (`Kind.group`) whose status is restored. `parallel`: writes
    in flight. `stall`: seconds without any change after which a wait ends. `holder`: who we are, for other movers.
    `rehearse`: whether the target is asked beforehand if it would take each object.
    """

    namespaces: tuple[str, ...] = ()
    source: Source = "keep"
    allow: frozenset[str] = frozenset()
    status: frozenset[str] = frozenset()
    parallel: int = 32
    stall: float = 600.0
    holder: str = "bootstrapper"
    rehearse: bool = False


@dataclass(frozen=True)
class Marker:
    """The hand-over, as the target remembers it. Its presence is the only evidence that the target is in charge.

    `number` counts the pivots of the same source and namespaces: one that lives on may be moved from again.
    """

    source: str
    number: int
    namespaces: tuple[str, ...]
    mode: Source
    state: str
    uid: str = ""

    def data(self, source_name: str) -> dict[str, str]:
        """The ConfigMap's data."""
        return {
            "source": self.source,
            "number": str(self.number),
            "sourceName": source_name,
            "namespaces": json.dumps(self.namespaces),
            "mode": self.mode,
            "state": self.state,
        }


def marker_of(data: Mapping[str, str], uid: str) -> Marker:
    """The marker in a ConfigMap's data."""
    mode: Source = "keep" if data.get("mode") == "keep" else "destroyed-later"
    namespaces = tuple(json.loads(data.get("namespaces") or "[]"))
    number = int(data.get("number") or 1)
    return Marker(data.get("source", ""), number, namespaces, mode, data.get("state", HANDED_OVER), uid)


@dataclass(frozen=True)
class Claim:
    """Who moves this source, where to, and which pivot of which namespaces that is: a Lease in the source."""

    holder: str
    target: str
    pivot: str
    namespaces: tuple[str, ...] = ()
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
    """Both sides, the marker, the claim; `pivot` is this pivot's own name (see `pivot_name`)."""

    source: Side
    target: Side
    pivot: str
    marker: Marker | None = None
    claim: Claim | None = None

    def ours(self, item: Item) -> bool:
        """Whether it is a copy that this pivot made."""
        return item.origin is not None and item.origin.pivot == self.pivot

    @property
    def ended(self) -> str | None:
        """The name of the last pivot that is done, where another may follow it."""
        if self.marker is None or self.marker.state != DONE or self.marker.mode != "keep":
            return None
        return f"{marker_name(self.marker.source, self.marker.namespaces)}.{self.marker.number}"

    @cached_property
    def copies(self) -> Mapping[str, Item]:
        """The copies that this pivot made, by the source object's UID."""
        items = self.target.graph.items.values()
        return {item.origin.uid: item for item in items if item.origin and self.ours(item)}


def marker_name(source: str, namespaces: tuple[str, ...]) -> str:
    """The name of the marker of a source's identity and the namespaces that are moved."""
    scope = "|".join((source, *sorted(namespaces)))
    return f"bootstrapper-pivot-{hashlib.sha256(scope.encode()).hexdigest()[:12]}"


def pivot_number(marker: Marker | None) -> int:
    """Which pivot of this source and these namespaces it is: a new one begins when the one before is done."""
    if marker is None:
        return 1
    return marker.number + 1 if marker.state == DONE and marker.mode == "keep" else marker.number


def pivot_name(source: str, namespaces: tuple[str, ...], marker: Marker | None) -> str:
    """The name of this pivot, the same from any machine."""
    return f"{marker_name(source, namespaces)}.{pivot_number(marker)}"
