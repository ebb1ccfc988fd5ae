"""What must be there before what, when providers are installed.

The order is safe to be interrupted. A self-issued certificate's Secret comes before everything that trusts it, so that
a rerun finds the Secret and never leaves one half of the objects trusting another CA. Webhook configurations come after
all that they would be asked about. Managers come late, because their images may still be on the way. The inventory's
entry comes last: who finds it may take the provider as installed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Object = dict[str, Any]

#: Wave by kind; any kind that isn't here goes with `BINDINGS`, when CRDs and what they may refer to are there.
NAMESPACES, SECRETS, DEFINITIONS, ACCESS, BINDINGS, WEBHOOKS, MANAGERS, INVENTORY = (
    "namespaces",
    "secrets",
    "definitions",
    "access",
    "bindings",
    "webhooks",
    "managers",
    "inventory",
)
_KINDS = {
    NAMESPACES: ("Namespace",),
    SECRETS: ("Secret",),
    DEFINITIONS: ("CustomResourceDefinition",),
    ACCESS: (
        "ServiceAccount",
        "Role",
        "ClusterRole",
        "Service",
        "ConfigMap",
        "PriorityClass",
        "Issuer",
        "ClusterIssuer",
    ),
    BINDINGS: ("RoleBinding", "ClusterRoleBinding", "Certificate"),
    WEBHOOKS: ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"),
    MANAGERS: ("Deployment", "DaemonSet", "StatefulSet", "Job", "CronJob"),
    INVENTORY: ("Provider",),
}
_WAVE = {kind: wave for wave, kinds in _KINDS.items() for kind in kinds}


def waves(objects: Iterable[Object]) -> dict[str, list[Object]]:
    """The objects by wave: every wave's name in order, an empty one too.

    Objects of one wave don't need each other. After DEFINITIONS, wait until each CRD is Established. Only MANAGERS need
    images.
    """
    found: dict[str, list[Object]] = {wave: [] for wave in _KINDS}
    for obj in objects:
        found[_WAVE.get(obj["kind"], BINDINGS)].append(obj)
    return found
