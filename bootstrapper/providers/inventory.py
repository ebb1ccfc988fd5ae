"""What is installed already, as clusterctl's inventory tells: `Provider` objects of every tool that keeps it.

The rules are clusterctl's: one instance of a provider in a cluster (`simulateInstall` in its installer.go), and never a
lower version than the one installed (upgrader_info.go). Another version is an upgrade, and that is no installation.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bootstrapper.errors import RequestError
from bootstrapper.providers.components import TYPES, Provider
from bootstrapper.providers.releases import version_key

Object = dict[str, Any]


def unrecorded(provider: Provider, installed: Iterable[Object]) -> str | None:
    """Why the provider still has to be installed, as one sentence; None when the inventory has it at this version.

    installed: all Provider objects of the cluster. The entry is written last, so with it everything was there once.
    Raises RequestError when it is there at another version or in another namespace.
    """
    entries = [entry for entry in installed if _is_same(provider, entry)]
    for entry in entries:
        _refuse_elsewhere(provider, entry["metadata"]["namespace"])
        _refuse_other(provider, entry.get("version", ""))
    return None if entries else f"{provider.label} {provider.version} isn't in the inventory of providers"


def _is_same(provider: Provider, entry: Object) -> bool:
    return bool(entry.get("providerName") == provider.name and entry.get("type") == TYPES[provider.type])


def _refuse_elsewhere(provider: Provider, namespace: str) -> None:
    if namespace != provider.namespace:
        raise RequestError(
            f"{provider.label} can't be installed in namespace {provider.namespace}",
            f"it is there already, in namespace {namespace}; Cluster API allows one instance",
            f"see what is installed: kubectl get providers.clusterctl.cluster.x-k8s.io -n {namespace}",
        )


def _refuse_other(provider: Provider, version: str) -> None:
    if version == provider.version:
        return
    what = f"{provider.label} {provider.version} can't be installed"
    if version_key(version, provider.label) > version_key(provider.version, provider.label):
        hint = f"use a bundle that has {provider.label} {version} or later"
        raise RequestError(what, f"{version} is installed, which is newer, and there is no way back", hint)
    raise RequestError(
        what,
        f"{version} is installed, and installing isn't upgrading",
        f"upgrade it first (clusterctl upgrade apply), or use a bundle that has {provider.label} {version}",
    )
