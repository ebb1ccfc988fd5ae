"""All parts, put together from the recipe modules."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from hack.components import debian, go_parts, kubernetes_images, node_image, providers

if TYPE_CHECKING:
    from hack.components.parts import Part

VERSIONS = Path(__file__).parents[2] / "manifests" / "versions.yaml"


def versions() -> dict[str, str]:
    """What manifests/versions.yaml says."""
    found: dict[str, str] = yaml.safe_load(VERSIONS.read_text())
    return found


def parts() -> list[Part]:
    """Every part of the bundle, in no particular order."""
    known = versions()
    modules = (go_parts, debian, kubernetes_images, providers, node_image)
    return [part for module in modules for part in module.parts(known)]
