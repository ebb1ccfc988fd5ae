"""Webhook certificates before they expire, in a cluster that lives on.

A manager reads its certificate from a mounted Secret, and kubelet brings a changed Secret there only after a while
(its sync period). So the objects that trust it get the old CAs and the new one first; then the Secret changes;
whichever certificate the manager shows meanwhile is trusted. The Secret keeps the same bundle; a CA leaves it after its
end.

Interrupted in between, the objects trust one CA more than needed, and the next renewal starts from the Secret again.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.serialization import Encoding

from bootstrapper.errors import StepError
from bootstrapper.providers import certificates, webhooks
from bootstrapper.providers.certificates import CERTIFICATE, OURS

Object = dict[str, Any]

#: How long before the end `status` warns.
WARN = timedelta(days=30)


class Change(NamedTuple):
    """One write: an object as it was observed, and a JSON patch (RFC 6902) for it."""

    object: Object
    patch: list[Object]


def expiry(secret: Object) -> datetime:
    """When the certificate in a Secret of ours ends (UTC). Raises StepError: there is none to be read."""
    try:
        return certificates.certificate(secret).not_valid_after_utc
    except ValueError as error:
        raise StepError(f"Secret {_name(secret)} holds no certificate", str(error), _again()) from error


def expiring(secrets: Iterable[Object], now: datetime, within: timedelta = WARN) -> dict[str, datetime]:
    """The certificates of ours that end within this time, or have ended: "namespace/secret" and when, soonest first."""
    ends = {_name(secret): expiry(secret) for secret in secrets if _is_ours(secret)}
    return {name: ends[name] for name in sorted(ends, key=lambda name: ends[name]) if ends[name] - now <= within}


def renewal(secrets: Iterable[Object], holders: Sequence[Object], now: datetime) -> list[Change]:
    """What gives every Secret of ours a new certificate, to be written one after another, in this order.

    holders: the cluster's objects of `webhooks.HOLDERS`; those that ask for another certificate are left alone. Raises
    StepError: a Secret holds no certificate.
    """
    trusts: list[Change] = []
    keeps: list[Change] = []
    for secret in filter(_is_ours, secrets):
        expiry(secret)
        old = b"".join(ca.public_bytes(Encoding.PEM) for ca in certificates.authorities(secret, now))
        data = certificates.data(certificates.issue(certificates.names(secret), now), old)
        trusts += [
            _trust(holder, data["ca.crt"]) for holder in holders if webhooks.wanted(holder) == _stands_for(secret)
        ]
        keeps.append(Change(secret, [_unchanged(secret), {"op": "replace", "path": "/data", "value": data}]))
    return [*trusts, *keeps]


def distrusting(secrets: Iterable[Object], holders: Iterable[Object]) -> str | None:
    """Which objects can't trust the certificate of a Secret of ours that they ask for, as one sentence; None: all can.

    That is so when a Secret was lost and made anew after them. Applying the provider's objects again heals it.
    """
    bundles = {_stands_for(s): (_name(s), s.get("data", {}).get("ca.crt", "")) for s in secrets if _is_ours(s)}
    lost = [(holder, bundles[wanted]) for holder in holders if (wanted := webhooks.wanted(holder)) in bundles]
    names = [f"{h['kind']} {h['metadata']['name']} ({secret})" for h, (secret, ca) in lost if not _trusts(h, ca)]
    if not names:
        return None
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"{names[0]}{more} can't trust the webhook certificate that is there now"


def _trust(holder: Object, bundle: str) -> Change:
    paths = ["/" + "/".join(map(str, (*path, "caBundle"))) for path, _ in webhooks.client_configs(holder)]
    return Change(holder, [_unchanged(holder), *({"op": "add", "path": path, "value": bundle} for path in paths)])


def _trusts(holder: Object, bundle: str) -> bool:
    """Whether every client config of the object has at least the CAs of the Secret."""
    wanted = _blocks(bundle)
    return all(wanted <= _blocks(config.get("caBundle") or "") for _, config in webhooks.client_configs(holder))


def _blocks(bundle: str) -> set[bytes]:
    """The PEM blocks of a base64 bundle."""
    end = b"-----END CERTIFICATE-----"
    return {block.strip() for block in b64decode(bundle).split(end)} - {b""}


def _unchanged(obj: Object) -> Object:
    """The patch's precondition: the places in it were read from just this version."""
    return {"op": "test", "path": "/metadata/resourceVersion", "value": obj["metadata"]["resourceVersion"]}


def _stands_for(secret: Object) -> str:
    annotations = secret["metadata"].get("annotations") or {}
    return f"{secret['metadata']['namespace']}/{annotations.get(CERTIFICATE, '')}"


def _is_ours(secret: Object) -> bool:
    return OURS in (secret["metadata"].get("labels") or {})


def _name(secret: Object) -> str:
    return f"{secret['metadata']['namespace']}/{secret['metadata']['name']}"


def _again() -> str:
    return "delete the Secret and run init again: it makes a new one"
