"""What a provider still lacks before it can be relied on, as one sentence; decided on observed objects alone.

Three questions, in this order: are its CRDs served, do its managers run, can its webhooks be reached? Until the third
is answered the API server refuses objects of the provider's kinds ("failed calling webhook").
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from bootstrapper.providers import webhooks
from bootstrapper.providers.components import Provider

Object = dict[str, Any]

#: Of an EndpointSlice: the Service that it belongs to.
_SERVICE = "kubernetes.io/service-name"
_ABSENT_IMAGE = ("ErrImageNeverPull", "ErrImagePull", "ImagePullBackOff", "InvalidImageName")


def missing(provider: Provider, observed: Sequence[Object]) -> str | None:
    """The first thing that the provider lacks; None when it can be relied on.

    observed: the cluster's CustomResourceDefinitions, and the Deployments, Pods and EndpointSlices in the provider's
    namespace.
    """
    return unserved(provider, observed) or unavailable(provider, observed) or unreachable(provider, observed)


def unserved(provider: Provider, observed: Iterable[Object]) -> str | None:
    """Which of its CRDs the API server doesn't serve. observed: CustomResourceDefinitions, others are passed over."""
    there = {name(obj): obj for obj in observed if obj["kind"] == "CustomResourceDefinition"}
    wanted = [name(obj) for obj in provider.objects if obj["kind"] == "CustomResourceDefinition"]
    lacking = [f"{n} ({why})" for n in wanted if (why := _not_established(there.get(n)))]
    if not lacking:
        return None
    more = ", ..." if len(lacking) > 1 else ""
    return f"{len(lacking)} of {len(wanted)} CRDs of {provider.label} aren't served yet: {lacking[0]}{more}"


def unavailable(provider: Provider, observed: Sequence[Object]) -> str | None:
    """Which of its managers don't run, and why. observed: Deployments and Pods, others are passed over."""
    there = {(obj["metadata"]["namespace"], name(obj)): obj for obj in observed if obj["kind"] == "Deployment"}
    for wanted in provider.objects:
        if wanted["kind"] == "Deployment":
            found = there.get((provider.namespace, name(wanted)))
            if found is None:
                return f"{name(wanted)} isn't there"
            short = _short(found)
            if short:
                return f"{name(wanted)}: {short}{_because(found, observed)}"
    return None


def starting(provider: Provider, observed: Iterable[Object]) -> list[Object]:
    """Its Pods with a container that runs and isn't ready. observed: Pods, others are passed over."""
    pods = [obj for obj in observed if obj["kind"] == "Pod" and obj["metadata"]["namespace"] == provider.namespace]
    return [pod for pod in pods if any(map(_runs_unready, (pod.get("status") or {}).get("containerStatuses") or ()))]


def unreachable(provider: Provider, observed: Iterable[Object]) -> str | None:
    """Which of its webhooks nobody answers for. observed: EndpointSlices, others are passed over."""
    answering = {
        (obj["metadata"]["namespace"], (obj["metadata"].get("labels") or {}).get(_SERVICE))
        for obj in observed
        if obj["kind"] == "EndpointSlice" and any(map(_is_ready, obj.get("endpoints") or ()))
    }
    named = {service for obj in provider.objects for service in webhooks.services(obj)}
    silent = [f"{namespace}/{service}" for namespace, service in sorted(named - answering)]
    return f"webhook service {silent[0]} of {provider.label} has no ready endpoint" if silent else None


def name(obj: Object) -> str:
    """An object's name."""
    return str(obj["metadata"]["name"])


def _not_established(crd: Object | None) -> str | None:
    if crd is None:
        return "it isn't there"
    conditions = {c["type"]: c for c in crd.get("status", {}).get("conditions") or ()}
    if conditions.get("Established", {}).get("status") == "True":
        return None
    refused = conditions.get("NamesAccepted", {})
    return refused["message"] if refused.get("status") == "False" else "not established"


def _short(deployment: Object) -> str | None:
    """How far a Deployment is from what it asks for; None when it isn't."""
    status, wanted = deployment.get("status") or {}, deployment["spec"].get("replicas", 1)
    if status.get("observedGeneration", 0) < deployment["metadata"].get("generation", 0):
        return "its last change wasn't acted upon yet"
    if wanted == 0:
        return "it is scaled to 0 replicas"
    for count in ("updated", "available"):
        if (have := status.get(f"{count}Replicas", 0)) < wanted:
            return f"{have} of {wanted} replicas {count}"
    return None


def _because(deployment: Object, observed: Iterable[Object]) -> str:
    """The most telling reason, with a colon before it; empty when nobody says one."""
    pods = [obj for obj in observed if obj["kind"] == "Pod" and _belongs(obj, deployment)]
    told = [why for pod in pods for why in _pod_says(pod)] or list(_deployment_says(deployment))
    return f": {told[0]}" if told else ""


def _belongs(pod: Object, deployment: Object) -> bool:
    labels = pod["metadata"].get("labels") or {}
    selector = deployment["spec"]["selector"].get("matchLabels") or {}
    here = pod["metadata"]["namespace"] == deployment["metadata"]["namespace"]
    leaving = "deletionTimestamp" in pod["metadata"]
    return here and not leaving and selector.items() <= labels.items()


def _deployment_says(deployment: Object) -> Iterator[str]:
    """Why it can't make pods: quota, admission, a missing service account."""
    for condition in (deployment.get("status") or {}).get("conditions") or ():
        if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
            yield _line(condition.get("message", "no pod can be made"))


def _pod_says(pod: Object) -> Iterator[str]:
    status = pod.get("status") or {}
    for condition in status.get("conditions") or ():
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            yield f"no node takes its pod: {_line(condition.get('message', 'unschedulable'))}"
    for container in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        yield from _container_says(container)


def _container_says(container: Object) -> Iterator[str]:
    """By the container's state: waiting, terminated, or running and not ready ("Pod Lifecycle" in Kubernetes' docs)."""
    state = container.get("state") or {}
    waiting = state.get("waiting")
    ended = state.get("terminated") or (waiting and (container.get("lastState") or {}).get("terminated"))
    if waiting and waiting.get("reason") in _ABSENT_IMAGE:
        detail = _line(waiting.get("message", "")) if waiting["reason"] == "ErrImagePull" else ""
        yield f"image {container['image']} not present ({waiting['reason']}{detail and ': ' + detail})"
    elif ended and not waiting and ended.get("exitCode") == 0:
        return
    elif ended:
        yield f"container {container['name']} {_end(ended)}"
    elif waiting:
        message = _line(waiting.get("message", ""))
        yield f"container {container['name']} waits: {waiting.get('reason', 'unknown')}{message and ': ' + message}"
    elif not container.get("ready"):
        restarts = container.get("restartCount", 0)
        yield f"container {container['name']} runs but isn't ready" + (f", {restarts} restarts" if restarts else "")


def _runs_unready(container: Object) -> bool:
    return "running" in (container.get("state") or {}) and not container.get("ready")


def _end(terminated: Object) -> str:
    """How it ended; with FallbackToLogsOnError, which Cluster API's providers set, the message ends with its log."""
    told = [line for line in terminated.get("message", "").splitlines() if line.strip()]
    how = f"ended with exit code {terminated.get('exitCode')} ({terminated.get('reason', 'no reason')})"
    return f"{how}: {told[-1].strip()}" if told else how


def _is_ready(endpoint: Object) -> bool:
    """Unknown counts as ready, as the EndpointSlice API says."""
    return (endpoint.get("conditions") or {}).get("ready") is not False


def _line(text: str) -> str:
    return " ".join(text.split())
