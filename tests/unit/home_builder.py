"""A cluster's API server with nothing but objects in it, for what only reads them."""

from __future__ import annotations

from typing import Any, cast

from bootstrapper.errors import LostContact
from bootstrapper.world import Cluster

Object = dict[str, Any]
CORE = "cluster.x-k8s.io/v1beta2"
PROVIDER = "clusterctl.cluster.x-k8s.io/v1alpha3"


class Home:
    """As much of `bootstrapper.world.Cluster` as reading needs. `answers`: whether it is alive."""

    name = "mgmt"

    def __init__(self, *objects: Object, answers: bool = True) -> None:
        self.objects = list(objects)
        self.answers = answers

    def alive(self) -> None:
        if not self.answers:
            raise LostContact("the API server of mgmt isn't ready", "connection refused")

    def find(
        self, api_version: str, kind: str, namespace: str | None = None, labels: str | None = None
    ) -> list[Object]:
        terms = [term.partition("=") for term in (labels or "").split(",") if term]

        def chosen(obj: Object) -> bool:
            metadata = obj["metadata"]
            has = metadata.get("labels", {})
            fits = all(key in has and (not eq or has[key] == text) for key, eq, text in terms)
            return fits and namespace in (None, metadata.get("namespace"))

        return [o for o in self.objects if (o["apiVersion"], o["kind"]) == (api_version, kind) and chosen(o)]

    def one(self, api_version: str, kind: str, namespace: str | None, name: str) -> Object | None:
        return next((o for o in self.find(api_version, kind, namespace) if o["metadata"]["name"] == name), None)


def home(*objects: Object, answers: bool = True) -> Cluster:
    return cast("Cluster", Home(*objects, answers=answers))


def told(kind: str, status: str = "True", message: str = "") -> Object:
    return {"conditions": [{"type": kind, "status": status, "message": message}]}


def made(kind: str, name: str, api_version: str = CORE, labels: dict[str, str] | None = None, **parts: Any) -> Object:
    metadata: Object = {"name": name, "namespace": "default", "generation": 1}
    if labels:
        metadata["labels"] = labels
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": {}, **parts}


def a_cluster(name: str, status: str = "True", message: str = "", **spec: Any) -> Object:
    return made("Cluster", name, spec=spec, status=told("Available", status, message))


def a_machine(name: str, cluster: str, pool: str = "", ready: bool = True, version: str = "v1.36.3") -> Object:
    labels = {"cluster.x-k8s.io/cluster-name": cluster}
    labels |= {"cluster.x-k8s.io/deployment-name": pool} if pool else {"cluster.x-k8s.io/control-plane": ""}
    status = told("Ready", "True" if ready else "False", "" if ready else "* it has no node")
    return made("Machine", name, labels=labels, spec={"version": version}, status=status)


def a_pool(name: str, cluster: str, wanted: int = 1, /, **status: int) -> Object:
    labels = {"cluster.x-k8s.io/cluster-name": cluster}
    return made("MachineDeployment", name, labels=labels, spec={"replicas": wanted}, status=status)
