"""Whether providers fit together: each implements one Cluster API contract, and the core provider decides.

"Provider contracts" in the Cluster API book, and `GetCompatibleVersions` of cluster-api v1.14: a core of contract
v1beta2 works with providers of v1beta2, and for the time being with those of v1beta1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bootstrapper.errors import RequestError
from bootstrapper.providers.components import Provider

#: Contracts of providers that a core of this contract works with. What isn't here we can't drive: our own objects and
#: the pivot speak v1beta2.
COMPATIBLE: Mapping[str, tuple[str, ...]] = {"v1beta2": ("v1beta2", "v1beta1")}


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
