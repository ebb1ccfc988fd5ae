"""A source that was destroyed after it had handed over: it has nothing, and what is written to it goes nowhere.

With it a pivot whose source is gone can be ended: what is left to do (un-pause what the pivot had paused) is all noted
in the target. Without a marker nothing of the kind is possible: an empty source is an error then, as ever.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from pivot.ports import Cluster, Kind, Object


class GoneSource:
    """See `ports.Cluster`. `identity` is the source's, as the target's marker names it."""

    def __init__(self, identity: str, target: Cluster, name: str = "the destroyed source") -> None:
        self.name = name
        self._identity = identity
        self._target = target

    def identity(self) -> str:
        return self._identity

    def kinds(self) -> tuple[Kind, ...]:
        """Those of the target: only what is known there can be paused there."""
        return self._target.kinds()

    def list(self, kind: Kind, namespace: str | None = None, labels: str | None = None) -> Iterator[Object]:
        return iter(())

    def get(self, kind: Kind, namespace: str | None, name: str) -> Object | None:
        return None

    def create(self, kind: Kind, obj: Object) -> Object:
        return {**obj, "metadata": {**obj["metadata"], "uid": "gone", "resourceVersion": "1"}}

    def check(self, kind: Kind, obj: Object) -> None:
        return None

    def patch(
        self,
        kind: Kind,
        namespace: str | None,
        name: str,
        patch: Mapping[str, Any] | Sequence[Any],
        *,
        type: Literal["merge", "json"] = "merge",  # noqa: A002 - the API's own word
        subresource: str | None = None,
    ) -> Object:
        return {"metadata": {"name": name, "uid": "gone", "resourceVersion": "1"}}

    def delete(
        self, kind: Kind, namespace: str | None, name: str, *, uid: str, propagation: str = "Background"
    ) -> None:
        return None
