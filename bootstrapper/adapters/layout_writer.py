"""Writing a bundle: images, binaries and components become blobs, manifests and a lock (see layout.py).

The same content gives the same bytes: JSON is compact with sorted keys, and nothing holds a time but `EPOCH`.
Sources: OCI image-spec v1.1, manifest.md ("Guidelines for Artifact Usage"), config.md, annotations.md.
"""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING, Any

from bootstrapper.adapters.layout import (
    FORMAT_VERSION,
    LOCK,
    Artifact,
    File,
    Layout,
    blob_path,
    link_or_copy,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

#: Seconds since 1970 of every time in a bundle (SOURCE_DATE_EPOCH's meaning): 2020-01-01T00:00:00Z.
EPOCH = 1577836800
CREATED = "2020-01-01T00:00:00Z"

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
EMPTY = "application/vnd.oci.empty.v1+json"
TITLE = "org.opencontainers.image.title"
REF_NAME = "org.opencontainers.image.ref.name"
TYPES = {
    "binary": "application/vnd.bootstrapper.binary.v1",
    "components": "application/vnd.bootstrapper.components.v1",
}


class LayoutWriter:
    """Fills a layout in `root`, for one platform (`linux/amd64`). Nothing is readable before `publish`."""

    def __init__(self, root: Path, platform: str) -> None:
        self.root = root
        self.platform = platform
        self.artifacts: list[Artifact] = []

    def image(
        self, name: str, layers: Sequence[Path], config: Mapping[str, Any], *, version: str, source: str
    ) -> Artifact:
        """An image of uncompressed tar layers, lowest first; `config` as OCI has it ({"Entrypoint": [...],
        ...}).

        The layer files are taken over: linked into the layout, to be left unchanged afterwards.
        """
        blobs = [self._file(f"layer-{i}", path) for i, path in enumerate(layers)]
        system, architecture = self.platform.split("/")
        document = {
            "architecture": architecture,
            "os": system,
            "created": CREATED,
            "config": dict(config),
            "rootfs": {"type": "layers", "diff_ids": [b.digest for b in blobs]},
            "history": [{"created": CREATED, "created_by": source} for _ in blobs],
        }
        first = self._bytes("config", _json(document))
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": _descriptor(CONFIG, first),
            "layers": [_descriptor(LAYER, b) for b in blobs],
        }
        return self._add("image", name, version, source, manifest, [first, *blobs])

    def binary(self, path: Path, *, version: str, source: str, name: str = "") -> Artifact:
        """An executable file; taken over like an image's layers, made mode 0755. Its name is the file's by
        default."""
        path.chmod(0o755)
        blob = self._file(name or path.name, path)
        return self._artifact("binary", blob.name, version, source, [blob])

    def components(self, name: str, files: Mapping[str, bytes], *, version: str, source: str) -> Artifact:
        """A provider's files by their titles (`core-components.yaml`, `metadata.yaml`)."""
        blobs = [self._bytes(title, data) for title, data in sorted(files.items())]
        return self._artifact("components", name, version, source, blobs)

    def take(self, other: Layout) -> None:
        """Everything of another layout, its blobs linked."""
        for artifact in other.artifacts:
            for digest in [artifact.digest, *(f.digest for f in artifact.files)]:
                self._put(digest, other.path(digest))
            self.artifacts.append(artifact)
        if any(a.kind in TYPES for a in other.artifacts):
            self._bytes("", b"{}")

    def publish(self) -> Layout:
        """Writes index.json and, last, the lock (each by an atomic rename)."""
        self.artifacts.sort()
        names = [(a.kind, a.name) for a in self.artifacts]
        assert len(names) == len(set(names)), f"an artifact twice: {names}"
        index = {
            "schemaVersion": 2,
            "mediaType": INDEX,
            "manifests": [self._entry(a) for a in self.artifacts],
        }
        lock = {
            "formatVersion": FORMAT_VERSION,
            "platforms": [self.platform],
            "artifacts": [a.to_json() for a in self.artifacts],
        }
        self.root.mkdir(parents=True, exist_ok=True)
        write_atomically(self.root / "oci-layout", _json({"imageLayoutVersion": "1.0.0"}))
        write_atomically(self.root / "index.json", _json(index))
        write_atomically(self.root / LOCK, json.dumps(lock, indent=1, sort_keys=True).encode() + b"\n")
        return Layout(self.root, [self.platform], self.artifacts)

    def prune(self) -> None:
        """Removes the blobs that no artifact of this writer names. Call it after `publish`."""
        kept = {a.digest for a in self.artifacts} | {f.digest for a in self.artifacts for f in a.files}
        kept.add(self._bytes("", b"{}").digest)
        for blob in (self.root / "blobs" / "sha256").iterdir():
            if "sha256:" + blob.name not in kept:
                blob.unlink()

    def _artifact(self, kind: str, name: str, version: str, source: str, blobs: list[File]) -> Artifact:
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "artifactType": TYPES[kind],
            "config": _descriptor(EMPTY, self._bytes("", b"{}")),
            "layers": [_descriptor("application/octet-stream", b, {TITLE: b.name}) for b in blobs],
        }
        return self._add(kind, name, version, source, manifest, blobs)

    def _add(
        self, kind: str, name: str, version: str, source: str, manifest: dict[str, Any], files: list[File]
    ) -> Artifact:
        top = self._bytes("manifest", _json(manifest))
        size = top.size + sum(f.size for f in files)
        artifact = Artifact(kind, name, version, source, top.digest, size, tuple(files))
        self.artifacts.append(artifact)
        return artifact

    def _entry(self, artifact: Artifact) -> dict[str, Any]:
        name = artifact.name if artifact.kind == "image" else f"{artifact.kind}/{artifact.name}:{artifact.version}"
        size = blob_path(self.root, artifact.digest).stat().st_size
        entry = _descriptor(MANIFEST, File("", artifact.digest, size), {REF_NAME: name})
        if artifact.kind == "image":
            system, architecture = self.platform.split("/")
            entry["platform"] = {"os": system, "architecture": architecture}
        else:
            entry["artifactType"] = TYPES[artifact.kind]
        return entry

    def _file(self, name: str, path: Path) -> File:
        with path.open("rb") as f:
            digest = "sha256:" + hashlib.file_digest(f, "sha256").hexdigest()
        self._put(digest, path)
        return File(name, digest, path.stat().st_size)

    def _bytes(self, name: str, data: bytes) -> File:
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        target = blob_path(self.root, digest)
        if not target.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(target, data)
        return File(name, digest, len(data))

    def _put(self, digest: str, path: Path) -> None:
        target = blob_path(self.root, digest)
        if not target.is_file():
            link_or_copy(path, target)


def write_atomically(path: Path, data: bytes) -> None:
    """The whole file or the old one: a temporary file beside it, fsync, rename."""
    half = path.with_name(f".{path.name}.{os.getpid()}")
    with half.open("wb") as f:
        f.write(data)
        f.flush()
        os.fsync(f.fileno())
    half.rename(path)


def _descriptor(media_type: str, file: File, annotations: dict[str, str] | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {"mediaType": media_type, "digest": file.digest, "size": file.size}
    return {**found, "annotations": annotations} if annotations else found


def _json(data: object) -> bytes:
    return json.dumps(data, sort_keys=True, separators=(",", ":")).encode()
