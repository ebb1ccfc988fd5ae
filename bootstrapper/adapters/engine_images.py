"""Images of the bundle in the container engine: nothing is pulled, and what is there already isn't loaded again."""

from __future__ import annotations

from collections.abc import Sequence

from bootstrapper.adapters.engine import Engine
from bootstrapper.adapters.layout import Layout


def absent(engine: Engine, bundle: Layout, names: Sequence[str]) -> list[str]:
    """Those of the images that the engine hasn't got as the bundle has them.

    Raises:
        BundleError: an image isn't in the bundle.
    """
    return [name for name in names if not _same(engine, bundle, name)]


def load(engine: Engine, bundle: Layout, names: Sequence[str]) -> None:
    """Give the engine what it lacks of the images."""
    wanted = absent(engine, bundle, names)
    if wanted:
        engine.load(bundle.docker_archive(wanted))


def size(bundle: Layout, names: Sequence[str]) -> int:
    """Bytes of the images; those that the bundle lacks count nothing."""
    return sum(image.size for image in bundle.of_kind("image") if image.name in names)


def _same(engine: Engine, bundle: Layout, name: str) -> bool:
    """An image's ID is the digest of its config; with Docker's containerd store it is another, but layers stay layers
    (the bundle keeps them unpacked, so that its digests are the engine's)."""
    image = bundle.artifact("image", name)
    identity = engine.image_id(name)
    if identity is None or identity == image.file("config").digest:
        return identity is not None
    return engine.image_layers(name) == [file.digest for file in image.files if file.name != "config"]
