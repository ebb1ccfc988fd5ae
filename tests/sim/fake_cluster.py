"""An API server in memory, behind the pivot's port, with a garbage collector and room for controllers.

What it does as the real one does is held to it by `tests/contract/test_pivot_cluster.py`, which runs on both. Known
differences from a real API server:

* no schemas: nothing is pruned, defaulted or validated, no admission but `refusals`;
* the garbage collector and the namespace controller act at once when `settle()` runs (after every write here),
  the real ones some seconds later, or after a minute for an object that is born with a dead owner;
* managedFields know managers, but no fields; server-side apply isn't there.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar, cast

from pivot.errors import AlreadyExists, Conflict, NotFound, Refused
from pivot.ports import (
    CONFIG_MAP,
    DEPLOYMENT,
    FIELD_MANAGER,
    LEASE,
    MUTATING_WEBHOOKS,
    NAMESPACE,
    POD,
    SECRET,
    VALIDATING_WEBHOOKS,
    Kind,
    Object,
)

Name = tuple[str, str, str, str]
CORE = (NAMESPACE, SECRET, CONFIG_MAP, POD, DEPLOYMENT, LEASE, VALIDATING_WEBHOOKS, MUTATING_WEBHOOKS)


#: One operation at a time in all clusters: what is asserted after a write must not move meanwhile.
LOCK = threading.RLock()


class FakeCluster:
    """See `pivot.ports.Cluster`.

    Bent by plain assignment: `before_write`/`after_write` are called around every write, `controllers` act when
    `settle()` runs, `refusals` may refuse a write with a reason.
    """

    def __init__(self, name: str, kinds: Sequence[Kind] = ()) -> None:
        self.name = name
        self.crds = list(kinds)
        self.objects: dict[Name, Object] = {}
        self.before_write: Callable[[str, Name], None] = lambda verb, name: None
        self.after_write: Callable[[str, Name], None] = lambda verb, name: None
        self.controllers: list[Callable[[FakeCluster], None]] = []
        self.refusals: Callable[[str, Object], str | None] = lambda verb, body: None
        self.writes = 0
        self._uids = itertools.count(1)
        self._versions = itertools.count(1)
        for namespace in ("kube-system", "default"):
            self.put(NAMESPACE, {"metadata": {"name": namespace}})

    # -- the port

    def identity(self) -> str:
        found = self.get(NAMESPACE, None, "kube-system")
        assert found is not None
        return str(found["metadata"]["uid"])

    def kinds(self) -> tuple[Kind, ...]:
        return tuple(self.crds)

    def list(self, kind: Kind, namespace: str | None = None, labels: str | None = None) -> Iterator[Object]:
        self._known(kind)
        wanted = _selector(labels)
        with LOCK:
            chosen = [name for name in self.objects if name[1] == kind.kind and name[0] == kind.group]
            found = [clone(self.objects[name]) for name in sorted(chosen) if namespace in (None, name[2])]
        yield from filter(wanted, found)

    def get(self, kind: Kind, namespace: str | None, name: str) -> Object | None:
        found = self.objects.get(_name(kind, namespace, name))
        return clone(found) if found else None

    def create(self, kind: Kind, obj: Object) -> Object:
        self._known(kind)
        name = _name(kind, obj["metadata"].get("namespace"), obj["metadata"]["name"])
        made: Object = self._written("create", name, lambda: self._create(kind, name, obj))
        return made

    def check(self, kind: Kind, obj: Object) -> None:
        self._known(kind)
        name = _name(kind, obj["metadata"].get("namespace"), obj["metadata"]["name"])
        if reason := self.refusals("create", clone(obj)):
            raise Refused(f"{name} is refused", reason)
        if name in self.objects:
            raise AlreadyExists(f"{name} exists already")
        self._check_namespace(kind, name)

    def patch(
        self,
        kind: Kind,
        namespace: str | None,
        name: str,
        patch: Mapping[str, Any] | Sequence[Any],
        *,
        type: str = "merge",  # noqa: A002
        subresource: str | None = None,
    ) -> Object:
        named = _name(kind, namespace, name)
        done: Object = self._written("patch", named, lambda: self._patch(kind, named, patch, type, subresource))
        return done

    def delete(
        self, kind: Kind, namespace: str | None, name: str, *, uid: str, propagation: str = "Background"
    ) -> None:
        named = _name(kind, namespace, name)
        self._written("delete", named, lambda: self._delete(named, uid))

    # -- what tests and controllers do, without power failing and without being counted

    def put(self, kind: Kind, body: Object) -> Object:
        """Create an object as a user or a controller does."""
        name = _name(kind, body["metadata"].get("namespace"), body["metadata"]["name"])
        return self._create(kind, name, body, manager="user")

    def edit(self, name: Name, change: Callable[[Object], None]) -> None:
        """Change an object as a user or a controller does."""
        body = clone(self.objects[name])
        change(body)
        self._store(name, body)

    def remove(self, name: Name) -> None:
        """Delete an object as a user does."""
        if name in self.objects:
            self._delete(name, self.objects[name]["metadata"]["uid"])

    def settle(self) -> None:
        """Let the namespace controller, the garbage collector and the controllers act until nothing changes."""
        self._end_namespaces()
        while self._collect():
            pass
        for controller in self.controllers:
            controller(self)

    # -- how it works

    def _written(self, verb: str, name: Name, write: Callable[[], Any]) -> Any:
        with LOCK:
            self.before_write(verb, name)
            self.writes += 1
            try:
                answer = write()
            except Exception:
                self.after_write(verb, name)
                raise
            self.settle()
            self.after_write(verb, name)
            return clone(answer)

    def _create(self, kind: Kind, name: Name, obj: Object, manager: str = FIELD_MANAGER) -> Object:
        body = clone(obj)
        if reason := self.refusals("create", body):
            raise Refused(f"{name} is refused", reason)
        if name in self.objects:
            raise AlreadyExists(f"{name} exists already")
        self._check_namespace(kind, name)
        metadata = body["metadata"]
        body.setdefault("apiVersion", kind.api_version)
        body.setdefault("kind", kind.kind)
        if kind.status and (kind.group, kind.kind) != ("apps", "Deployment") and manager != "user":
            body.pop("status", None)
        metadata["uid"] = f"{self.name}-{next(self._uids)}"
        metadata["creationTimestamp"] = "2026-01-01T00:00:00Z"
        metadata["resourceVersion"] = str(next(self._versions))
        metadata.pop("deletionTimestamp", None)
        if "spec" in body:
            metadata["generation"] = 1
        if manager == FIELD_MANAGER:
            entry = {"manager": manager, "operation": "Update", "apiVersion": kind.api_version}
            metadata["managedFields"] = [entry]
        self.objects[name] = body
        return body

    def _check_namespace(self, kind: Kind, name: Name) -> None:
        if not kind.namespaced:
            return
        home = self.objects.get(("", "Namespace", "", name[2]))
        if home is None:
            raise NotFound(f"there is no namespace {name[2]}")
        if home["metadata"].get("deletionTimestamp"):
            raise Refused(f"namespace {name[2]} is being terminated")

    def _patch(self, kind: Kind, name: Name, patch: Any, how: str, subresource: str | None) -> Object:
        if name not in self.objects:
            raise NotFound(f"there is no {name}")
        old = self.objects[name]
        body = json_patch(old, patch) if how == "json" else merge_patch(old, patch)
        if subresource == "status":
            body = {**clone(old), "status": body.get("status")}
        elif kind.status and "status" in old:
            body["status"] = clone(old["status"])
        if body["metadata"].get("resourceVersion") != old["metadata"]["resourceVersion"]:
            raise Conflict(f"{name} has another resourceVersion")
        if body["metadata"].get("uid") != old["metadata"]["uid"]:
            raise Refused(f"{name} has another uid", "metadata.uid: field is immutable")
        if reason := self.refusals("patch", body):
            raise Refused(f"{name} is refused", reason)
        if "managedFields" not in (patch.get("metadata", {}) if isinstance(patch, Mapping) else {}):
            _note_manager(kind, body)
        self._store(name, body)
        return self.objects.get(name, body)

    def _store(self, name: Name, body: Object) -> None:
        old = self.objects[name]
        if body == old:
            return
        body["metadata"]["resourceVersion"] = str(next(self._versions))
        if body.get("spec") != old.get("spec"):
            body["metadata"]["generation"] = int(old["metadata"].get("generation") or 0) + 1
        self.objects[name] = body
        if body["metadata"].get("deletionTimestamp") and not body["metadata"].get("finalizers"):
            del self.objects[name]

    def _delete(self, name: Name, uid: str) -> None:
        body = self.objects.get(name)
        if body is None:
            return
        if body["metadata"]["uid"] != uid:
            raise Conflict(f"{name} has another UID")
        if reason := self.refusals("delete", body):
            raise Refused(f"{name} is refused", reason)
        if name[:2] == ("", "Namespace") or body["metadata"].get("finalizers"):
            body["metadata"].setdefault("deletionTimestamp", "2026-01-01T00:00:00Z")
            body["metadata"]["resourceVersion"] = str(next(self._versions))
        else:
            del self.objects[name]

    def _known(self, kind: Kind) -> None:
        if kind not in self.crds and kind not in CORE and kind.group.endswith((".x-k8s.io", ".test")):
            raise NotFound(f"no such kind: {kind}")

    def _end_namespaces(self) -> None:
        for name, body in list(self.objects.items()):
            if name[:2] == ("", "Namespace") and body["metadata"].get("deletionTimestamp"):
                inside = [other for other in self.objects if other[2] == name[3]]
                for other in inside:
                    self.remove(other)
                if not any(other[2] == name[3] for other in self.objects):
                    del self.objects[name]

    def _collect(self) -> bool:
        """Delete what has owners of which none is alive (as the real one does: same namespace, or cluster-scoped)."""
        alive = {body["metadata"]["uid"]: name for name, body in self.objects.items()}
        dead = []
        for name, body in self.objects.items():
            owners = body["metadata"].get("ownerReferences") or []
            found = [alive.get(owner["uid"]) for owner in owners]
            if owners and not any(at and at[2] in ("", name[2]) for at in found):
                dead.append(name)
        before = set(self.objects)
        for name in dead:
            self.remove(name)
        return set(self.objects) != before


def _name(kind: Kind, namespace: str | None, name: str) -> Name:
    return kind.group, kind.kind, (namespace or "") if kind.namespaced else "", name


def _selector(labels: str | None) -> Callable[[Object], bool]:
    """`a=b,c`: equality and existence."""
    terms = [term.partition("=") for term in (labels or "").split(",") if term]

    def matches(body: Object) -> bool:
        found = body["metadata"].get("labels") or {}
        return all(key in found and (not eq or found[key] == text) for key, eq, text in terms)

    return matches


def _note_manager(kind: Kind, body: Object) -> None:
    entries = body["metadata"].setdefault("managedFields", [])
    entry = {"manager": FIELD_MANAGER, "operation": "Update", "apiVersion": kind.api_version}
    if entry not in entries:
        entries.append(entry)


T = TypeVar("T")


def clone(part: T) -> T:
    """A deep copy of JSON, several times as fast as copy.deepcopy."""
    return cast("T", _clone(part))


def _clone(part: Any) -> Any:
    if isinstance(part, dict):
        return {key: _clone(value) for key, value in part.items()}
    return [_clone(value) for value in part] if isinstance(part, list) else part


def merge_patch(old: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, Mapping):
        return clone(patch)
    merged = clone(old) if isinstance(old, dict) else {}
    for key, part in patch.items():
        if part is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), part)
    return merged


def json_patch(old: Object, patch: Sequence[Mapping[str, Any]]) -> Object:
    """RFC 6902: test, add, replace, remove on objects."""
    body = clone(old)
    for step in patch:
        *path, last = [p.replace("~1", "/").replace("~0", "~") for p in step["path"].split("/")[1:]]
        at: Any = body
        for part in path:
            at = at[part]
        if step["op"] == "test" and at.get(last) != step["value"]:
            raise Refused(f"test of {step['path']} failed", "422")
        if step["op"] in ("add", "replace"):
            at[last] = clone(step["value"])
        if step["op"] == "remove":
            del at[last]
    return body
