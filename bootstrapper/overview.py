"""What is and isn't ready, as a tree: from the objects alone, nothing is touched."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from bootstrapper import capi
from bootstrapper.errors import LostContact
from bootstrapper.journal import Entry
from bootstrapper.phases import certificates
from bootstrapper.show import Node
from bootstrapper.world import Cluster, Object

INVENTORY = ("clusterctl.cluster.x-k8s.io/v1alpha3", "Provider")


def management(name: str, home: Cluster, history: Sequence[Entry]) -> Node:
    """A management cluster: its API server, providers, certificates, clusters, and how it came about."""
    try:
        home.alive()
    except LostContact as error:
        return Node(name, False, str(error), (_story(history),))
    clusters = home.find(*capi.CLUSTER)
    children = (
        Node("providers", None, "", tuple(_provider(p) for p in home.find(*INVENTORY))),
        certificates_node(certificates.expiries(home), datetime.now(UTC)),
        Node("clusters", None, "", tuple(cluster(home, c) for c in clusters)),
        _story(history),
    )
    itself = next((c for c in clusters if c["metadata"]["name"] == name), None)
    if itself is None:
        return Node(name, False, "it has no Cluster object of its own: it doesn't manage itself", children)
    lacking = capi.cluster_lacking(itself)
    return Node(name, lacking is None, lacking or "manages itself", children)


def cluster(home: Cluster, obj: Object) -> Node:
    """A cluster with its control plane and worker pools, and their machines."""
    name, namespace = obj["metadata"]["name"], obj["metadata"]["namespace"]
    machines = home.find(*capi.MACHINE, namespace, f"{capi.CLUSTER_LABEL}={name}")
    groups: dict[str, list[Object]] = {}
    for machine in machines:
        groups.setdefault(_group(machine), []).append(machine)
    lacking = "being deleted" if "deletionTimestamp" in obj["metadata"] else capi.cluster_lacking(obj)
    paused = " (paused)" if obj["spec"].get("paused") else ""
    return Node(
        f"cluster {namespace}/{name}{paused}",
        lacking is None,
        lacking or "",
        tuple(Node(group, None, "", tuple(_machine(m) for m in found)) for group, found in sorted(groups.items())),
    )


def clusters(home: Cluster) -> list[tuple[str, str, str, str, str, str]]:
    """A row a cluster: name, namespace, version, ready/wanted control-plane machines, workers, state."""
    return [_row(home, obj) for obj in home.find(*capi.CLUSTER)]


def certificates_node(expiries: dict[str, datetime], now: datetime) -> Node:
    """The providers' webhook certificates; those about to expire are what an operator must act on."""
    if not expiries:
        return Node("webhook certificates", None, "not issued here (cert-manager does)")
    first = min(expiries, key=lambda name: expiries[name])
    days = (expiries[first] - now).days
    text = f"{len(expiries)} of them; the first to expire is {first}, in {days} days"
    if days >= certificates.WARN_DAYS:
        return Node("webhook certificates", True, text)
    return Node("webhook certificates", False, f"{text}. Renew them: bootstrapper certificates renew NAME")


def _group(machine: Object) -> str:
    labels = machine["metadata"].get("labels", {})
    pool = labels.get("cluster.x-k8s.io/deployment-name")
    return f"worker pool {pool}" if pool else "control plane"


def _machine(machine: Object) -> Node:
    lacking = capi.lacking(machine, "Ready")
    return Node(f"machine {machine['metadata']['name']}", lacking is None, lacking or "")


def _provider(provider: Object) -> Node:
    return Node(f"{provider['metadata']['name']} {provider['version']}", None)


def _story(history: Sequence[Entry]) -> Node:
    """How it was bootstrapped, from the journal: evidence, no more."""
    if not history:
        return Node("story", None, "no journal here")
    runs = len({entry.run for entry in history})
    return Node(
        "story",
        None,
        f"bootstrapped from here in {runs} run{'s' if runs > 1 else ''}, {history[0].at} to {history[-1].at}",
    )


def _row(home: Cluster, obj: Object) -> tuple[str, str, str, str, str, str]:
    name, namespace = obj["metadata"]["name"], obj["metadata"]["namespace"]
    machines = home.find(*capi.MACHINE, namespace, f"{capi.CLUSTER_LABEL}={name}")
    ready = {m["metadata"]["name"] for m in machines if capi.is_true(m, "Ready")}
    planes = [m for m in machines if _group(m) == "control plane"]
    workers = [m for m in machines if _group(m) != "control plane"]
    versions = sorted({m["spec"].get("version", "") for m in machines})

    def share(group: list[Object]) -> str:
        return f"{sum(1 for m in group if m['metadata']['name'] in ready)}/{len(group)}"

    lacking = "being deleted" if "deletionTimestamp" in obj["metadata"] else capi.cluster_lacking(obj)
    return name, namespace, ", ".join(versions), share(planes), share(workers), lacking or "whole"
