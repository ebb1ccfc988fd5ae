"""The adapter of an API server, on a line that a test holds at the other end."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlparse

import pytest
import yaml

from bootstrapper.adapters import api_line, kube
from bootstrapper.world import Cluster
from pivot import errors
from pivot.ports import CONFIG_MAP, Object

Reply = tuple[int, Object | str, dict[str, str]]


class Server:
    """Answers with what the test says; remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, list[str]]]] = []
        self.replies: list[Reply] = []
        self.reply: Callable[[str, dict[str, list[str]]], Reply] | None = None
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's word
                return None

            def _answer(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                url = urlparse(self.path)
                query = parse_qs(url.query)
                outer.asked.append((self.command, url.path, query))
                code, body, headers = outer.reply(url.path, query) if outer.reply else outer.replies.pop(0)
                if code == 0:
                    self.close_connection = True  # no answer at all
                    return
                data = (body if isinstance(body, str) else json.dumps(body)).encode()
                self.send_response(code)
                for name, text in {**headers, "Content-Length": str(len(data))}.items():
                    self.send_header(name, text)
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815 - the base class's names

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, daemon=True)
        self._thread.start()

    def cluster(self, patience: float = 30.0) -> Cluster:
        config = {
            "clusters": [{"name": "a", "cluster": {"server": f"http://127.0.0.1:{self._http.server_port}"}}],
            "users": [{"name": "a", "user": {"token": "t0ken"}}],
            "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
            "current-context": "a",
        }
        return kube.connect(yaml.safe_dump(config), "the target").patient(patience)

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    found = Server()
    yield found
    found.close()


def status(code: int, message: str = "", reason: str = "") -> Reply:
    return code, {"kind": "Status", "code": code, "message": message, "reason": reason}, {}


def config_map(number: int) -> Object:
    return {"metadata": {"name": f"m{number}", "namespace": "default", "uid": f"u{number}"}}


OK: Reply = (200, config_map(1), {})


@pytest.mark.parametrize(
    "first",
    [
        pytest.param((429, "slow down", {"Retry-After": "0"}), id="429 with Retry-After"),
        pytest.param(status(500, "etcdserver: leader changed"), id="500"),
        pytest.param(status(503), id="503"),
        pytest.param(status(504), id="504"),
        pytest.param((0, "", {}), id="no answer"),
        pytest.param((502, "<html>bad gateway", {}), id="a proxy's own page"),
    ],
)
def test_what_is_transient_is_asked_again(server: Server, first: Reply) -> None:
    server.replies = [first, first, OK]
    assert server.cluster().get(CONFIG_MAP, "default", "m1")
    assert len(server.asked) == 3


def test_retry_after_is_waited_for(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr("tenacity.nap.time.sleep", waits.append)
    server.replies = [(429, "", {"Retry-After": "7"}), (429, "", {"Retry-After": "soon"}), OK]
    assert server.cluster().get(CONFIG_MAP, "default", "m1")
    assert waits[0] == 7.0
    assert 0 <= waits[1] <= 5


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (status(400, "bad"), errors.Refused),
        (status(401), errors.Refused),
        (status(403, "forbidden"), errors.Refused),
        (status(404), errors.NotFound),
        (status(409, "taken", "AlreadyExists"), errors.AlreadyExists),
        (status(409, "modified", "Conflict"), errors.Conflict),
        (status(413), errors.Refused),
        (status(422, "spec: invalid"), errors.Refused),
    ],
    ids=lambda part: str(part[0]) if isinstance(part, tuple) else part.__name__,
)
def test_what_is_permanent_is_not(server: Server, reply: Reply, kind: type[Exception]) -> None:
    server.replies = [reply]
    with pytest.raises(kind):
        server.cluster().create(CONFIG_MAP, config_map(1))
    assert len(server.asked) == 1


def test_patience_ends_and_names_what_was_asked(server: Server) -> None:
    server.reply = lambda path, query: status(503, "starting")
    with pytest.raises(errors.Unavailable, match=r"GET /api/v1/.*/configmaps/m1 at the target: 503 starting"):
        server.cluster(patience=0.5).get(CONFIG_MAP, "default", "m1")
    assert len(server.asked) > 1


def test_an_answer_may_take_longer_than_a_connection(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Webhooks take their time: a request that is given up and sent again would never come to its end."""
    monkeypatch.setattr(api_line, "CONNECT", 0.2)
    thought = threading.Event()

    def reply(path: str, query: dict[str, list[str]]) -> Reply:
        thought.wait(0.6)
        return OK

    server.reply = reply
    assert server.cluster(patience=0.0).get(CONFIG_MAP, "default", "m1")
    monkeypatch.setattr(api_line, "READ", 0.2)
    with pytest.raises(errors.Unavailable, match="no answer within the time limit"):
        server.cluster(patience=0.0).get(CONFIG_MAP, "default", "m1")


def test_without_patience_it_asks_once(server: Server) -> None:
    server.replies = [status(503)]
    with pytest.raises(errors.Unavailable):
        server.cluster(patience=0.0).get(CONFIG_MAP, "default", "m1")


def test_a_list_whose_token_expires_between_pages_starts_anew_without_doubles(server: Server) -> None:
    pages = {"": ([1, 2], "old"), "new": ([3], "")}
    tokens = iter(["old", "new"])

    def reply(path: str, query: dict[str, list[str]]) -> Reply:
        token = query.get("continue", [""])[0]
        if token == "old":
            return status(410, "The provided continue parameter is too old", "Expired")
        numbers, _ = pages[token]
        after = next(tokens) if token == "" else ""
        return 200, {"items": [config_map(n) for n in numbers], "metadata": {"continue": after}}, {}

    server.reply = reply
    found = [item["metadata"]["name"] for item in server.cluster().list(CONFIG_MAP)]
    assert found == ["m1", "m2", "m3"]
    assert [query.get("continue") for _, _, query in server.asked] == [None, ["old"], None, ["new"]]


def test_asking_beforehand_is_a_dry_run(server: Server) -> None:
    server.replies = [(201, config_map(1), {})]
    server.cluster().check(CONFIG_MAP, config_map(1))
    assert server.asked == [
        ("POST", "/api/v1/namespaces/default/configmaps", {"fieldManager": ["bootstrapper"], "dryRun": ["All"]})
    ]
