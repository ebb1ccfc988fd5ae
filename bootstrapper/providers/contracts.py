"""Whether providers fit together: each implements one Cluster API contract, and the core provider decides.

"Provider contracts" in the Cluster API book, and `GetCompatibleVersions` of cluster-api v1.14: a core of contract
v1beta2 works with providers of v1beta2, and for the time being with those of v1beta1. A provider's `metadata.yaml` says
which release series (major.minor) implements which contract.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import yaml

from bootstrapper.errors import BundleError, RequestError

if TYPE_CHECKING:
    from bootstrapper.providers.components import Provider

#: Contracts of providers that a core of this contract works with. What isn't here we can't drive: our own objects and
#: the pivot speak v1beta2.
COMPATIBLE: Mapping[str, tuple[str, ...]] = {"v1beta2": ("v1beta2", "v1beta1")}

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


def check(providers: Sequence[Provider]) -> None:
    """Return when the providers of one management cluster fit together.

    Exactly one of them is the core provider. Raises RequestError naming every misfit.
    """
    core = next(provider for provider in providers if provider.type == "core")
    supported = COMPATIBLE.get(core.contract)
    if supported is None:
        why = f"it implements contract {core.contract}, this program works with {_listed(tuple(COMPATIBLE))}"
        raise RequestError(f"{core.label} {core.version} can't be installed", why, _choose(core, COMPATIBLE))
    misfits = [p for p in providers if p.contract not in supported]
    if misfits:
        names = _listed([f"{p.label} {p.version}" for p in misfits])
        whys = "; ".join(f"{p.label} implements contract {p.contract}" for p in misfits)
        why = f"{whys}, {core.label} {core.version} supports {_listed(supported)}"
        hints = "; ".join(_choose(p, supported) for p in misfits)
        raise RequestError(f"{names} can't be installed", why, hints)


def _choose(provider: Provider, contracts: Sequence[str] | Mapping[str, object]) -> str:
    fit = [one for one, contract in provider.series.items() if contract in contracts]
    if not fit:
        return f"this {provider.label} knows no release that fits: bundle a later one"
    return f"bundle a {provider.label} of release series {_listed(fit)}"


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
