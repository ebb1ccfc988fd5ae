"""Where the data of `manifests/` is: cluster templates, and the versions they fit.

`_manifests` beside this module is a link to the checkout's `manifests/`; in an installed wheel it is a copy.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from collections.abc import Mapping

_ROOT = Path(__file__).parent / "_manifests"


def path(*parts: str) -> Path:
    """The file or folder `manifests/PART/PART/...`, whether or not it exists."""
    return _ROOT.joinpath(*parts)


def builtin_providers() -> tuple[str, ...]:
    """Infrastructure providers that a cluster template of ours exists for, sorted."""
    return tuple(sorted(folder.name for folder in path("templates").iterdir() if folder.is_dir()))


@cache
def versions() -> Mapping[str, str]:
    """Upstream versions by name ("kubernetes" -> "v1.36.3"), as `manifests/versions.yaml` states them."""
    found: dict[str, str] = yaml.safe_load(path("versions.yaml").read_text(encoding="utf-8"))
    return found
