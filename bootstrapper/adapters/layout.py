"""A bundle on disk: an OCI image layout with `bundle.json`, read and checked.

    oci-layout  index.json  bundle.json  blobs/sha256/<64 hex digits>

`bundle.json` is the lock: {"formatVersion": 1, "platforms": ["linux/amd64"], "artifacts": [Artifact...]},
sorted, without times. Every byte is reached from it by sha256; nothing is trusted by path or tag. An
artifact's `digest` is that of its OCI manifest, its `files` are the blobs which that manifest names, its
`size` is the bytes of all of them.

Sources: OCI image-spec v1.1 (image-layout.md, manifest.md); the archive that `docker load` reads is
described in the moby project's image/spec/v1.2.md.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tarfile
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from bootstrapper.errors import BundleDamaged, BundleError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

FORMAT_VERSION = 1
LOCK = "bundle.json"
CHUNK = 1 << 20
BUILD_HINT = "make the parts with hack/components/build, or name another place with --bundle"


@dataclass(frozen=True, order=True)
class File:
    """One blob of an artifact: the name it is known by, `sha256:<hex>`, bytes."""

    name: str
    digest: str
    size: int


@dataclass(frozen=True, order=True)
class Artifact:
    """One thing in the bundle.

    kind is `image` (name: the full image name), `binary` (name: the command) or `components` (name as
    `core/cluster-api`: provider type and name as clusterctl has them). source is a package URL of what it
    was made from."""

    kind: str
    name: str
    version: str
    source: str
    digest: str
    size: int
    files: tuple[File, ...]

    def file(self, name: str) -> File:
        """The blob of this name; BundleError when there is none."""
        for file in self.files:
            if file.name == name:
                return file
        raise BundleError(f"{self.kind} {self.name}", f"it has no file {name}", BUILD_HINT)

    def to_json(self) -> dict[str, Any]:
        """As it stands in bundle.json."""
        return asdict(self)

    @staticmethod
    def from_json(data: dict[str, Any]) -> Artifact:
        """Of one entry of bundle.json; KeyError and TypeError when it has another shape."""
        files = tuple(File(f["name"], f["digest"], f["size"]) for f in data["files"])
        return Artifact(
            data["kind"], data["name"], data["version"], data["source"], data["digest"], data["size"], files
        )


class Layout:
    """A bundle that was opened. Reading a blob checks it: what `read` returns has the digest that was asked
    for."""

    def __init__(self, root: Path, platforms: Sequence[str], artifacts: Sequence[Artifact]) -> None:
        self.root = root
        self.platforms = tuple(platforms)
        self.artifacts = tuple(artifacts)

    @classmethod
    def open(cls, root: Path) -> Layout:
        """Reads `bundle.json` of the layout in `root`. BundleError when it is absent or of another format."""
        path = root / LOCK
        try:
            data = json.loads(path.read_bytes())
            if data["formatVersion"] != FORMAT_VERSION:
                why = f"its format version is {data['formatVersion']}, this program reads {FORMAT_VERSION}"
                raise BundleError(f"bundle {root}", why, BUILD_HINT)
            return cls(root, data["platforms"], [Artifact.from_json(a) for a in data["artifacts"]])
        except OSError as e:
            raise BundleError(f"bundle {root}", f"{LOCK} can't be read: {e.strerror}", BUILD_HINT) from e
        except (ValueError, KeyError, TypeError) as e:
            raise BundleDamaged(f"bundle {root}", f"{LOCK} isn't a bundle's lock: {e!r}", BUILD_HINT) from e

    def of_kind(self, kind: str) -> list[Artifact]:
        """All artifacts of one kind (`image`, `binary`, `components`), sorted by name."""
        return sorted(a for a in self.artifacts if a.kind == kind)

    def artifact(self, kind: str, name: str) -> Artifact:
        """The artifact of this kind and name; BundleError naming what there is otherwise."""
        for artifact in self.artifacts:
            if (artifact.kind, artifact.name) == (kind, name):
                return artifact
        names = ", ".join(a.name for a in self.of_kind(kind)) or "none"
        raise BundleError(f"bundle {self.root}", f"no {kind} {name} in it; there are: {names}", BUILD_HINT)

    def path(self, digest: str) -> Path:
        """Where the blob with this digest lies; BundleError when it isn't there. Its bytes are not
        checked."""
        blob = blob_path(self.root, digest)
        if not blob.is_file():
            raise BundleError(f"blob {digest}", f"it isn't in the bundle {self.root}", BUILD_HINT)
        return blob

    def verify(self, digest: str) -> None:
        """Hashes the blob; BundleDamaged when its bytes have another digest."""
        with self.path(digest).open("rb") as f:
            found = "sha256:" + hashlib.file_digest(f, "sha256").hexdigest()
        _same(digest, found, self.root)

    def read(self, digest: str) -> bytes:
        """The bytes of a (small) blob, checked against its digest."""
        data = self.path(digest).read_bytes()
        _same(digest, "sha256:" + hashlib.sha256(data).hexdigest(), self.root)
        return data

    def missing(self) -> list[str]:
        """Every blob that the lock names and that is absent or of another size, as `<artifact>: <digest>`."""
        wanted = [(a.name, f.digest, f.size) for a in self.artifacts for f in a.files]
        return [f"{name}: {digest}" for name, digest, size in wanted if self._size(digest) != size]

    def _size(self, digest: str) -> int:
        try:
            return blob_path(self.root, digest).stat().st_size
        except OSError:
            return -1

    def version(self, kind: str, name: str) -> str:
        """The version of an artifact; BundleError when it isn't there."""
        return self.artifact(kind, name).version

    def text(self, components: str, file: str) -> str:
        """A file (as `core-components.yaml`) of a `components` artifact (as `core/cluster-api`)."""
        return self.read(self.artifact("components", components).file(file).digest).decode()

    def binary(self, name: str) -> Path:
        """The blob of a binary. It may be executed as it lies there, but has no telling name: see
        `executable`."""
        return self.path(self.artifact("binary", name).files[0].digest)

    def executable(self, name: str, cache: Path) -> Path:
        """The binary under its own name in `cache/<digest>/`, verified when it is put there, mode 0755."""
        digest = self.artifact("binary", name).files[0].digest
        target = cache / digest.removeprefix("sha256:") / name
        if not target.is_file():
            self.verify(digest)
            link_or_copy(self.path(digest), target)
            target.chmod(0o755)
        return target

    def docker_archive(self, names: Sequence[str]) -> Iterator[bytes]:
        """These images as one tar stream that `docker load` and `ctr images import -` read; nothing is
        stored.

        A layer that several images share is sent once. BundleError when an image isn't in the bundle (before
        the first byte is given).
        """
        images = [self.artifact("image", name) for name in names]
        blobs = {f.digest: f for image in images for f in image.files}
        paths = {digest: self.path(digest) for digest in blobs}
        return self._archive(images, blobs, paths)

    def _archive(self, images: list[Artifact], blobs: dict[str, File], paths: dict[str, Path]) -> Iterator[bytes]:
        manifest = []
        for image in images:
            config, *layers = [_member(f) for f in image.files]
            manifest.append({"Config": config, "RepoTags": [image.name], "Layers": layers})
        for digest, file in blobs.items():
            yield _header(_member(file), file.size)
            yield from _content(paths[digest], file.size)
        data = json.dumps(manifest).encode()
        yield _header("manifest.json", len(data))
        yield _padded(data)
        yield bytes(2 * tarfile.BLOCKSIZE)


def blob_path(root: Path, digest: str) -> Path:
    """Where a layout keeps the blob `sha256:<hex>`."""
    algorithm, _, value = digest.partition(":")
    assert algorithm == "sha256", digest
    assert len(value) == 64, digest
    assert value.isalnum(), digest
    return root / "blobs" / algorithm / value


def link_or_copy(source: Path, target: Path) -> None:
    """A hard link where the file system has them across these folders, else a copy. Whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    half = target.with_name(f".{target.name}.{os.getpid()}")
    half.unlink(missing_ok=True)
    try:
        os.link(source, half)
    except OSError:
        with source.open("rb") as src, half.open("wb") as dst:
            while data := src.read(CHUNK):
                dst.write(data)
        half.chmod(source.stat().st_mode & 0o777)
    half.rename(target)
    with contextlib.suppress(FileNotFoundError):  # rename between two links of one file leaves both
        half.unlink()


def _same(wanted: str, found: str, root: Path) -> None:
    if wanted != found:
        raise BundleDamaged(f"blob {wanted}", f"its bytes in {root} have the digest {found}", BUILD_HINT)


def _member(file: File) -> str:
    return file.digest.removeprefix("sha256:") + (".json" if file.name == "config" else ".tar")


def _header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size = size
    return info.tobuf(tarfile.GNU_FORMAT)


def _content(path: Path, size: int) -> Iterator[bytes]:
    sent = 0
    with path.open("rb") as f:
        while data := f.read(CHUNK):
            sent += len(data)
            yield data
    if sent != size:
        raise BundleDamaged(f"blob {path.name}", f"it has {sent} bytes instead of {size}", BUILD_HINT)
    yield bytes(-size % tarfile.BLOCKSIZE)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % tarfile.BLOCKSIZE)
