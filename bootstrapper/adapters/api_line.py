"""The line to one API server: what is sent, what is asked again, and what an answer means.

The only place that retries: transient answers are asked again until one deadline for the operation, with jitter,
honouring Retry-After. A 409 on a write isn't transient: who lost a race must look again.
"""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import tenacity

from pivot import errors as failure

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

Object = dict[str, Any]
#: Seconds for the connection, and for the answer: as long as an API server takes for a request at most, webhooks
#: included (kube-apiserver's --request-timeout is 60 s; a create of a Cluster that has a ClusterClass may take 4 s).
CONNECT, READ = 3.0, 60.0
JSON = "application/json"


class Line:
    """Requests with a client's connections and credentials.

    `name` is how people call the API server; `patience` the deadline in seconds within which transient answers are
    asked again, 0 asks once.
    """

    def __init__(self, client: ApiClient, name: str, patience: float) -> None:
        self._client = client
        self._name = name
        self._patience = patience
        self.server: str = client.configuration.host

    def patient(self, seconds: float) -> Line:
        """The same connections, with another patience."""
        return Line(self._client, self._name, seconds)

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        query: Mapping[str, str] | None = None,
        content_type: str | None = None,
        accept: str = JSON,
    ) -> Object:
        """One operation: asked again while the answer is transient and the patience lasts. Raises as `send` does."""
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
        data = self.send(*request)
        return dict(json.loads(data)) if data else {}

    def send(
        self,
        method: str,
        path: str,
        body: object,
        query: Mapping[str, str],
        content_type: str | None,
        accept: str = JSON,
        read: float = 0.0,
    ) -> bytes:
        """One request, once; `read`: seconds for the answer, READ without it.

        Raises:
            Unavailable: no answer, or a transient one. ApiError: whatever else isn't a success.
        """
        import urllib3

        # urllib3 directly, with the client's connections and credentials: its own `call_api` breaks on a failed TLS
        # handshake, which is what a load balancer without a back end answers.
        headers = {"Accept": accept, "Content-Type": content_type or JSON}
        parameters = [(key, value) for key, value in query.items() if value]
        self._client.update_params_for_auth(headers, parameters, ["BearerToken"])
        what = f"{method} {path} at {self._name}"
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


class Expired(failure.Refused):
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
    kinds: dict[int, type[failure.ApiError]] = {404: failure.NotFound, 409: failure.Conflict, 410: Expired}
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
