"""Where objects name a webhook's service and its CA: webhook configurations, and CRDs with a conversion webhook.

cert-manager's ca-injector fills in the CA where the annotation `cert-manager.io/inject-ca-from: NAMESPACE/CERTIFICATE`
asks for it ("CA Injector" in its documentation); without cert-manager that is done here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Object = dict[str, Any]
#: Keys from the object down to a client config: ("webhooks", 0, "clientConfig").
Path = tuple[str | int, ...]

INJECT = "cert-manager.io/inject-ca-from"
#: The kinds that can hold a CA, as (apiVersion, kind).
HOLDERS = (
    ("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration"),
    ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration"),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
)
_CONVERSION: Path = ("spec", "conversion", "webhook", "clientConfig")


def client_configs(obj: Object) -> Iterator[tuple[Path, Object]]:
    """Each client config of the object with the way to it; none for other kinds."""
    if obj["kind"] == "CustomResourceDefinition":
        config = (obj["spec"].get("conversion") or {}).get("webhook", {}).get("clientConfig")
        if config is not None:
            yield _CONVERSION, config
    elif obj["kind"] in ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"):
        for index, webhook in enumerate(obj.get("webhooks") or ()):
            yield ("webhooks", index, "clientConfig"), webhook["clientConfig"]


def services(obj: Object) -> set[tuple[str, str]]:
    """The services that the object's webhooks are reached at, as (namespace, name)."""
    named = [config["service"] for _, config in client_configs(obj) if config.get("service")]
    return {(service["namespace"], service["name"]) for service in named}


def wanted(obj: Object) -> str | None:
    """The certificate, as "namespace/name", whose CA the object is to hold; None when it asks for none."""
    annotations = obj["metadata"].get("annotations") or {}
    return annotations.get(INJECT)


def injected(obj: Object, bundle: str) -> Object:
    """The object with this CA bundle (base64 of PEM) in every client config; `obj` itself stays as it is."""
    for path, _ in client_configs(obj):
        obj = _with(obj, (*path, "caBundle"), bundle)
    return obj


def _with(value: Any, path: Path, new: Any) -> Any:
    """`value` with `new` at `path`; only what lies on the way is copied."""
    if not path:
        return new
    copy = value.copy()
    copy[path[0]] = _with(value.get(path[0]) if isinstance(value, dict) else value[path[0]], path[1:], new)
    return copy
