"""Done is what the world says: the new cluster is whole, its own controllers act there, and nobody else does."""

from __future__ import annotations

from bootstrapper import capi
from bootstrapper.config import ManagementCluster
from bootstrapper.errors import LostContact
from bootstrapper.phases import charge
from bootstrapper.step import Step
from bootstrapper.world import Cluster, Object, World, management

#: Cluster API copies Machine labels of this prefix to the Machine's Node ("Metadata propagation" in the CAPI book).
MANAGED_BY = "node.cluster.x-k8s.io/managed-by"


def steps(config: ManagementCluster, world: World) -> list[Step]:
    """Evidence of presence for each claim."""

    def cluster() -> Cluster:
        found = management(config, world)
        if found is None:
            raise LostContact(f"the management cluster {config.name} can't be reached yet")
        return found

    def itself() -> Object | None:
        return cluster().one(*capi.CLUSTER, config.namespace, config.name)

    def whole() -> str | None:
        found = itself()
        return capi.cluster_lacking(found) if found else f"it has no Cluster {config.namespace}/{config.name}"

    def acted() -> str | None:
        node = _unmarked_node(cluster(), config)
        return f"its own controllers haven't acted on node {node} yet" if node else None

    def act() -> None:
        _mark(cluster(), config)

    def alone() -> str | None:
        others = charge.others(config, world)
        return f"{', '.join(others)} of the bootstrap cluster still act" if others else None

    return [
        Step("self-managed", f"{config.name} says of itself that it is whole", whole, _wait),
        Step("reconciles", f"a change made in {config.name} is acted upon by its own controllers", acted, act),
        Step("alone", f"nothing but {config.name} manages it", alone, lambda: charge.fence(config, world)),
    ]


def _unmarked_node(cluster: Cluster, config: ManagementCluster) -> str | None:
    """The node of `_witness`, while its label isn't yet what only this cluster's controllers could make it."""
    name = _witness(cluster, config)["status"]["nodeRef"]["name"]
    found = cluster.one("v1", "Node", None, name)
    labels = (found or {"metadata": {}})["metadata"].get("labels", {})
    return None if labels.get(MANAGED_BY) == cluster.identity() else str(name)


def _mark(cluster: Cluster, config: ManagementCluster) -> None:
    kind = cluster.kind(*capi.MACHINE)
    assert kind is not None, "the providers were installed before"
    patch = {"metadata": {"labels": {MANAGED_BY: cluster.identity()}}}
    cluster.patch(kind, config.namespace, _witness(cluster, config)["metadata"]["name"], patch)


def _witness(cluster: Cluster, config: ManagementCluster) -> Object:
    """The oldest control-plane Machine that has a node.

    Raises:
        LostContact: none has one yet.
    """
    selector = f"{capi.CLUSTER_LABEL}={config.name},cluster.x-k8s.io/control-plane"
    found = cluster.find(*capi.MACHINE, config.namespace, selector)
    with_node = [m for m in found if m.get("status", {}).get("nodeRef", {}).get("name")]
    if not with_node:
        raise LostContact(f"no control-plane machine of {config.name} has a node yet")
    return min(with_node, key=lambda m: (m["metadata"]["creationTimestamp"], m["metadata"]["name"]))


def _wait() -> None:
    """Nothing to start: controllers are at work."""
