"""The number of a cluster's machines, as its operator wants it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bootstrapper import capi
from bootstrapper.errors import RequestError, UnknownCluster
from bootstrapper.step import Cause, Step
from bootstrapper.world import Cluster, Object


@dataclass(frozen=True)
class Scaling:
    """What is asked for. None: leave it. `pool` may be None when there is one worker pool."""

    home: Callable[[], Cluster]
    namespace: str
    name: str
    control_plane: int | None
    workers: int | None
    pool: str | None
    cause: Callable[[], Cause | None]


def steps(asked: Scaling) -> list[Step]:
    """Each number is asked for, then so."""
    found = []
    if asked.control_plane is not None:
        found.append(_step(asked, "control-plane", lambda: control_plane(asked), asked.control_plane))
    if asked.workers is not None:
        found.append(_step(asked, "workers", lambda: pool(asked), asked.workers))
    return found


def control_plane(asked: Scaling) -> Object:
    """The object that holds the number of control-plane machines, whatever provider it is of."""
    cluster = _plain_cluster(asked)
    ref = cluster["spec"]["controlPlaneRef"]
    for api_version in (f"{ref['apiGroup']}/v1beta2", f"{ref['apiGroup']}/v1beta1"):
        found = asked.home().one(api_version, ref["kind"], asked.namespace, ref["name"])
        if found is not None:
            return found
    raise UnknownCluster(f"cluster {asked.name} has no control plane", f"{ref['kind']} {ref['name']} isn't there")


def pool(asked: Scaling) -> Object:
    """The MachineDeployment of the pool."""
    _plain_cluster(asked)
    selector = f"{capi.CLUSTER_LABEL}={asked.name}"
    pools = asked.home().find(*capi.MACHINE_DEPLOYMENT, asked.namespace, selector)
    names = [p["metadata"]["name"].removeprefix(f"{asked.name}-") for p in pools]
    if asked.pool is None and len(pools) == 1:
        return pools[0]
    if asked.pool in names:
        return pools[names.index(asked.pool)]
    raise RequestError(
        f"which worker pool of cluster {asked.name} is meant",
        f"it has {', '.join(names) or 'none'}",
        "Name one with --pool." if names else "Create the cluster with --workers to have one.",
    )


def _plain_cluster(asked: Scaling) -> Object:
    found = asked.home().one(*capi.CLUSTER, asked.namespace, asked.name)
    if found is None:
        raise UnknownCluster(
            f"there is no cluster {asked.namespace}/{asked.name}", "", "'bootstrapper cluster list' names all."
        )
    if capi.is_managed_by_topology(found):
        raise RequestError(
            f"cluster {asked.name} can't be scaled here",
            "a ClusterClass makes its objects and would undo it",
            f"Change spec.topology of Cluster {asked.name} with kubectl.",
        )
    return found


def _step(asked: Scaling, words: str, find: Callable[[], Object], number: int) -> Step:
    def gap() -> str | None:
        obj = find()
        if obj["spec"]["replicas"] != number:
            return f"{capi.title(obj)} asks for {obj['spec']['replicas']} machines, not {number}"
        return reached(obj, number)

    def close() -> None:
        obj = find()
        if obj["spec"]["replicas"] == number:
            return
        home = asked.home()
        kind = home.kind(obj["apiVersion"], obj["kind"])
        assert kind is not None, "it was just read"
        home.patch(kind, asked.namespace, obj["metadata"]["name"], {"spec": {"replicas": number}})

    return Step(f"scale-{words}", f"cluster {asked.name} has {number} {words} machines", gap, close, asked.cause)


def reached(obj: Object, number: int) -> str | None:
    """Whether the controllers have made the number of machines so; else what is lacking."""
    status = obj.get("status", {})
    if status.get("observedGeneration") != obj["metadata"]["generation"]:
        return f"{capi.title(obj)} isn't looked at yet"
    have, available = status.get("replicas", 0), status.get("availableReplicas", 0)
    if have == available == number:
        return None
    return f"{capi.title(obj)} has {have} machines, {available} of them available; {number} are asked for"
