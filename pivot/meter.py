"""How much was asked of a cluster."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from pivot.ports import Cluster, Kind, Object


class Metered:
    """A cluster that counts its calls: `reads` (a LIST is one, however many pages) and `writes`."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.name = cluster.name
        # itertools.count is atomic under threads where += isn't.
        self._reads, self._writes = itertools.count(), itertools.count()
        self.reads = self.writes = 0

    def identity(self) -> str:
        self.reads = next(self._reads) + 1
        return self._cluster.identity()

    def kinds(self) -> tuple[Kind, ...]:
        self.reads = next(self._reads) + 1
        return self._cluster.kinds()

    def list(self, kind: Kind, namespace: str | None = None, labels: str | None = None) -> Iterator[Object]:
        self.reads = next(self._reads) + 1
        return self._cluster.list(kind, namespace, labels)

    def get(self, kind: Kind, namespace: str | None, name: str) -> Object | None:
        self.reads = next(self._reads) + 1
        return self._cluster.get(kind, namespace, name)

    def create(self, kind: Kind, obj: Object) -> Object:
        self.writes = next(self._writes) + 1
        return self._cluster.create(kind, obj)

    def check(self, kind: Kind, obj: Object) -> None:
        self.reads = next(self._reads) + 1
        self._cluster.check(kind, obj)

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
        self.writes = next(self._writes) + 1
        return self._cluster.patch(kind, namespace, name, patch, type=type, subresource=subresource)

    def delete(
        self, kind: Kind, namespace: str | None, name: str, *, uid: str, propagation: str = "Background"
    ) -> None:
        self.writes = next(self._writes) + 1
        self._cluster.delete(kind, namespace, name, uid=uid, propagation=propagation)
