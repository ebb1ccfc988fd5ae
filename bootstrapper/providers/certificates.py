"""Webhook certificates of our own, where cert-manager isn't there.

Each of cert-manager's Certificates becomes the Secret that it names: a certificate for the same DNS names, signed by
a CA made for it alone, whose key is forgotten at once. So nobody can sign a second one, and renewal means a new CA
(see `renewal`). `ca.crt` holds every CA that is to be trusted; objects that trust the certificate hold the same bytes.

The API server checks a webhook's certificate against `caBundle` and the name SERVICE.NAMESPACE.svc ("Dynamic Admission
Control" in the Kubernetes documentation), by subject alternative names alone; a common name ends at 64 characters
(RFC 5280, A.1), so the names aren't put there.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from bootstrapper.errors import BundleError, Taken
from bootstrapper.providers import webhooks

Object = dict[str, Any]

#: Label on Secrets with a certificate of ours; also the selector that finds them.
OURS = "bootstrapper.dev/self-issued"
#: Annotation on them: the Certificate that the Secret stands for.
CERTIFICATE = "bootstrapper.dev/certificate"
VALIDITY = timedelta(days=365)
#: Clocks of nodes may be behind ours.
_SKEW = timedelta(hours=1)
_GROUP = "cert-manager.io/"


class Pair(NamedTuple):
    """A certificate, its key and the CA that signed it, as PEM."""

    certificate: bytes
    key: bytes
    ca: bytes


def self_issued(objects: Sequence[Object], existing: Iterable[Object], now: datetime) -> list[Object]:
    """The objects with Secrets in place of cert-manager's, and the CAs where objects ask for them.

    existing: the Secrets that the cluster has, ours and others. One of ours that is still good is used again, so that
    a rerun changes nothing. Raises Taken: a Secret of that name isn't ours; BundleError: a CA is asked for that no
    Certificate stands for.
    """
    have = {_name(secret): secret for secret in existing}
    made = {_name(c): _secret(c, have, now) for c in objects if c["kind"] == "Certificate" and _is_certmanager(c)}
    return [*made.values(), *(_trusting(obj, made) for obj in objects if not _is_certmanager(obj))]


def issue(names: Sequence[str], now: datetime) -> Pair:
    """A new certificate for servers of these DNS names, by a new CA; both valid for a year.

    Certificates know whole seconds. The next one is taken, so that `issued_at` is never before `now`.
    """
    now = now.astimezone(UTC).replace(microsecond=0) + timedelta(seconds=now.microsecond > 0)
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    # The CAs before and after a renewal are trusted side by side: their names must differ.
    ca_name = _common_name(f"bootstrapper webhooks {x509.random_serial_number():x}"[:64])
    ca = (
        _builder(ca_name, ca_name, ca_key.public_key(), ca_key.public_key(), now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .sign(ca_key, hashes.SHA256())
    )
    leaf = (
        _builder(_common_name("webhook"), ca_name, key.public_key(), ca_key.public_key(), now)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    return Pair(_pem(leaf), _key_pem(key), _pem(ca))


def data(pair: Pair, older: bytes = b"") -> dict[str, str]:
    """A Secret's data for it, base64; `older` are CAs (PEM) that stay trusted."""
    files = {"tls.crt": pair.certificate, "tls.key": pair.key, "ca.crt": older + pair.ca}
    return {name: b64encode(content).decode() for name, content in files.items()}


def certificate(secret: Object) -> x509.Certificate:
    """The certificate in a Secret. Raises ValueError: there is none to be read."""
    return x509.load_pem_x509_certificate(_content(secret, "tls.crt"))


def issued_at(secret: Object) -> datetime:
    """When the certificate in a Secret of ours was made (UTC). Raises ValueError: there is none to be read."""
    return certificate(secret).not_valid_before_utc + _SKEW


def authorities(secret: Object, now: datetime) -> list[x509.Certificate]:
    """The CAs in a Secret that haven't expired. Raises ValueError: they can't be read."""
    found = x509.load_pem_x509_certificates(_content(secret, "ca.crt"))
    return [ca for ca in found if ca.not_valid_after_utc > now]


def names(secret: Object) -> list[str]:
    """The DNS names that the certificate in a Secret is for. Raises ValueError: there is none to be read."""
    try:
        found = certificate(secret).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound as error:
        raise ValueError("no subject alternative name") from error
    return found.value.get_values_for_type(x509.DNSName)


def is_good(secret: Object, wanted: Iterable[str], now: datetime) -> bool:
    """Whether a server of these DNS names can work with the Secret now: unexpired, its own key, a CA that signed it."""
    with suppress(ValueError, TypeError):
        leaf = certificate(secret)
        key = serialization.load_pem_private_key(_content(secret, "tls.key"), None)
        return (
            leaf.not_valid_before_utc <= now < leaf.not_valid_after_utc
            and set(wanted) <= set(names(secret))
            and key.public_key() == leaf.public_key()
            and any(_signed(leaf, ca) for ca in authorities(secret, now))
        )
    return False


def _secret(wanted: Object, have: dict[str, Object], now: datetime) -> Object:
    """The Secret that a Certificate names: the one that is there, or a new one."""
    spec, metadata = wanted["spec"], wanted["metadata"]
    found = have.get(f"{metadata['namespace']}/{spec['secretName']}")
    if found is not None and OURS not in (found["metadata"].get("labels") or {}):
        what = f"Secret {metadata['namespace']}/{spec['secretName']} exists, and isn't ours"
        why = f"Certificate {metadata['name']} would be kept there, and cert-manager isn't installed"
        raise Taken(what, why, "install cert-manager, or delete the Secret")
    names = spec.get("dnsNames") or []
    good = found is not None and is_good(found, names, now)
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {
            "name": spec["secretName"],
            "namespace": metadata["namespace"],
            "labels": {**metadata.get("labels", {}), OURS: ""},
            "annotations": {CERTIFICATE: metadata["name"]},
        },
        "data": found["data"] if found is not None and good else data(issue(names, now)),
    }


def _trusting(obj: Object, made: dict[str, Object]) -> Object:
    wanted = webhooks.wanted(obj)
    if wanted is None:
        return obj
    if wanted not in made:
        what = f"{obj['kind']} {obj['metadata']['name']} asks for the CA of Certificate {wanted}"
        raise BundleError(what, "there is no such Certificate", "take the components file of its release, unchanged")
    return webhooks.injected(obj, made[wanted]["data"]["ca.crt"])


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    issuer_key: ec.EllipticCurvePublicKey,
    now: datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + VALIDITY)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), critical=False)
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    """A CA signs certificates and nothing else; a server signs its handshakes."""
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _common_name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _signed(leaf: x509.Certificate, ca: x509.Certificate) -> bool:
    try:
        leaf.verify_directly_issued_by(ca)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    plain = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)


def _content(secret: Object, file: str) -> bytes:
    """A file of a Secret; ValueError when it isn't there or isn't base64."""
    return b64decode((secret.get("data") or {}).get(file) or "", validate=True)


def _name(obj: Object) -> str:
    return f"{obj['metadata'].get('namespace', '')}/{obj['metadata']['name']}"


def _is_certmanager(obj: Object) -> bool:
    return bool(obj["apiVersion"].startswith(_GROUP))
