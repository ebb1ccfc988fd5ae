"""What a provider lacks, in one sentence, from what the API server shows."""

from __future__ import annotations

from typing import Any

import pytest

from bootstrapper.providers import readiness
from bootstrapper.providers.components import Provider

Object = dict[str, Any]

LABELS = {"cluster.x-k8s.io/provider": "infrastructure-x"}
IMAGE = "example.org/capx:v1.2.3"


def named(kind: str, name: str, **more: Any) -> Object:
    return {"kind": kind, "metadata": {"name": name, "namespace": "x-system", **more.pop("metadata", {})}, **more}


CONFIG = {"clientConfig": {"service": {"name": "hook", "namespace": "x-system"}}}
PROVIDER = Provider(
    "infrastructure",
    "x",
    "v1.2.3",
    "v1beta2",
    {},
    "x-system",
    (
        named("CustomResourceDefinition", "as.example.org", spec={}),
        named("CustomResourceDefinition", "bs.example.org", spec={"conversion": {"webhook": CONFIG}}),
        named("Deployment", "capx-controller-manager"),
        named("ValidatingWebhookConfiguration", "hooks", webhooks=[CONFIG]),
    ),
)


def crd(name: str, established: str = "True", **names: str) -> Object:
    conditions = [{"type": "Established", "status": established}]
    if names:
        conditions.append({"type": "NamesAccepted", **names})
    return named("CustomResourceDefinition", name, status={"conditions": conditions})


def deployment(available: int = 1, updated: int = 1, replicas: int = 1, seen: int = 2, **status: Any) -> Object:
    return named(
        "Deployment",
        "capx-controller-manager",
        metadata={"generation": 2},
        spec={"replicas": replicas, "selector": {"matchLabels": LABELS}},
        status={"observedGeneration": seen, "updatedReplicas": updated, "availableReplicas": available, **status},
    )


def pod(*containers: Object, metadata: Object | None = None, **status: Any) -> Object:
    statuses = [{"name": "manager", "image": IMAGE, "ready": False, **container} for container in containers]
    return named(
        "Pod",
        "capx-1",
        metadata={"labels": LABELS, **(metadata or {})},
        status={"containerStatuses": statuses, **status},
    )


def waiting(reason: str, message: str = "", last: Object | None = None) -> Object:
    found: Object = {"state": {"waiting": {"reason": reason, "message": message}}}
    return {**found, "lastState": {"terminated": last}} if last else found


def endpoints(*ready: bool | None, service: str = "hook") -> Object:
    conditions = [{"conditions": {} if one is None else {"ready": one}} for one in ready]
    labels = {"kubernetes.io/service-name": service}
    return named("EndpointSlice", f"{service}-x7k2p", metadata={"labels": labels}, endpoints=conditions)


CRDS = [crd("as.example.org"), crd("bs.example.org")]
GOOD = [*CRDS, deployment(), endpoints(True)]


def test_a_provider_that_can_be_relied_on_lacks_nothing() -> None:
    assert readiness.missing(PROVIDER, GOOD) is None


def test_definitions_come_first_then_managers_then_webhooks() -> None:
    assert "CRDs" in (readiness.missing(PROVIDER, []) or "")
    assert "controller-manager" in (readiness.missing(PROVIDER, CRDS) or "")
    assert "webhook" in (readiness.missing(PROVIDER, [*CRDS, deployment()]) or "")


@pytest.mark.parametrize(
    ("observed", "says"),
    [
        ([], "2 of 2 CRDs of infrastructure-x aren't served yet: as.example.org (it isn't there), ..."),
        (CRDS[:1], "1 of 2 CRDs of infrastructure-x aren't served yet: bs.example.org (it isn't there)"),
        ([CRDS[0], crd("bs.example.org", "False")], "bs.example.org (not established)"),
        ([CRDS[0], named("CustomResourceDefinition", "bs.example.org")], "bs.example.org (not established)"),
        (
            [CRDS[0], crd("bs.example.org", "False", status="False", message="plural bs is in use")],
            "bs.example.org (plural bs is in use)",
        ),
    ],
)
def test_definitions_that_are_not_served(observed: list[Object], says: str) -> None:
    assert (readiness.unserved(PROVIDER, observed) or "").endswith(says)


SHORT = "capx-controller-manager: 0 of 1 replicas available"


@pytest.mark.parametrize(
    ("observed", "says"),
    [
        ([], "capx-controller-manager isn't there"),
        ([deployment(seen=1)], "capx-controller-manager: its last change wasn't acted upon yet"),
        ([deployment(replicas=0)], "capx-controller-manager: it is scaled to 0 replicas"),
        ([deployment(updated=0)], "capx-controller-manager: 0 of 1 replicas updated"),
        ([deployment(0)], SHORT),
        (
            [deployment(0), pod(waiting("ErrImageNeverPull", "never"))],
            f"{SHORT}: image {IMAGE} not present (ErrImageNeverPull)",
        ),
        (
            [deployment(0), pod(waiting("ErrImagePull", "no\nroute"))],
            f"{SHORT}: image {IMAGE} not present (ErrImagePull: no route)",
        ),
        ([deployment(0), pod(waiting("ContainerCreating"))], f"{SHORT}: container manager waits: ContainerCreating"),
        (
            [deployment(0), pod(waiting("CreateContainerConfigError", 'secret "a" not found'))],
            f'{SHORT}: container manager waits: CreateContainerConfigError: secret "a" not found',
        ),
        (
            [
                deployment(0),
                pod(waiting("CrashLoopBackOff", last={"exitCode": 1, "reason": "Error", "message": "I\nE no\n"})),
            ],
            f"{SHORT}: container manager ended with exit code 1 (Error): E no",
        ),
        (
            [deployment(0), pod({"state": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}})],
            f"{SHORT}: container manager ended with exit code 137 (OOMKilled)",
        ),
        ([deployment(0), pod({"state": {"running": {}}})], f"{SHORT}: container manager runs but isn't ready"),
        (
            [deployment(0), pod({"state": {"running": {}}, "restartCount": 3})],
            f"{SHORT}: container manager runs but isn't ready, 3 restarts",
        ),
        (
            [
                deployment(0),
                pod(
                    waiting("PodInitializing"),
                    initContainerStatuses=[
                        {"name": "done", "image": "i", "state": {"terminated": {"exitCode": 0}}},
                        {"name": "pull", "image": "i:v1", **waiting("ImagePullBackOff", "Back-off")},
                    ],
                ),
            ],
            f"{SHORT}: image i:v1 not present (ImagePullBackOff)",
        ),
        (
            [
                deployment(0),
                pod(conditions=[{"type": "PodScheduled", "status": "False", "message": "0/1 nodes: taints"}]),
            ],
            f"{SHORT}: no node takes its pod: 0/1 nodes: taints",
        ),
        (
            [deployment(0, conditions=[{"type": "ReplicaFailure", "status": "True", "message": "exceeded quota"}])],
            f"{SHORT}: exceeded quota",
        ),
        ([deployment(0), pod(waiting("ErrImagePull"), metadata={"deletionTimestamp": "now"})], SHORT),
        ([deployment(0), pod(waiting("ErrImagePull"), metadata={"labels": {}})], SHORT),
        ([deployment(0), pod(waiting("ErrImagePull"), metadata={"namespace": "other"})], SHORT),
    ],
)
def test_managers_that_do_not_run_and_why(observed: list[Object], says: str) -> None:
    assert readiness.unavailable(PROVIDER, observed) == says


@pytest.mark.parametrize(
    ("slices", "reachable"),
    [
        ([], False),
        ([endpoints()], False),
        ([endpoints(False)], False),
        ([endpoints(True, service="other")], False),
        ([{**endpoints(True), "endpoints": None}], False),
        ([endpoints(False, True)], True),
        ([endpoints(), endpoints(None)], True),
    ],
)
def test_webhooks_that_nobody_answers_for(slices: list[Object], reachable: bool) -> None:
    says = "webhook service x-system/hook of infrastructure-x has no ready endpoint"
    assert readiness.unreachable(PROVIDER, slices) == (None if reachable else says)


@pytest.mark.parametrize(
    ("observed", "found"),
    [
        pytest.param([], 0, id="no pod"),
        pytest.param([pod()], 0, id="no container yet"),
        pytest.param([pod(waiting("ContainerCreating"))], 0, id="a container that is being made"),
        pytest.param([pod({"state": {"running": {}}, "ready": True})], 0, id="ready"),
        pytest.param([pod({"state": {"running": {}}})], 1, id="runs, and isn't ready"),
        pytest.param([pod({"state": {"running": {}}}, metadata={"namespace": "y"})], 0, id="somebody else's"),
        pytest.param([deployment(0)], 0, id="no pod at all"),
    ],
)
def test_pods_that_are_starting(observed: list[Object], found: int) -> None:
    assert len(readiness.starting(PROVIDER, observed)) == found
