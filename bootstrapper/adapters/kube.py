"""A Kubernetes API server, for the installer and for the pivot: see `bootstrapper.world.Cluster`.

One client, one connection pool, one discovery; `api_line` sends and asks again.
"""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal
from urllib.parse import quote

import yaml

from bootstrapper.adapters.api_line import JSON, Expired, Line
from bootstrapper.errors import ConfigError, LostContact
from bootstrapper.world import Cluster
from pivot import errors as failure
from pivot.ports import FIELD_MANAGER, NAMESPACE, Kind

Object = dict[str, Any]
# `KubeCluster.list` hides the builtin within the class.
Objects = list[Object]
#: Objects a page of a LIST: large enough to be few requests, small enough for one answer.
PAGE = 500
#: Requests in flight that one API server gets from us at most.
POOL = 32
#: Seconds for the answer to whether it is ready.
READY = 5.0

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
#: "Receiving resources as ... PartialObjectMetadata" in the Kubernetes API concepts.
METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
PATCH_TYPES = {"merge": "application/merge-patch+json", "json": "application/json-patch+json"}


def connect(kubeconfig: str, name: str) -> Cluster:
    """The API server of a kubeconfig (YAML text), called `name` in messages; the same text gives the same client.

    Raises:
        ConfigError: the text is no kubeconfig.
    """
    return _connect(kubeconfig, name)


@functools.lru_cache(maxsize=32)
def _connect(kubeconfig: str, name: str) -> KubeCluster:
    import kubernetes.config
    from kubernetes.client import ApiClient, Configuration

    configuration = Configuration()
    try:
        kubernetes.config.load_kube_config_from_dict(yaml.safe_load(kubeconfig), client_configuration=configuration)
    except (kubernetes.config.ConfigException, yaml.YAMLError, TypeError, KeyError) as error:
        raise ConfigError(f"the kubeconfig of {name} can't be read", str(error)) from None
    configuration.retries = False  # the only retries are ours
    configuration.connection_pool_maxsize = POOL
    return KubeCluster(Line(ApiClient(configuration), name, 0.0), name)


class KubeCluster:
    """See `bootstrapper.world.Cluster` and `pivot.ports.Cluster`."""

    def __init__(self, line: Line, name: str) -> None:
        self._line = line
        self._kinds: dict[tuple[str, str], Kind] = {}
        self._lock = threading.Lock()
        self.name = name
        self.server = line.server

    def patient(self, seconds: float) -> Cluster:
        """The same API server, with another patience."""
        other = KubeCluster(self._line.patient(seconds), self.name)
        other._kinds = self._kinds
        return other

    # -- the pivot's port

    def identity(self) -> str:
        """The UID of kube-system: what tells this cluster from all others."""
        found = self.get(NAMESPACE, None, "kube-system")
        assert found is not None, "an API server always has the namespace kube-system"
        return str(found["metadata"]["uid"])

    def kinds(self) -> tuple[Kind, ...]:
        """Every kind that a CRD defines, at its storage version."""
        return tuple(_of_crd(crd) for crd in self._pages(CRDS, {}))

    def list(self, kind: Kind, namespace: str | None = None, labels: str | None = None) -> Iterator[Object]:
        """Every object of a kind, page by page. A continue token that expires starts the LIST anew, without doubles."""
        query = {"labelSelector": labels} if labels else {}
        for item in self._pages(_path(kind, namespace), query):
            item.setdefault("apiVersion", kind.api_version)
            item.setdefault("kind", kind.kind)
            yield item

    def get(self, kind: Kind, namespace: str | None, name: str) -> Object | None:
        """One object, None when it isn't there."""
        try:
            return self._line.call("GET", _path(kind, namespace, name))
        except failure.NotFound:
            return None

    def create(self, kind: Kind, obj: Object) -> Object:
        """Create an object as it stands; the answer is what the API server made of it."""
        path = _path(kind, obj["metadata"].get("namespace"))
        return self._line.call("POST", path, obj, {"fieldManager": FIELD_MANAGER})

    def check(self, kind: Kind, obj: Object) -> None:
        """Ask whether a create would be accepted; nothing is written."""
        query = {"fieldManager": FIELD_MANAGER, "dryRun": "All"}
        self._line.call("POST", _path(kind, obj["metadata"].get("namespace")), obj, query)

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
        """Patch an object; a resourceVersion or UID in the patch is a precondition."""
        path = _path(kind, namespace, name) + (f"/{subresource}" if subresource else "")
        return self._line.call("PATCH", path, patch, {"fieldManager": FIELD_MANAGER}, PATCH_TYPES[type])

    def delete(
        self, kind: Kind, namespace: str | None, name: str, *, uid: str, propagation: str = "Background"
    ) -> None:
        """Delete the object with this UID; one that is gone already is fine."""
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": propagation,
            "preconditions": {"uid": uid},
        }
        with contextlib.suppress(failure.NotFound):
            self._line.call("DELETE", _path(kind, namespace, name), options)

    # -- what installing needs

    def alive(self) -> None:
        """Return when the API server says it is ready."""
        try:
            self._line.send("GET", "/readyz", None, {}, None, read=READY)
        except failure.PivotError as error:
            raise LostContact(f"the API server of {self.name} ({self.server}) isn't ready", str(error)) from None

    def kind(self, api_version: str, kind: str) -> Kind | None:
        """The kind as this API server knows it, None when it doesn't (yet)."""
        with self._lock:
            known = self._kinds.get((api_version, kind))
        if known is None:
            self._discover(api_version)
            known = self._kinds.get((api_version, kind))
        return known

    def apply(self, obj: Object) -> Object:
        """Server-side apply."""
        kind = self._known(obj["apiVersion"], obj["kind"])
        path = _path(kind, obj["metadata"].get("namespace"), obj["metadata"]["name"])
        query = {"fieldManager": FIELD_MANAGER, "force": "true"}
        return self._line.call("PATCH", path, obj, query, "application/apply-patch+yaml")

    def find(self, api_version: str, kind: str, namespace: str | None = None, labels: str | None = None) -> Objects:
        """All objects of a kind; none when the kind isn't known here."""
        known = self.kind(api_version, kind)
        if known is None:
            return []
        try:
            return [*self.list(known, namespace, labels)]
        except failure.NotFound:
            return []

    def names(self, api_version: str, kind: str) -> set[tuple[str, str]]:
        """(namespace or "", name) of all objects of a kind, asked for as PartialObjectMetadata."""
        known = self.kind(api_version, kind)
        if known is None:
            return set()
        found = self._pages(_path(known, None), {}, METADATA_ONLY)
        return {(m.get("namespace", ""), m["name"]) for m in (item["metadata"] for item in found)}

    def one(self, api_version: str, kind: str, namespace: str | None, name: str) -> Object | None:
        """One object by its name; None when it or its kind isn't there."""
        known = self.kind(api_version, kind)
        return self.get(known, namespace, name) if known else None

    # -- how

    def _known(self, api_version: str, kind: str) -> Kind:
        found = self.kind(api_version, kind)
        if found is None:
            raise failure.NotFound(f"{self.name} has no kind {kind} in {api_version}")
        return found

    def _discover(self, api_version: str) -> None:
        prefix = "/apis/" if "/" in api_version else "/api/"
        try:
            found = self._line.call("GET", prefix + api_version)
        except failure.NotFound:
            return
        group, _, version = api_version.rpartition("/")
        kinds = {
            (api_version, item["kind"]): Kind(
                group, item["kind"], version, item["name"], item["namespaced"], (version,)
            )
            for item in found["resources"]
            if "/" not in item["name"]
        }
        with self._lock:
            self._kinds.update(kinds)

    def _pages(self, path: str, query: Mapping[str, str], accept: str = JSON) -> Iterator[Object]:
        given: set[str] = set()
        token = ""
        while True:
            try:
                asked = {**query, "limit": str(PAGE), "continue": token}
                page = self._line.call("GET", path, None, asked, accept=accept)
            except Expired:
                token = ""
                continue
            for item in page["items"] or ():
                if item["metadata"]["uid"] not in given:
                    given.add(item["metadata"]["uid"])
                    yield item
            token = page["metadata"].get("continue", "")
            if not token:
                return


def _path(kind: Kind, namespace: str | None, name: str | None = None) -> str:
    parts = ["/apis", kind.group, kind.version] if kind.group else ["/api", kind.version]
    if namespace and kind.namespaced:
        parts += ["namespaces", quote(namespace)]
    return "/".join([*parts, kind.plural, *([quote(name)] if name else [])])


def _of_crd(crd: Object) -> Kind:
    spec = crd["spec"]
    served = [v["name"] for v in spec["versions"] if v["served"]]
    storage = next(v["name"] for v in spec["versions"] if v["storage"])
    version = storage if storage in served else served[0]
    chosen = next(v for v in spec["versions"] if v["name"] == version)
    return Kind(
        spec["group"],
        spec["names"]["kind"],
        version,
        spec["names"]["plural"],
        spec["scope"] == "Namespaced",
        tuple(served),
        crd["metadata"].get("labels") or {},
        "status" in (chosen.get("subresources") or {}),
    )
