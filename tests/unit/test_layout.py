"""A layout that is written and read back: what it holds, what it refuses, what it streams."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from typing import TYPE_CHECKING

import pytest

from bootstrapper.adapters.layout import Layout, blob_path, link_or_copy
from bootstrapper.adapters.layout_writer import LayoutWriter
from bootstrapper.errors import BundleDamaged, BundleError

if TYPE_CHECKING:
    from pathlib import Path

IMAGE = "example/app:v1"
SOURCE = "pkg:generic/app"


def a_file(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def a_layer(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    with tarfile.open(path, "w") as tar:
        info = tarfile.TarInfo("app")
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
    return path


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    writer = LayoutWriter(tmp_path / "bundle", "linux/amd64")
    shared = a_layer(tmp_path, "shared.tar", b"shared")
    top = a_layer(tmp_path, "top.tar", b"top")
    writer.image(IMAGE, [shared, top], {"Entrypoint": ["/app"]}, version="v1", source=SOURCE)
    writer.image("example/other:v1", [shared], {}, version="v1", source=SOURCE)
    writer.binary(a_file(tmp_path, "tool", b"#!/bin/sh\n"), version="v2", source=SOURCE)
    files = {"metadata.yaml": b"m", "core-components.yaml": b"kind: Namespace\n"}
    writer.components("core/app", files, version="v1", source=SOURCE)
    writer.publish()
    return Layout.open(tmp_path / "bundle")


def test_what_was_written_is_read_back(layout: Layout) -> None:
    assert [(a.kind, a.name, a.version) for a in layout.artifacts] == [
        ("binary", "tool", "v2"),
        ("components", "core/app", "v1"),
        ("image", IMAGE, "v1"),
        ("image", "example/other:v1", "v1"),
    ]
    assert layout.text("core/app", "core-components.yaml") == "kind: Namespace\n"
    assert layout.binary("tool").read_bytes() == b"#!/bin/sh\n"
    assert layout.missing() == []


def test_every_digest_is_that_of_the_bytes_and_every_size_their_sum(layout: Layout) -> None:
    for artifact in layout.artifacts:
        manifest = layout.read(artifact.digest)
        for file in artifact.files:
            layout.verify(file.digest)
            assert layout.path(file.digest).stat().st_size == file.size
        assert artifact.size == len(manifest) + sum(f.size for f in artifact.files)


def test_it_is_an_oci_layout_that_names_images_and_titles(layout: Layout) -> None:
    index = json.loads((layout.root / "index.json").read_bytes())
    names = [m["annotations"]["org.opencontainers.image.ref.name"] for m in index["manifests"]]
    assert names == ["binary/tool:v2", "components/core/app:v1", IMAGE, "example/other:v1"]
    manifest = json.loads(layout.read(layout.artifact("components", "core/app").digest))
    titles = [blob["annotations"]["org.opencontainers.image.title"] for blob in manifest["layers"]]
    assert titles == ["core-components.yaml", "metadata.yaml"]
    assert layout.read(manifest["config"]["digest"]) == b"{}"


def test_the_same_content_gives_the_same_bytes_in_any_order(tmp_path: Path) -> None:
    locks = []
    for name, order in (("a", (1, 2)), ("b", (2, 1))):
        writer = LayoutWriter(tmp_path / name, "linux/amd64")
        for i in order:
            writer.binary(a_file(tmp_path, f"tool{i}", b"%d" % i), version="v1", source=SOURCE)
        writer.publish()
        locks.append([(tmp_path / name / f).read_bytes() for f in ("bundle.json", "index.json")])
    assert locks[0] == locks[1]


def test_a_flipped_bit_is_found_and_named(layout: Layout) -> None:
    digest = layout.artifact("binary", "tool").files[0].digest
    path = blob_path(layout.root, digest)
    path.write_bytes(b"#!/bin/sH\n")
    with pytest.raises(BundleDamaged, match=digest):
        layout.verify(digest)
    with pytest.raises(BundleDamaged, match=digest):
        layout.read(digest)


def test_an_absent_or_short_blob_is_missing(layout: Layout) -> None:
    digest = layout.artifact("binary", "tool").files[0].digest
    blob_path(layout.root, digest).write_bytes(b"#!")
    assert layout.missing() == [f"tool: {digest}"]
    blob_path(layout.root, digest).unlink()
    assert layout.missing() == [f"tool: {digest}"]
    with pytest.raises(BundleError, match="isn't in the bundle"):
        layout.binary("tool")


def test_what_isnt_there_is_named_with_what_is(layout: Layout) -> None:
    with pytest.raises(BundleError, match=r"no image example/none:v1 .* example/app:v1, example/other:v1"):
        layout.artifact("image", "example/none:v1")
    with pytest.raises(BundleError, match="no file templates"):
        layout.text("core/app", "templates")


def test_a_folder_without_a_lock_and_one_of_another_format(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="can't be read") as caught:
        Layout.open(tmp_path)
    assert "hack/components/build" in caught.value.hint
    (tmp_path / "bundle.json").write_text('{"formatVersion": 2}')
    with pytest.raises(BundleError, match="format version is 2"):
        Layout.open(tmp_path)
    (tmp_path / "bundle.json").write_text('{"formatVersion": 1')
    with pytest.raises(BundleDamaged):
        Layout.open(tmp_path)


def test_an_executable_is_put_under_its_name_once_and_checked(layout: Layout, tmp_path: Path) -> None:
    tool = layout.executable("tool", tmp_path / "cache")
    assert tool.name == "tool"
    assert tool.stat().st_mode & 0o777 == 0o755
    assert layout.executable("tool", tmp_path / "cache").stat().st_ino == tool.stat().st_ino
    blob = layout.binary("tool")
    blob.unlink()
    blob.write_bytes(b"#!/bin/sH\n")
    with pytest.raises(BundleDamaged):
        layout.executable("tool", tmp_path / "other cache")


def test_the_archive_has_each_shared_layer_once_and_the_names(layout: Layout) -> None:
    stream = io.BytesIO(b"".join(layout.docker_archive([IMAGE, "example/other:v1"])))
    with tarfile.open(fileobj=stream) as tar:
        names = tar.getnames()
        members = {m.name: tar.extractfile(m).read() for m in tar}  # type: ignore[union-attr]
    assert len(names) == len(set(names)) == 5  # two configs, two layers, manifest.json
    first, second = json.loads(members["manifest.json"])
    assert first["RepoTags"] == [IMAGE]
    assert second["Layers"] == first["Layers"][:1]
    config = json.loads(members[first["Config"]])
    found = ["sha256:" + hashlib.sha256(members[layer]).hexdigest() for layer in first["Layers"]]
    assert config["rootfs"]["diff_ids"] == found
    assert config["config"] == {"Entrypoint": ["/app"]}


def test_an_archive_of_an_absent_image_fails_before_the_first_byte(layout: Layout) -> None:
    with pytest.raises(BundleError, match="example/none"):
        layout.docker_archive([IMAGE, "example/none:v1"])


def test_taking_another_layout_and_pruning_what_is_not_named(layout: Layout, tmp_path: Path) -> None:
    whole = LayoutWriter(tmp_path / "whole", "linux/amd64")
    whole.binary(a_file(tmp_path, "old", b"old"), version="v1", source=SOURCE)
    whole.publish()
    again = LayoutWriter(tmp_path / "whole", "linux/amd64")
    again.take(layout)
    again.publish()
    again.prune()
    found = Layout.open(tmp_path / "whole")
    assert found.artifacts == layout.artifacts
    kept = {p.name for p in (tmp_path / "whole/blobs/sha256").iterdir()}
    assert kept == {p.name for p in (layout.root / "blobs/sha256").iterdir()}


def test_link_or_copy_replaces_and_leaves_nothing_beside(tmp_path: Path) -> None:
    source = a_file(tmp_path, "source", b"x")
    for _ in range(2):  # the second time both are links to one file already
        link_or_copy(source, tmp_path / "to" / "target")
    assert [p.name for p in (tmp_path / "to").iterdir()] == ["target"]
