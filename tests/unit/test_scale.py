"""Which object holds the number of machines, and when the number is reached."""

from __future__ import annotations

from typing import Any

import pytest
from home_builder import a_cluster, a_pool, home, made

from bootstrapper.errors import RequestError, UnknownCluster
from bootstrapper.phases import scale
from bootstrapper.step import no_cause


def pool_of(wanted: int, observed: int = 1, /, **status: int) -> dict[str, Any]:
    return a_pool("dev-md-0", "dev", wanted, observedGeneration=observed, **status)


@pytest.mark.parametrize(
    ("obj", "lacking"),
    [
        pytest.param(pool_of(2, 0, replicas=2, availableReplicas=2), "isn't looked at yet", id="an older generation"),
        pytest.param(pool_of(2), "has 0 machines, 0 of them available; 2 are asked for", id="no count yet"),
        pytest.param(
            pool_of(2, replicas=2, availableReplicas=1), "2 machines, 1 of them available", id="one not ready"
        ),
        pytest.param(pool_of(2, replicas=3, availableReplicas=2), "has 3 machines, 2", id="one too many, leaving"),
        pytest.param(pool_of(2, replicas=3, availableReplicas=3), "has 3 machines, 3", id="one too many"),
        pytest.param(pool_of(2, replicas=2, availableReplicas=2), None, id="reached"),
    ],
)
def test_reached(obj: dict[str, Any], lacking: str | None) -> None:
    found = scale.reached(obj, 2)
    assert (found is None) == (lacking is None)
    assert lacking is None or lacking in str(found)


def test_zero_machines_are_reached_when_no_count_is_told() -> None:
    """Go leaves out a count that is 0."""
    assert scale.reached(pool_of(0), 0) is None


def asked(*objects: dict[str, Any], pool: str | None = None) -> scale.Scaling:
    return scale.Scaling(lambda: home(*objects), "default", "dev", None, 2, pool, no_cause)


DEV, A, B = a_cluster("dev"), a_pool("dev-a", "dev"), a_pool("dev-b", "dev")


@pytest.mark.parametrize(
    ("objects", "named", "chosen"),
    [
        pytest.param([DEV, A], None, "dev-a", id="the only one needn't be named"),
        pytest.param([DEV, A], "a", "dev-a", id="the only one, named"),
        pytest.param([DEV, A, B], "b", "dev-b", id="one of two"),
        pytest.param([DEV, A, a_pool("other-c", "other")], None, "dev-a", id="another cluster's pool doesn't count"),
    ],
)
def test_the_pool_that_is_meant(objects: list[Any], named: str | None, chosen: str) -> None:
    assert scale.pool(asked(*objects, pool=named))["metadata"]["name"] == chosen


@pytest.mark.parametrize(
    ("objects", "named", "why", "hint"),
    [
        pytest.param([DEV, A, B], None, "it has a, b", "--pool", id="two, none named"),
        pytest.param([DEV, A], "x", "it has a", "--pool", id="no such pool"),
        pytest.param([DEV], None, "it has none", "--workers", id="no pool"),
        pytest.param(
            [a_cluster("dev", topology={"classRef": {"name": "q"}}), A],
            None,
            "a ClusterClass makes its objects",
            "spec.topology",
            id="a ClusterClass makes it",
        ),
    ],
)
def test_a_pool_that_can_not_be_told(objects: list[Any], named: str | None, why: str, hint: str) -> None:
    with pytest.raises(RequestError, match=why) as raised:
        scale.pool(asked(*objects, pool=named))
    assert hint in raised.value.hint


def plane(api_version: str) -> dict[str, Any]:
    return made("KubeadmControlPlane", "dev-cp", api_version, spec={"replicas": 1})


WITH_PLANE = a_cluster(
    "dev", controlPlaneRef={"apiGroup": "controlplane.test", "kind": "KubeadmControlPlane", "name": "dev-cp"}
)


@pytest.mark.parametrize("version", ["controlplane.test/v1beta2", "controlplane.test/v1beta1"])
def test_the_control_plane_of_whatever_provider(version: str) -> None:
    assert scale.control_plane(asked(WITH_PLANE, plane(version)))["apiVersion"] == version


def test_no_control_plane_and_no_cluster() -> None:
    with pytest.raises(UnknownCluster, match="KubeadmControlPlane dev-cp isn't there"):
        scale.control_plane(asked(WITH_PLANE))
    with pytest.raises(UnknownCluster, match="there is no cluster default/dev"):
        scale.control_plane(asked())


def test_only_what_is_asked_for_is_a_step() -> None:
    every = scale.Scaling(lambda: home(), "default", "dev", 3, 0, None, no_cause)
    assert [step.name for step in scale.steps(every)] == ["scale-control-plane", "scale-workers"]
    assert [step.name for step in scale.steps(asked())] == ["scale-workers"]
