"""Requests to one kube-apiserver, side by side, without any logic: no look, no plan, no order, no retry."""

from __future__ import annotations

import base64
import json
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import urllib3
import yaml

from bootstrapper.errors import StepError

Thing = TypeVar("Thing")
#: Requests in flight.
IN_FLIGHT = 32
MERGE, APPLY, JSON = "application/merge-patch+json", "application/apply-patch+yaml", "application/json"
METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
PAGE = 500


@dataclass(frozen=True)
class Request:
    """One request, its body ready to be sent."""

    method: str
    path: str
    body: bytes | None = None
    content_type: str = JSON


class Bare:
    """A kube-apiserver; `agent` is what its audit log calls us."""

    def __init__(self, kubeconfig: str, agent: str) -> None:
        document = yaml.safe_load(kubeconfig)
        cluster, user = document["clusters"][0]["cluster"], document["users"][0]["user"]
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        context = ssl.create_default_context(cadata=authority)
        self._pool = urllib3.PoolManager(maxsize=IN_FLIGHT, ssl_context=context)
        self._server = cluster["server"]
        self._headers = {"Authorization": f"Bearer {user['token']}", "User-Agent": agent}

    def send(self, request: Request, accept: str = JSON) -> tuple[int, bytes]:
        """The status and the body of the answer."""
        headers = {**self._headers, "Content-Type": request.content_type, "Accept": accept}
        url = self._server + request.path
        answer = self._pool.request(request.method, url, body=request.body, headers=headers, retries=False)
        return answer.status, answer.data

    def do(self, request: Request, absent: bool = False) -> Any:
        """The answer's JSON; `absent` takes a 404 for None.

        Raises:
            StepError: it is refused.
        """
        status, data = self.send(request)
        if absent and status == 404:
            return None
        if status >= 300:
            raise StepError(f"{request.method} {request.path}", f"{status} {data[:300].decode('utf-8', 'replace')}")
        return json.loads(data)

    def pages(self, path: str, accept: str = JSON) -> Iterator[Any]:
        """Every item of a collection."""
        token = ""
        while True:
            _, data = self.send(Request("GET", f"{path}?limit={PAGE}&continue={token}"), accept)
            page = json.loads(data)
            yield from page["items"] or ()
            token = page["metadata"].get("continue", "")
            if not token:
                return

    def all(self, requests: Iterable[Request], absent: bool = False) -> None:
        """Every request, `IN_FLIGHT` at once."""
        side_by_side(requests, lambda request: self.do(request, absent))


def side_by_side(things: Iterable[Thing], act: Callable[[Thing], object]) -> None:
    """Do it for each, `IN_FLIGHT` at once; the first failure ends it."""
    left, lock = iter(things), threading.Lock()

    def work() -> None:
        while True:
            with lock:
                thing = next(left, None)
            if thing is None:
                return
            act(thing)

    with ThreadPoolExecutor(IN_FLIGHT) as pool:
        for future in [pool.submit(work) for _ in range(IN_FLIGHT)]:
            future.result()


def as_bytes(body: object) -> bytes:
    """A body, ready to be sent."""
    return json.dumps(body).encode()
