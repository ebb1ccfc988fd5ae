"""Which providers fit together, and what an inventory allows."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from bootstrapper.errors import BundleError, RequestError
from bootstrapper.providers import contracts, inventory, releases
from bootstrapper.providers.components import Provider

SERIES = {"1.2": "v1beta2", "1.1": "v1beta1", "0.9": "v1alpha4"}


def provider(kind: str, name: str, version: str = "v1.2.3", contract: str = "v1beta2", **changes: Any) -> Provider:
    given = {"series": SERIES, "namespace": f"{name}-system", "objects": (), **changes}
    return Provider(kind, name, version, contract, **given)


CORE = provider("core", "cluster-api", "v1.14.2")


def metadata(*series: str) -> str:
    return "releaseSeries:\n" + "\n".join(f"- {{{one}}}" for one in series)


@pytest.mark.parametrize("contract", ["v1beta2", "v1beta1"])
def test_a_v1beta2_core_takes_providers_of_v1beta2_and_v1beta1(contract: str) -> None:
    contracts.check([provider("infrastructure", "x", contract=contract), CORE])


def test_a_provider_of_another_contract_is_refused_with_both_contracts_and_a_way_out() -> None:
    old = provider("infrastructure", "x", "v0.9.1", "v1alpha4")
    other = provider("bootstrap", "y", "v0.1.0", "v1alpha3", series={"0.1": "v1alpha3"})
    with pytest.raises(RequestError) as caught:
        contracts.check([CORE, old, provider("control-plane", "fits"), other])
    assert caught.value.what == "infrastructure-x v0.9.1 and bootstrap-y v0.1.0 can't be installed"
    assert caught.value.why == (
        "infrastructure-x implements contract v1alpha4; bootstrap-y implements contract v1alpha3, "
        "cluster-api v1.14.2 supports v1beta2 and v1beta1"
    )
    assert caught.value.hint == (
        "bundle a infrastructure-x of release series 1.2 and 1.1; "
        "this bootstrap-y knows no release that fits: bundle a later one"
    )


@pytest.mark.parametrize("contract", ["v1beta1", "v1beta3"])
def test_a_core_whose_objects_we_do_not_speak_is_refused(contract: str) -> None:
    with pytest.raises(RequestError, match=f"contract {contract}, this program works with v1beta2") as caught:
        contracts.check([provider("core", "cluster-api", contract=contract)])
    assert "release series 1.2" in caught.value.hint


def test_series_come_newest_first_by_number() -> None:
    text = metadata("major: 1, minor: 9, contract: a", "major: 1, minor: 10, contract: b")
    assert list(releases.series(text, "x").items()) == [("1.10", "b"), ("1.9", "a")]


@pytest.mark.parametrize("text", ["", "a: [", "releaseSeries: 3", metadata("major: 1, minor: 9"), metadata("major: x")])
def test_metadata_of_another_shape_is_refused(text: str) -> None:
    with pytest.raises(BundleError, match=r"core's metadata\.yaml"):
        releases.series(text, "core")


def test_a_version_that_its_metadata_does_not_know_is_refused() -> None:
    with pytest.raises(BundleError, match=r"x v1\.3\.0: its metadata\.yaml knows 1\.2, 1\.1, 0\.9, not 1\.3"):
        releases.implemented("v1.3.0", SERIES, "x")


def test_versions_sort_as_semantic_versions_do() -> None:
    order = [
        "v0.9.9",
        "v1.0.0-alpha.9",
        "v1.0.0-alpha.10",
        "v1.0.0-beta.1",
        "v1.0.0-rc.0",
        "v1.0.0",
        "v1.0.10",
        "v1.2.0",
    ]
    for low, high in pairwise(order):
        assert releases.version_key(low, "x") < releases.version_key(high, "x")
    assert releases.version_key("v1.0.0+build", "x") == releases.version_key("v1.0.0", "x")


@pytest.mark.parametrize("version", ["", "1.2.3", "v1.2", "latest"])
def test_what_is_no_version_is_refused(version: str) -> None:
    with pytest.raises(BundleError, match="isn't a version"):
        releases.version_key(version, "x")


def entry(version: str = "v1.2.3", **changes: Any) -> Any:
    metadata = {"name": "infrastructure-x", "namespace": changes.pop("namespace", "x-system")}
    return {
        "metadata": metadata,
        "providerName": "x",
        "type": "InfrastructureProvider",
        "version": version,
        **changes,
    }


X = provider("infrastructure", "x")


@pytest.mark.parametrize(
    ("installed", "gap"),
    [
        ([], "infrastructure-x v1.2.3 isn't in the inventory of providers"),
        ([entry(type="BootstrapProvider"), entry("v9.0.0", providerName="y")], "infrastructure-x v1.2.3 isn't in"),
        ([entry()], None),
        ([entry("v0.1.0", providerName="y"), entry()], None),
    ],
)
def test_the_same_version_leaves_nothing_to_do(installed: list[Any], gap: str | None) -> None:
    found = inventory.unrecorded(X, installed)
    assert (found is None) == (gap is None)
    assert (found or "").startswith(gap or "")


@pytest.mark.parametrize(
    ("there", "why", "hint"),
    [
        (entry("v1.1.0"), "v1.1.0 is installed, and installing isn't upgrading", "clusterctl upgrade apply"),
        (entry("v1.2.3-rc.1"), "installing isn't upgrading", "clusterctl upgrade apply"),
        (entry("v1.2.10"), "v1.2.10 is installed, which is newer", "infrastructure-x v1.2.10 or later"),
        (entry(namespace="other"), "namespace other; Cluster API allows one instance", "kubectl get providers"),
    ],
)
def test_another_version_or_place_is_refused_with_what_to_do(there: Any, why: str, hint: str) -> None:
    with pytest.raises(RequestError) as caught:
        inventory.unrecorded(X, [there])
    assert why in caught.value.why
    assert hint in caught.value.hint
