"""The engine's socket with a switch: an engine that dies half-way, for one client only."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

CHUNK = 1 << 16


class Proxy:
    """Passes on what comes to a socket of its own, until it is cut."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._open: set[socket.socket] = set()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)

    @property
    def host(self) -> dict[str, str]:
        """The environment of a client that comes this way."""
        return {"DOCKER_HOST": f"unix://{self._path}"}

    def __enter__(self) -> Self:
        self._listener.bind(str(self._path))
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, t: TracebackType | None) -> None:
        self.cut()

    def cut(self) -> None:
        """From now on nobody listens, and every connection is broken."""
        self._path.unlink(missing_ok=True)
        for each in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                engine = _engine()
                self._open |= {client, engine}
                for source, target in ((client, engine), (engine, client)):
                    threading.Thread(target=_pass_on, args=(source, target), daemon=True).start()


def _engine() -> socket.socket:
    host = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    if host.startswith("tcp://"):
        address, _, port = host.removeprefix("tcp://").rpartition(":")
        return socket.create_connection((address, int(port)))
    engine = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    engine.connect(host.removeprefix("unix://"))
    return engine


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    """One direction, its end included: the other one may go on."""
    with contextlib.suppress(OSError):
        while data := source.recv(CHUNK):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
