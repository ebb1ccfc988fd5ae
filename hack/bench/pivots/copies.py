"""What a pivot wrote into the target, as requests that can be sent again by a client without logic. Pure.

A bare client doesn't know the UIDs that owners will have, so each ownerReference names a stand-in of its owner's kind
that was made before: the garbage collector has the same to do as with real copies, and nothing to collect.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hack.bench.pivots.bare import MERGE, Request, as_bytes
from hack.bench.pivots.fleet import RESOURCES, Object, Resource

STAND_IN = "stand-in"
#: What an API server sets itself.
SERVERS = ("uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "ownerReferences")
BY_KIND = {resource.kind: resource for resource in RESOURCES}
QUERY = "?fieldManager=bootstrapper"


def stand_ins(items: Iterable[Object], namespace: str) -> list[Request]:
    """The creates of one stand-in for each kind that owns something."""
    found = list(items)
    kinds = {reference["kind"] for item in found for reference in _owners(item)}
    firsts = {item["kind"]: item for item in reversed(found) if item["kind"] in kinds}
    return [_create(_renamed(item), BY_KIND[kind], namespace, ()) for kind, item in firsts.items()]


def creates(items: Iterable[Object], namespace: str, owners: Mapping[str, Object]) -> list[Request]:
    """A create for each item; `owners` has the stand-in, as it was made, of each kind that owns something."""
    return [_create(item, BY_KIND[item["kind"]], namespace, _referring(item, owners)) for item in items]


def restores(items: Iterable[Object], namespace: str) -> list[Request]:
    """A patch of managedFields for each item that has a server-side-apply manager."""
    return [_restore(item, namespace) for item in items if any(e["operation"] == "Apply" for e in _managers(item))]


def _create(item: Object, resource: Resource, namespace: str, owners: Iterable[Object]) -> Request:
    metadata = {name: part for name, part in item["metadata"].items() if name not in SERVERS}
    metadata["namespace"] = namespace
    if references := list(owners):
        metadata["ownerReferences"] = references
    body = {**{name: part for name, part in item.items() if name != "status"}, "metadata": metadata}
    return Request("POST", resource.path(namespace) + QUERY, as_bytes(body))


def _restore(item: Object, namespace: str) -> Request:
    path = BY_KIND[item["kind"]].path(namespace, item["metadata"]["name"])
    return Request("PATCH", path + QUERY, as_bytes({"metadata": {"managedFields": _managers(item)}}), MERGE)


def _referring(item: Object, owners: Mapping[str, Object]) -> Iterable[Object]:
    for reference in _owners(item):
        metadata = owners[reference["kind"]]["metadata"]
        yield {**reference, "name": metadata["name"], "uid": metadata["uid"]}


def _renamed(item: Object) -> Object:
    kept = {"name": STAND_IN, "labels": item["metadata"].get("labels", {})}
    return {**item, "metadata": kept}


def _owners(item: Object) -> list[Object]:
    return item["metadata"].get("ownerReferences") or []


def _managers(item: Object) -> list[Object]:
    return item["metadata"].get("managedFields") or []
