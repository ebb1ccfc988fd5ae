"""Webhook certificates: issued, used again, trusted where asked for, renewed without a gap in trust.

What counts is what a TLS client says: `trusts` makes a real handshake with the Secret's files.
"""

from __future__ import annotations

import copy
import ssl
from base64 import b64decode, b64encode
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bootstrapper.errors import BundleError, StepError, Taken
from bootstrapper.providers import certificates, renewal, webhooks

Object = dict[str, Any]

NOW = datetime.now(UTC)
DAY = timedelta(days=1)
LONG = "a-provider-with-quite-a-long-name-webhook-service.a-provider-with-quite-a-long-name-system.svc"
NAMES = ["hook.x-system.svc", "hook.x-system.svc.cluster.local", LONG]
ASKS = {"cert-manager.io/inject-ca-from": "x-system/serving-cert"}


def certificate(**changes: Any) -> Object:
    return {
        "apiVersion": "cert-manager.io/v1",
        "kind": "Certificate",
        "metadata": {"name": "serving-cert", "namespace": "x-system", "labels": {"of": "x"}},
        "spec": {"dnsNames": NAMES, "secretName": "hook-cert", **changes},
    }


def service(path: str) -> Object:
    return {"service": {"name": "hook", "namespace": "x-system", "path": path}}


CRD: Object = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "xs.example.org", "annotations": ASKS, "resourceVersion": "7"},
    "spec": {"conversion": {"strategy": "Webhook", "webhook": {"clientConfig": service("/convert")}}},
}
PLAIN_CRD: Object = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "ys.example.org", "resourceVersion": "7"},
    "spec": {"conversion": {"strategy": "None"}},
}
HOOKS: Object = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "ValidatingWebhookConfiguration",
    "metadata": {"name": "x-hooks", "annotations": ASKS, "resourceVersion": "9"},
    "webhooks": [{"name": "a", "clientConfig": service("/a")}, {"name": "b", "clientConfig": service("/b")}],
}
ISSUER: Object = {"apiVersion": "cert-manager.io/v1", "kind": "Issuer", "metadata": {"name": "self", "namespace": "x"}}
OBJECTS: list[Object] = [certificate(), ISSUER, CRD, PLAIN_CRD, HOOKS]


def issued(existing: Sequence[Object] = (), now: datetime = NOW, objects: Sequence[Object] = OBJECTS) -> list[Object]:
    return certificates.self_issued(objects, existing, now)


def a_secret(now: datetime = NOW) -> Object:
    [secret] = [obj for obj in issued(now=now) if obj["kind"] == "Secret"]
    return {**secret, "metadata": {**secret["metadata"], "resourceVersion": "3"}}


def bundles(objects: Sequence[Object]) -> set[str]:
    return {config["caBundle"] for obj in objects for _, config in webhooks.client_configs(obj)}


def pem(text: str) -> str:
    return b64decode(text).decode()


def trusts(folder: Path, bundle: str, secret: Object, name: str = NAMES[0]) -> bool:
    """A client with this CA bundle shakes hands with a server that shows the Secret's certificate."""
    for file in ("tls.crt", "tls.key"):
        (folder / file).write_text(pem(secret["data"][file]))
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    context = ssl.create_default_context(cadata=pem(bundle))
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(down, up, server_hostname=name)
    server = server_context.wrap_bio(up, down, server_side=True)
    for _ in range(3):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLCertVerificationError:
                return False
    return client.cipher() is not None


@pytest.mark.parametrize("name", NAMES)
def test_clients_with_the_injected_bundle_trust_the_secret_for_each_name(tmp_path: Path, name: str) -> None:
    objects = issued()
    [bundle] = bundles([obj for obj in objects if obj["metadata"]["name"] != "ys.example.org"])
    assert trusts(tmp_path, bundle, objects[0], name)
    assert not trusts(tmp_path, bundle, objects[0], "other.x-system.svc")
    assert not trusts(tmp_path, a_secret()["data"]["ca.crt"], objects[0], name)


def test_every_webhook_of_an_object_gets_the_same_bundle() -> None:
    secret, crd, _, hooks = issued()
    configs = [
        crd["spec"]["conversion"]["webhook"]["clientConfig"],
        *(hook["clientConfig"] for hook in hooks["webhooks"]),
    ]
    assert [config.get("caBundle") for config in configs] == 3 * [secret["data"]["ca.crt"]]


def test_the_secret_stands_where_its_certificate_says_and_is_marked_as_ours() -> None:
    secret = a_secret()
    assert secret["type"] == "kubernetes.io/tls"
    assert secret["metadata"] == {
        "name": "hook-cert",
        "namespace": "x-system",
        "labels": {"of": "x", "bootstrapper.dev/self-issued": ""},
        "annotations": {"bootstrapper.dev/certificate": "serving-cert"},
        "resourceVersion": "3",
    }
    assert set(secret["data"]) == {"tls.crt", "tls.key", "ca.crt"}
    assert pem(secret["data"]["ca.crt"]).count("PRIVATE KEY") == 0


def test_cert_manager_s_objects_are_gone_and_others_untouched() -> None:
    before = copy.deepcopy(OBJECTS)
    objects = issued()
    assert [obj["kind"] for obj in objects] == [
        "Secret",
        "CustomResourceDefinition",
        "CustomResourceDefinition",
        "ValidatingWebhookConfiguration",
    ]
    assert objects[2] is PLAIN_CRD
    assert before == OBJECTS


def test_certificates_end_after_a_year() -> None:
    now = NOW.replace(microsecond=0)
    assert renewal.expiry(a_secret(now)) == now + 365 * DAY


@pytest.mark.parametrize("microsecond", [0, 1, 999_999])
def test_a_certificate_is_not_older_than_the_call_that_made_it(microsecond: int) -> None:
    now = NOW.replace(microsecond=microsecond)
    assert now <= certificates.issued_at(a_secret(now)) < now + timedelta(seconds=1)


def test_a_rerun_uses_the_good_secret_that_is_there() -> None:
    first = issued()
    assert issued([first[0]]) == first
    assert issued([first[0]], NOW + 300 * DAY) == first


def broken(**changes: str | None) -> Object:
    secret = a_secret()
    data = {name: value for name, value in {**secret["data"], **changes}.items() if value is not None}
    return {**secret, "data": data}


@pytest.mark.parametrize(
    "secret",
    [
        a_secret(NOW - 366 * DAY),
        a_secret(NOW + 2 * DAY),
        broken(**{"tls.key": a_secret()["data"]["tls.key"]}),
        broken(**{"ca.crt": a_secret()["data"]["ca.crt"]}),
        broken(**{"ca.crt": None}),
        broken(**{"tls.crt": b64encode(b"no certificate").decode()}),
        broken(**{"tls.crt": "no base64 %"}),
        broken(**{"tls.key": ""}),
    ],
    ids=["expired", "not yet", "other key", "other CA", "no CA", "no certificate", "no base64", "no key"],
)
def test_a_secret_that_no_server_can_work_with_is_made_anew(tmp_path: Path, secret: Object) -> None:
    assert not certificates.is_good(secret, NAMES, NOW)
    objects = issued([secret])
    assert objects[0]["data"] != secret["data"]
    [bundle] = bundles(objects[1:2])
    assert trusts(tmp_path, bundle, objects[0])


def test_a_secret_for_other_names_is_made_anew() -> None:
    objects = issued([a_secret()], objects=[certificate(dnsNames=["new.x-system.svc"])])
    assert certificates.names(objects[0]) == ["new.x-system.svc"]


def test_a_secret_that_is_not_ours_is_left_alone() -> None:
    theirs = a_secret()
    theirs["metadata"]["labels"] = {}
    with pytest.raises(Taken, match="Secret x-system/hook-cert exists, and isn't ours"):
        issued([theirs])
    elsewhere = {**theirs, "metadata": {**theirs["metadata"], "namespace": "y-system"}}
    assert issued([elsewhere])


def test_a_ca_that_no_certificate_stands_for_is_an_error() -> None:
    with pytest.raises(BundleError, match=r"xs\.example\.org asks for the CA of Certificate x-system/serving-cert"):
        issued(objects=[CRD])


# renewal


def installed() -> tuple[Object, list[Object]]:
    """A Secret and its holders as a cluster has them after an installation."""
    secret, *holders = issued()
    return {**secret, "metadata": {**secret["metadata"], "resourceVersion": "3"}}, holders


def patched(change: renewal.Change) -> Object:
    """What an API server makes of it (RFC 6902, as far as it is used)."""
    result = copy.deepcopy(change.object)
    for operation in change.patch:
        *way, last = operation["path"].removeprefix("/").split("/")
        target: Any = result
        for key in way:
            target = target[int(key)] if isinstance(target, list) else target[key]
        if operation["op"] == "test":
            assert target[last] == operation["value"]
        else:
            target[last] = operation["value"]
    return result


def test_while_a_renewal_is_written_every_holder_trusts_both_certificates(tmp_path: Path) -> None:
    secret, holders = installed()
    changes = renewal.renewal([secret], holders, NOW)
    assert [change.object["kind"] for change in changes] == [
        "CustomResourceDefinition",
        "ValidatingWebhookConfiguration",
        "Secret",
    ]
    *new_holders, new_secret = map(patched, changes)
    assert new_secret["data"]["tls.crt"] != secret["data"]["tls.crt"]
    for bundle in bundles(new_holders):
        assert trusts(tmp_path, bundle, secret)
        assert trusts(tmp_path, bundle, new_secret)
    assert len(bundles(new_holders)) == 1
    assert certificates.names(new_secret) == NAMES
    assert renewal.distrusting([new_secret], new_holders) is None


def test_a_rerun_of_the_installation_after_a_renewal_changes_nothing() -> None:
    secret, holders = installed()
    *new_holders, new_secret = map(patched, renewal.renewal([secret], holders, NOW))
    again = issued([new_secret])
    assert again[0]["data"] == new_secret["data"]
    assert bundles(again[1:]) == bundles(new_holders)


def test_a_ca_leaves_the_bundle_when_it_has_expired() -> None:
    secret, holders = installed()
    for months, count in ((11, 2), (22, 2), (33, 2)):
        now = NOW + months * 30 * DAY
        *holders, secret = map(patched, renewal.renewal([secret], holders, now))
        assert pem(secret["data"]["ca.crt"]).count("BEGIN CERTIFICATE") == count
    *holders, secret = map(patched, renewal.renewal([secret], holders, NOW + 2000 * DAY))
    assert pem(secret["data"]["ca.crt"]).count("BEGIN CERTIFICATE") == 1


def test_only_secrets_of_ours_and_who_asks_for_them_are_renewed() -> None:
    secret, holders = installed()
    theirs = {**secret, "metadata": {**secret["metadata"], "labels": {}}}
    assert renewal.renewal([theirs], holders, NOW) == []
    stranger = {**HOOKS, "metadata": {**HOOKS["metadata"], "annotations": {webhooks.INJECT: "y/other"}}}
    assert [change.object for change in renewal.renewal([secret], [stranger], NOW)] == [secret]


@pytest.mark.parametrize(
    ("days", "warned"),
    [(0, []), (334, []), (336, ["x-system/hook-cert"]), (400, ["x-system/hook-cert"])],
)
def test_status_is_told_thirty_days_before_the_end(days: int, warned: list[str]) -> None:
    assert list(renewal.expiring([a_secret()], NOW + days * DAY)) == warned


def test_the_soonest_end_comes_first_and_other_secrets_do_not_count() -> None:
    late, soon, theirs = a_secret(), a_secret(NOW - 5 * DAY), a_secret()
    soon["metadata"]["name"] = "soon"
    theirs["metadata"].update(name="theirs", labels={})
    found = renewal.expiring([late, theirs, soon], NOW + 350 * DAY)
    assert found == {"x-system/soon": renewal.expiry(soon), "x-system/hook-cert": renewal.expiry(late)}
    assert list(found) == ["x-system/soon", "x-system/hook-cert"]


def test_a_secret_of_ours_without_a_certificate_is_named() -> None:
    with pytest.raises(StepError, match="Secret x-system/hook-cert holds no certificate"):
        renewal.expiry(broken(**{"tls.crt": None}))


def test_holders_that_trust_another_ca_are_named() -> None:
    secret, holders = installed()
    assert renewal.distrusting([secret], holders) is None
    assert renewal.distrusting([a_secret()], holders) == (
        "CustomResourceDefinition xs.example.org (x-system/hook-cert) and 1 more can't trust the webhook certificate "
        "that is there now"
    )
    assert renewal.distrusting([secret], [CRD]) is not None
    assert renewal.distrusting([], holders) is None
