"""A bad line to an API server: a proxy that answers for it, forgets its answers, or hangs up. Seeded."""

from __future__ import annotations

import base64
import json
import random
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import urllib3
import yaml

#: What may happen to a request: its name -> how often, of all that are hit.
FAULTS = ("429", "500", "503", "hang up before", "hang up after")
HOP = {"connection", "content-length", "transfer-encoding", "host"}


@dataclass
class Chaos:
    """Stands before the API server of a kubeconfig; `kubeconfig` is the way through it.

    `often`: the share of requests that are hit. `answer` may answer a request (method, path) in the server's place:
    status and message; a callable of the test's, asked first.
    """

    real: Path
    folder: Path
    seed: int
    often: float = 0.0
    answer: Callable[[str, str], tuple[int, str] | None] = lambda method, path: None
    hit: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        config = yaml.safe_load(self.real.read_text())
        cluster = config["clusters"][0]["cluster"]
        self.upstream = cluster["server"]
        self._chance, self._lock = random.Random(self.seed), threading.Lock()
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        self.pool = urllib3.PoolManager(maxsize=40, ca_cert_data=authority)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        config["clusters"][0]["cluster"] = {"server": f"http://127.0.0.1:{self._server.server_port}"}
        self.kubeconfig = self.folder / f"through-chaos-{self.real.name}"
        self.kubeconfig.touch(mode=0o600)
        self.kubeconfig.write_text(yaml.safe_dump(config))

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, t: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self.pool.clear()

    def fault(self) -> str | None:
        """What happens to the next request."""
        with self._lock:
            if self._chance.random() >= self.often:
                return None
            chosen = self._chance.choice(FAULTS)
            self.hit[chosen] += 1
            return chosen


def _handler(chaos: Chaos) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's word
            return None

        def _pass(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)) or None
            told = chaos.answer(self.command, self.path)
            fault = None if told else chaos.fault()
            if told:
                self._status(*told)
            elif fault == "hang up before":
                self.close_connection = True
            elif fault and fault.isdigit():
                self._status(int(fault), "not now")
            else:
                self._forward(body, silent=fault == "hang up after")

        do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _pass  # noqa: N815 - the base class's names

        def _forward(self, body: bytes | None, silent: bool) -> None:
            headers = {name: text for name, text in self.headers.items() if name.lower() not in HOP}
            answer = chaos.pool.request(
                self.command, chaos.upstream + self.path, body=body, headers=headers, retries=False
            )
            if silent:
                self.close_connection = True
                return
            self._send(answer.status, answer.data, dict(answer.headers))

        def _status(self, code: int, message: str) -> None:
            status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": code}
            extra = {"Retry-After": "1"} if code == 429 else {}
            self._send(code, json.dumps(status).encode(), {"Content-Type": "application/json", **extra})

        def _send(self, code: int, data: bytes, headers: dict[str, str]) -> None:
            self.send_response(code)
            for name, text in headers.items():
                if name.lower() not in HOP | {"content-encoding"}:
                    self.send_header(name, text)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    return Handler
