"""The providers' webhook certificates, issued here where cert-manager isn't there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from bootstrapper.providers import certificates, renewal, webhooks
from bootstrapper.step import Step
from bootstrapper.world import Cluster, Object

#: Days before the end from which `status` warns.
WARN_DAYS = renewal.WARN.days


def expiries(cluster: Cluster) -> dict[str, datetime]:
    """When each certificate of ours ends: "namespace/secret" and when (UTC), soonest first."""
    return renewal.expiring(_secrets(cluster), datetime.now(UTC), timedelta.max)


def steps(name: str, reach: Callable[[], Cluster]) -> list[Step]:
    """Every certificate of ours is newer than this call."""
    started = datetime.now(UTC).replace(microsecond=0)  # certificates know whole seconds

    def gap() -> str | None:
        old = [s for s in _secrets(reach()) if certificates.issued_at(s) < started]
        return f"{len(old)} webhook certificates are to be renewed" if old else None

    def close() -> None:
        cluster = reach()
        holders = [h for kind in webhooks.HOLDERS for h in cluster.find(*kind)]
        for change in renewal.renewal(_secrets(cluster), holders, datetime.now(UTC)):
            obj = change.object
            kind = cluster.kind(obj["apiVersion"], obj["kind"])
            assert kind is not None, "it was just read"
            metadata = obj["metadata"]
            cluster.patch(kind, metadata.get("namespace"), metadata["name"], change.patch, type="json")

    return [Step("certificates", f"the webhook certificates of {name} are new", gap, close)]


def _secrets(cluster: Cluster) -> list[Object]:
    return cluster.find("v1", "Secret", labels=certificates.OURS)
