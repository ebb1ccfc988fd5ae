"""A Kubernetes API server, for the installer and for the pivot: see `bootstrapper.world.Cluster`.

One client, one connection pool, one discovery. The only place that retries: transient answers are asked again until
one deadline for the operation, with jitter, honouring Retry-After. A 409 on a write isn't transient: who lost a race
must look again.
"""

from __future__ import annotations

import contextlib
import functools
import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote, urlencode, urlsplit

import tenacity
import yaml

from bootstrapper.errors import ConfigError, LostContact
from bootstrapper.world import Cluster
from pivot import errors as failure
from pivot.ports import NAMESPACE, Kind

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

Object = dict[str, Any]
# `KubeCluster.list` hides the builtin within the class.
Objects = list[Object]
FIELD_MANAGER = "bootstrapper"
#: Objects a page of a LIST: large enough to be few requests, small enough for one answer.
PAGE = 500
#: Requests in flight that one API server gets from us at most.
POOL = 32
#: Seconds for the connection, and for the answer: as long as an API server takes for a request at most, webhooks
#: included (kube-apiserver's --request-timeout is 60 s; a create of a Cluster that has a ClusterClass may take 4 s).
CONNECT, READ = 3.0, 60.0
#: Seconds for the answer to whether it is ready.
READY = 5.0

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
JSON = "application/json"
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
    return KubeCluster(ApiClient(configuration), name)


class KubeCluster:
    """See `bootstrapper.world.Cluster` and `pivot.ports.Cluster`.

    `patience` is the deadline in seconds within which transient answers are asked again; 0 asks once.
    """

    def __init__(self, client: ApiClient, name: str, patience: float = 0.0) -> None:
        self._client = client
        self._patience = patience
        self._kinds: dict[tuple[str, str], Kind] = {}
        self._lock = threading.Lock()
        self.name = name
        self.server: str = client.configuration.host

    def patient(self, seconds: float) -> Cluster:
        """The same API server, with another patience."""
        other = KubeCluster(self._client, self.name, seconds)
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
            return self._call("GET", _path(kind, namespace, name))
        except failure.NotFound:
            return None

    def create(self, kind: Kind, obj: Object) -> Object:
        """Create an object as it stands; the answer is what the API server made of it."""
        return self._call("POST", _path(kind, obj["metadata"].get("namespace")), obj, {"fieldManager": FIELD_MANAGER})

    def check(self, kind: Kind, obj: Object) -> None:
        """Ask whether a create would be accepted; nothing is written."""
        query = {"fieldManager": FIELD_MANAGER, "dryRun": "All"}
        self._call("POST", _path(kind, obj["metadata"].get("namespace")), obj, query)

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
        return self._call("PATCH", path, patch, {"fieldManager": FIELD_MANAGER}, PATCH_TYPES[type])

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
            self._call("DELETE", _path(kind, namespace, name), options)

    # -- what installing needs

    def alive(self) -> None:
        """Return when the API server says it is ready."""
        try:
            self._send("GET", "/readyz", None, {}, None, read=READY)
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
        return self._call("PATCH", path, obj, query, "application/apply-patch+yaml")

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
            found = self._call("GET", prefix + api_version)
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
                page = self._call("GET", path, None, {**query, "limit": str(PAGE), "continue": token}, accept=accept)
            except _Expired:
                token = ""
                continue
            for item in page["items"] or ():
                if item["metadata"]["uid"] not in given:
                    given.add(item["metadata"]["uid"])
                    yield item
            token = page["metadata"].get("continue", "")
            if not token:
                return

    def _call(
        self,
        method: str,
        path: str,
        body: object = None,
        query: Mapping[str, str] | None = None,
        content_type: str | None = None,
        accept: str = JSON,
    ) -> Object:
        """One operation: asked again while the answer is transient and the patience lasts."""
        request = (method, path, body, query or {}, content_type, accept)
        if self._patience <= 0:
            return self._json(*request)
        return self._again(self._json, *request)

    @functools.cached_property
    def _again(self) -> tenacity.Retrying:
        """Made once: a pivot makes thousands of requests, from several threads, whose state tenacity keeps apart."""
        return tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(failure.Unavailable),
            wait=_pause,
            stop=tenacity.stop_after_delay(self._patience),
            reraise=True,
        )

    def _json(self, *request: Any) -> Object:
        data = self._send(*request)
        return dict(json.loads(data)) if data else {}

    def _send(
        self,
        method: str,
        path: str,
        body: object,
        query: Mapping[str, str],
        content_type: str | None,
        accept: str = JSON,
        read: float = 0.0,
    ) -> bytes:
        import urllib3

        # urllib3 directly, with the client's connections and credentials: its own `call_api` breaks on a failed TLS
        # handshake, which is what a load balancer without a back end answers.
        headers = {"Accept": accept, "Content-Type": content_type or JSON}
        parameters = [(key, value) for key, value in query.items() if value]
        self._client.update_params_for_auth(headers, parameters, ["BearerToken"])
        what = f"{method} {path} at {self.name}"
        try:
            response = self._open(
                method,
                path + (f"?{urlencode(parameters)}" if parameters else ""),
                body=json.dumps(body).encode() if body is not None else None,
                headers=headers,
                timeout=urllib3.Timeout(connect=CONNECT, read=read or READ),
                retries=False,
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise failure.Unavailable(what, _transport(error)) from None
        if response.status >= 300:
            raise _answer(what, response.status, response.headers.get("Retry-After"), response.data)
        return bytes(response.data)

    @functools.cached_property
    def _open(self) -> Callable[..., Any]:
        """Sends a request by the connections to the server; found once, for a pivot makes thousands of requests."""
        import urllib3

        manager = self._client.rest_client.pool_manager
        if isinstance(manager, urllib3.ProxyManager):
            return lambda method, path, **rest: manager.request(method, f"{self.server}{path}", **rest)
        pool, prefix = manager.connection_from_url(self.server), urlsplit(self.server).path.rstrip("/")
        return lambda method, path, **rest: pool.urlopen(method, f"{prefix}{path}", redirect=False, **rest)


class _Expired(failure.Refused):
    """410: a continue token is too old."""


def _pause(state: tenacity.RetryCallState) -> float:
    """Seconds until the next try: what the API server asked for, else exponential with jitter."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after if isinstance(error, failure.Unavailable) else None
    return asked if asked is not None else float(tenacity.wait_random_exponential(0.2, max=5)(state))


def _answer(what: str, status: int, retry_after: str | None, body: bytes) -> failure.ApiError:
    """An HTTP answer as one of ours; see the Kubernetes API conventions, "Error codes" and "Retry-After"."""
    reason, message = "", body.decode("utf-8", "replace")[:300].strip()
    with contextlib.suppress(ValueError, AttributeError):
        told = json.loads(body)
        reason, message = told.get("reason", ""), told.get("message", message)
    if status in (408, 429) or status >= 500:
        seconds = float(retry_after) if retry_after and retry_after.isdigit() else None
        return failure.Unavailable(what, f"{status} {message}", retry_after=seconds)
    if status == 409 and reason == "AlreadyExists":
        return failure.AlreadyExists(what, message)
    kinds: dict[int, type[failure.ApiError]] = {404: failure.NotFound, 409: failure.Conflict, 410: _Expired}
    return kinds.get(status, failure.Refused)(what, f"{status} {message}")


def _transport(error: BaseException) -> str:
    """Why no answer came, without urllib3's wrapping."""
    text = str(getattr(error, "reason", None) or error)
    for sign, plain in (
        ("Connection refused", "connection refused"),
        ("timed out", "no answer within the time limit"),
        ("Connection reset", "connection reset"),
        ("EOF", "connection closed before an answer"),
        ("No route to host", "no route to host"),
        ("Name or service not known", "its name doesn't resolve"),
    ):
        if sign in text:
            return plain
    return text


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
