"""Where parts are kept: a folder a part and key, published whole by one rename, and a lock for one builder
at a time.

    bundle/                     the OCI layout that all parts together make
    store/<part>/<key>/         what a recipe put into `work.out`, with `part.json`
    work/<part>/                attempts; thrown away at every start
    cache/  logs/  durations.json  lock
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bootstrapper.adapters.layout import LOCK
from bootstrapper.adapters.layout_writer import write_atomically
from hack.components.parts import digest_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

RECORD = "part.json"
#: Besides the current one: so that going back and forth between two versions makes nothing anew.
KEPT_BEFORE = 1


@dataclass(frozen=True)
class Made:
    """A part that is there: its folder, the digest of all that is in it, the inputs it was made from."""

    folder: Path
    output: str
    inputs: Mapping[str, str]


class Store:
    """The folders above, below `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.cache = root / "cache"
        self.bundle = root / "bundle"

    def log(self, part: str) -> Path:
        """The file that gets what the part's commands print."""
        return self.root / "logs" / f"{_slug(part)}.log"

    def find(self, part: str, key: str) -> Made | None:
        """The part with this key, if it was published."""
        return _read(self._folder(part, key))

    def last(self, part: str) -> Made | None:
        """The part as it was made most recently, under whatever key."""
        found = [made for folder in self._newest_first(part) if (made := _read(folder))]
        return found[0] if found else None

    def attempt(self, part: str) -> Path:
        """An empty folder for one attempt to make the part."""
        folder = self.root / "work" / _slug(part)
        remove(folder)
        folder.mkdir(parents=True)
        return folder

    def publish(self, part: str, key: str, inputs: Mapping[str, str], out: Path) -> Made:
        """Puts the finished folder `out` in its place, by one rename."""
        made = Made(self._folder(part, key), _output_digest(out), dict(inputs))
        record = {"name": part, "key": key, "output": made.output, "inputs": made.inputs}
        write_atomically(out / RECORD, json.dumps(record, indent=1, sort_keys=True).encode())
        made.folder.parent.mkdir(parents=True, exist_ok=True)
        remove(made.folder)  # without a record: a removal that was cut short
        out.rename(made.folder)
        return made

    def clean(self) -> None:
        """Throws away what attempts that were killed have left."""
        remove(self.root / "work")

    def prune(self, part: str, current: Path) -> None:
        """Removes all but the current folder of a part and the newest before it."""
        others = [f for f in self._newest_first(part) if f != current]
        for folder in others[KEPT_BEFORE:]:
            (folder / RECORD).unlink(missing_ok=True)  # first, so that half a part is never taken for one
            remove(folder)

    def durations(self) -> dict[str, float]:
        """Seconds that each part took when it was last made."""
        try:
            found: dict[str, float] = json.loads((self.root / "durations.json").read_bytes())
        except (OSError, ValueError):
            return {}
        return found

    def took(self, part: str, seconds: float) -> None:
        """Remembers how long a part took."""
        text = json.dumps({**self.durations(), part: round(seconds, 1)}, indent=1, sort_keys=True)
        write_atomically(self.root / "durations.json", text.encode())

    @contextlib.contextmanager
    def locked(self, tell: Callable[[str], None]) -> Iterator[None]:
        """Held by one builder at a time. `tell` gets a sentence that names the other one when we have to
        wait.

        The kernel gives the lock back when its holder dies, however it dies.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / "lock").open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                tell(f"waiting for {_holder(file)}, which makes parts in {self.root}")
                fcntl.flock(file, fcntl.LOCK_EX)
            file.truncate(0)
            file.write(json.dumps({"pid": os.getpid(), "since": time.strftime("%H:%M:%S")}))
            file.flush()
            yield

    def _folder(self, part: str, key: str) -> Path:
        return self.root / "store" / _slug(part) / key[:24]

    def _newest_first(self, part: str) -> list[Path]:
        folder = self.root / "store" / _slug(part)
        found = list(folder.iterdir()) if folder.is_dir() else []
        return sorted(found, key=lambda f: f.stat().st_mtime, reverse=True)


def remove(folder: Path) -> None:
    """Removes a folder, if it is there. What a killed attempt has mounted below it is unmounted, not
    deleted."""
    mounts = Path("/proc/self/mounts").read_text().splitlines()
    for target in reversed(mounted_below(str(folder), mounts)):
        subprocess.run(["umount", "--lazy", target], check=True)
    if folder.exists():
        shutil.rmtree(folder)


def mounted_below(folder: str, mounts: Iterable[str]) -> list[str]:
    """The mount points at or below a folder, of lines as in /proc/mounts (proc(5): octal escapes), in that
    order."""
    points = [re.sub(r"\\(\d{3})", lambda m: chr(int(m[1], 8)), line.split()[1]) for line in mounts]
    return [p for p in points if p == folder or p.startswith(folder + "/")]


def _read(folder: Path) -> Made | None:
    try:
        record: dict[str, Any] = json.loads((folder / RECORD).read_bytes())
    except FileNotFoundError:
        return None
    return Made(folder, record["output"], record["inputs"])


def _output_digest(out: Path) -> str:
    """Over the lock (which holds the digest of every blob) and the files beside the layout."""
    lines = [
        f"{digest_of(path)} {path.name}"
        for path in sorted(out.iterdir())
        if path.name not in ("blobs", "index.json", "oci-layout")
    ]
    assert (out / LOCK).is_file(), f"{out} was not published as a layout"
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _holder(file: Any) -> str:
    file.seek(0)
    try:
        data = json.loads(file.read())
        return f"process {data['pid']} (since {data['since']})"
    except ValueError:
        return "another builder"


def _slug(part: str) -> str:
    return part.replace("/", "-")
