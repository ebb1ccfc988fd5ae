"""Versions and release series, as a provider's `metadata.yaml` tells them; a series implements one contract.

"metadata YAML" in the provider contract of clusterctl (Cluster API book).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import yaml

from bootstrapper.errors import BundleError

#: Semantic versions as clusterctl reads them, with a leading v.
_VERSION = re.compile(r"v(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?")

#: Sorts as the versions do (semver.org, rule 11).
VersionKey = tuple[int, int, int, bool, tuple[tuple[bool, int, str], ...]]


def series(metadata: str, title: str) -> dict[str, str]:
    """Contract by release series, newest first, from the text of metadata.yaml: {"1.14": "v1beta2"}.

    title names the provider in messages. Raises BundleError.
    """
    try:
        listed = yaml.safe_load(metadata)["releaseSeries"]
        found = {(int(one["major"]), int(one["minor"])): str(one["contract"]) for one in listed}
    except (yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        why = f"it has no list releaseSeries of major, minor, contract ({type(error).__name__})"
        raise BundleError(f"{title}'s metadata.yaml", why, "take that of its release, unchanged") from error
    return {f"{major}.{minor}": found[major, minor] for major, minor in sorted(found, reverse=True)}


def implemented(version: str, known: Mapping[str, str], title: str) -> str:
    """The contract of this version, by `series`. Raises BundleError when its series isn't known."""
    major, minor, *_ = version_key(version, title)
    contract = known.get(f"{major}.{minor}")
    if contract is None:
        why = f"its metadata.yaml knows {', '.join(known) or 'no release series'}, not {major}.{minor}"
        raise BundleError(f"{title} {version}", why, f"take metadata.yaml of release {version}")
    return contract


def version_key(version: str, title: str) -> VersionKey:
    """Sorts versions; a pre-release stands before its release. Raises BundleError for what isn't a version."""
    match = _VERSION.fullmatch(version)
    if not match:
        why = f"{version!r} isn't a version such as v1.14.2"
        raise BundleError(f"{title}'s version", why, "name its release as upstream does")
    parts = (match[4] or "").split(".")
    ranks = tuple((not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts)
    return int(match[1]), int(match[2]), int(match[3]), match[4] is None, ranks
