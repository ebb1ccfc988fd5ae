"""What a `clusterctl move` that was cut short left behind, so that it can be ended. Pure.

clusterctl (cmd/clusterctl/client/cluster/mover.go) pauses, creates, deletes, un-pauses; killed in between it refuses to
begin again, because the Clusters are paused. It refuses to begin on anything that is paused, so a pause that its field
manager owns is its own, and it meant to take it away. Before it deletes an object it replaces all its annotations by
`delete-for-move`, and it removes the finalizers last.
"""

from __future__ import annotations

from pivot.objects import DELETE_FOR_MOVE, Item
from pivot.ports import Object


def half_removed(item: Item) -> bool:
    """Whether a move was deleting it: its annotations are gone, maybe its finalizers."""
    return DELETE_FOR_MOVE in item.annotations


def same_object(item: Item, copy: Item) -> bool:
    """Whether the copy says what is left of a half removed item."""
    return _lasting(item) == _lasting(copy)


def _lasting(item: Item) -> Object:
    metadata = {name: part for name, part in item.essence["metadata"].items() if name == "labels"}
    return {**item.essence, "metadata": metadata}
