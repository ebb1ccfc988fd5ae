"""What a part is: something the builder makes once and keeps until one of its inputs changes.

A recipe module (`go_parts.py`, `images.py`, `node_image.py`, ...) has a function `parts(versions) ->
list[Part]`, and `recipes.py` puts the lists together. A recipe is a function that gets a `Work` and fills
it:

    def build(work: Work) -> None:
        kubeadm = work.need("go/kubernetes") / "bin" / "kubeadm"   # a file of a part named in `needs`,
        images = work.layout_of("images/kubernetes")               # or its artifacts: .docker_archive([...])
        work.run("debootstrap", "--variant=minbase", "trixie", work.scratch / "root")
        layer = layer_from_tree(work.scratch / "root", work.scratch / "layer.tar")   # tarball.py
        work.layout.image(
            "example/node:v1", [layer], {"Entrypoint": ["/sbin/init"]}, version="v1",
            source="pkg:deb/debian/systemd"
        )

When it returns, everything in `work.out` (the artifacts and whatever else was put there) is published by
one rename. When it raises or is killed, the folders of this attempt are thrown away at the next start;
`work.cache` stays and is the place for downloads that a next attempt can use.

The key of a part is the sha256 over its name, its declared inputs, the bytes of its sources, the tools it
names and the *output* digests of the parts it needs: a rebuilt part whose bytes stay the same rebuilds
nothing that needs it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from hack.components.work import Work

#: Changes when the builder itself treats parts in another way: everything is made anew.
STORE_FORMAT = "1"

#: Two parts run side by side, one a lane: `compile` keeps both cores busy, `fetch` mostly waits for network
#: and disk.
Lane = Literal["compile", "fetch"]


@dataclass(frozen=True)
class Part:
    """One recipe and what it depends on.

    name     unique, also the folder's name: `go/kubernetes`, `image/node`
    build    fills `work.out`; may run again from the start at any time
    inputs   by name, whatever decides the result and isn't a file: versions, flags, suites, tool versions
    sources  files, or folders with all that is in them, that are part of the recipe (its own module among
    them) needs    names of parts whose results it uses seconds  a first guess of how long it takes;
    replaced by what was measured"""

    name: str
    build: Callable[[Work], None]
    inputs: Mapping[str, str] = field(default_factory=dict)
    sources: tuple[Path, ...] = ()
    needs: tuple[str, ...] = ()
    lane: Lane = "compile"
    seconds: float = 30.0


def own_inputs(part: Part) -> dict[str, str]:
    """What the part's key is made of, less the parts it needs, by a name fit for a message."""
    files = {f"file {source.name}": digest_of(source) for source in part.sources}
    return {"store format": STORE_FORMAT, **part.inputs, **files}


def with_needs(part: Part, own: Mapping[str, str], outputs: Mapping[str, str]) -> dict[str, str]:
    """Everything the part's key is made of. `outputs`: output digest by name of needed part."""
    return {**own, **{f"part {need}": outputs[need] for need in part.needs}}


def key_of(part: Part, inputs: Mapping[str, str]) -> str:
    """The part's key: 64 hex digits."""
    text = json.dumps([part.name, sorted(inputs.items())], separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def digest_of(path: Path) -> str:
    """sha256 (hex) of a file's bytes and executable bit, or of a folder's files with their paths. Times
    don't matter."""
    if path.is_file():
        executable = b"x" if path.stat().st_mode & 0o100 else b"-"
        return hashlib.sha256(executable + path.read_bytes()).hexdigest()
    lines = [
        f"{digest_of(f)} {f.relative_to(path)}\n"
        for f in sorted(path.rglob("*"))
        if f.is_file() and "__pycache__" not in f.parts
    ]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def why(old: Mapping[str, str] | None, new: Mapping[str, str]) -> str:
    """Why a part is made: nothing was there, or which inputs differ from those of the last time."""
    if old is None:
        return "missing"
    changed = [n for n in sorted({*old, *new}) if old.get(n) != new.get(n)]
    return "changed: " + ", ".join(_change(n, old.get(n), new.get(n)) for n in changed) if changed else "was removed"


def _change(name: str, old: str | None, new: str | None) -> str:
    if old and new and max(len(old), len(new)) <= 20:
        return f"{name} {old} -> {new}"
    return name
