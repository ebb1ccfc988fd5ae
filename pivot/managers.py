"""The managers of a cluster when they are Deployments: stop them all, remembering what to start again.

Providers' Deployments carry the label `cluster.x-k8s.io/provider` (clusterctl contract, "Labels"). Their admission
webhooks go with them: while they are stopped, webhooks that would refuse everything for want of an answer are told to
let pass. That is done first when stopping and undone first when starting, so that a kill in between is seen by
`running` and `stopped`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from pivot.errors import NotFound
from pivot.ports import DEPLOYMENT, MUTATING_WEBHOOKS, POD, VALIDATING_WEBHOOKS, Cluster, Kind, Object

PROVIDER_LABEL = "cluster.x-k8s.io/provider"
REPLICAS = "pivot.bootstrapper/replicas"
POLICIES = "pivot.bootstrapper/failure-policies"
WEBHOOKS = (VALIDATING_WEBHOOKS, MUTATING_WEBHOOKS)


class DeploymentManagers:
    """See `ports.Managers`."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def running(self) -> tuple[str, ...]:
        """Deployments that want replicas, or whose pods aren't gone yet."""
        return tuple(_name(body) for body in self._all() if _replicas(body) or self._pods(body))

    def stopped(self) -> tuple[str, ...]:
        return tuple(_name(body) for body in self._all() if REPLICAS in _notes(body))

    def stop(self) -> None:
        for kind, hooks in self._webhooks():
            if POLICIES not in _notes(hooks):
                self._relax(kind, hooks)
        for body in self._all():
            if _replicas(body):
                noted = {} if REPLICAS in _notes(body) else {REPLICAS: str(_replicas(body))}
                self._patch(DEPLOYMENT, body, {"annotations": noted}, spec={"replicas": 0})

    def start(self) -> None:
        for kind, hooks in self._webhooks():
            if POLICIES in _notes(hooks):
                self._restore(kind, hooks)
        for body in self._all():
            if REPLICAS in _notes(body):
                replicas = int(_notes(body)[REPLICAS])
                self._patch(DEPLOYMENT, body, {"annotations": {REPLICAS: None}}, spec={"replicas": replicas})

    def starting(self) -> tuple[str, ...]:
        """Deployments with fewer ready replicas than wanted; one without a controller to run it never counts."""
        return tuple(
            _name(body)
            for body in self._all()
            if _replicas(body) and (body.get("status") or {}) and _ready(body) < _replicas(body)
        )

    def _all(self) -> list[Object]:
        try:
            return list(self._cluster.list(DEPLOYMENT, labels=PROVIDER_LABEL))
        except NotFound:
            return []

    def _webhooks(self) -> Iterator[tuple[Kind, Object]]:
        for kind in WEBHOOKS:
            for body in self._cluster.list(kind, labels=PROVIDER_LABEL):
                yield kind, body

    def _pods(self, deployment: Object) -> bool:
        """Whether any pod of the Deployment is still there; a pod that is terminating still acts."""
        chosen = deployment["spec"].get("selector", {}).get("matchLabels") or {}
        labels = ",".join(f"{key}={text}" for key, text in sorted(chosen.items()))
        namespace = deployment["metadata"]["namespace"]
        return bool(labels) and any(True for _ in self._cluster.list(POD, namespace, labels))

    def _relax(self, kind: Kind, body: Object) -> None:
        policies = {hook["name"]: hook.get("failurePolicy", "Fail") for hook in body.get("webhooks") or []}
        hooks = [{**hook, "failurePolicy": "Ignore"} for hook in body.get("webhooks") or []]
        self._patch(kind, body, {"annotations": {POLICIES: json.dumps(policies)}}, webhooks=hooks)

    def _restore(self, kind: Kind, body: Object) -> None:
        policies = json.loads(_notes(body)[POLICIES])
        hooks = [
            {**hook, "failurePolicy": policies.get(hook["name"], hook["failurePolicy"])}
            for hook in body.get("webhooks") or []
        ]
        self._patch(kind, body, {"annotations": {POLICIES: None}}, webhooks=hooks)

    def _patch(self, kind: Kind, body: Object, metadata: Object, **rest: Any) -> None:
        described = body["metadata"]
        pinned = {**metadata, "uid": described["uid"], "resourceVersion": described["resourceVersion"]}
        self._cluster.patch(kind, described.get("namespace"), described["name"], {"metadata": pinned, **rest})


def _name(body: Object) -> str:
    return f"{body['metadata']['namespace']}/{body['metadata']['name']}"


def _notes(body: Object) -> Object:
    return body["metadata"].get("annotations") or {}


def _replicas(body: Object) -> int:
    wanted = body["spec"].get("replicas")
    return 1 if wanted is None else int(wanted)


def _ready(body: Object) -> int:
    return int((body.get("status") or {}).get("readyReplicas") or 0)
