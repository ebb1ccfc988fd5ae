"""Workload clusters of a management cluster that `init` made: created, scaled, deleted; killed at every write of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from init_world import PowerLost, Scene

from bootstrapper import capi, overview
from bootstrapper import config as requests
from bootstrapper.errors import Declined, RequestError, UnknownCluster
from bootstrapper.phases import removal, scale
from bootstrapper.phases.cluster import Made
from bootstrapper.phases.cluster import steps as made
from bootstrapper.step import Item, Step, no_cause
from bootstrapper.world import Cluster


def managing() -> Scene:
    scene = Scene(workers=0)
    scene.run()
    return scene


def home(scene: Scene) -> Cluster:
    found = scene.management
    assert found
    return found


def creation(scene: Scene, workers: int = 1) -> list[Step]:
    request = requests.workload("dev", workers=workers)
    return made(Made(request, lambda: home(scene), scene.ports))


def scaling(scene: Scene, planes: int | None, workers: int | None, pool: str | None = None) -> list[Step]:
    return scale.steps(scale.Scaling(lambda: home(scene), "default", "dev", planes, workers, pool, no_cause))


def deletion(scene: Scene) -> list[Step]:
    return removal.deleted(lambda: home(scene), "default", "dev", scene.ports)


def roles(scene: Scene) -> list[str]:
    return sorted(c.role for c in scene.room.of("dev"))


def test_created_scaled_and_deleted() -> None:
    scene = managing()
    scene.run(creation(scene))
    assert roles(scene) == ["balancer", "control-plane", "worker"]
    assert overview.clusters(home(scene))[0][3:] == ("1/1", "1/1", "whole")
    scene.run(scaling(scene, None, 3))
    assert roles(scene) == ["balancer", "control-plane", "worker", "worker", "worker"]
    scene.run(scaling(scene, 3, 0))
    assert roles(scene) == ["balancer", "control-plane", "control-plane", "control-plane"]
    scene.run(deletion(scene))
    assert roles(scene) == []
    assert [row[0] for row in overview.clusters(home(scene))] == ["mgmt"]


def test_the_pods_of_its_nodes_reach_each_other() -> None:
    scene = managing()
    scene.run(creation(scene))
    assert ("", "ConfigMap", "kube-system", "node-routes") in scene.room.servers["dev"].objects


@pytest.mark.parametrize(
    "act", [creation, lambda scene: scaling(scene, 3, 2), deletion], ids=["create", "scale", "delete"]
)
def test_a_second_run_reaches_the_same_end_from_every_write(act: Callable[[Scene], list[Item]]) -> None:
    wanted, writes = _acted(act)
    for at in range(writes):
        for when in ("before", "after"):
            scene = _before(act)
            scene.power.lose = (scene.power.writes + at, when)
            with pytest.raises(PowerLost):
                scene.run(act(scene))
            scene.power.lose = None
            scene.run(act(scene))
            assert _what_is_there(scene) == wanted, f"power lost {when} write {at}"
    print(f"{writes} writes, {2 * writes} points")


def _before(act: Callable[[Scene], list[Item]]) -> Scene:
    scene = managing()
    if act is not creation:
        scene.run(creation(scene))
    return scene


def _acted(act: Callable[[Scene], list[Item]]) -> tuple[object, int]:
    scene = _before(act)
    before = scene.power.writes
    scene.run(act(scene))
    return _what_is_there(scene), scene.power.writes - before


def _what_is_there(scene: Scene) -> object:
    scene.wait()
    return scene.room.ever, sorted(scene.room.containers), scene.end()["management"]


def test_a_second_run_writes_nothing() -> None:
    scene = managing()
    for act in (creation(scene), scaling(scene, 3, 2), deletion(scene)):
        scene.run(act)
        before = scene.power.writes
        scene.run(act)
        assert scene.power.writes == before


def test_a_scaling_of_what_is_not_there_is_refused() -> None:
    scene = managing()
    with pytest.raises(UnknownCluster, match="there is no cluster default/dev"):
        scene.run(scaling(scene, None, 1))
    scene.run(creation(scene, workers=0))
    with pytest.raises(RequestError, match="which worker pool of cluster dev is meant: it has none") as raised:
        scene.run(scaling(scene, None, 1))
    assert "--workers" in raised.value.hint


def test_a_deletion_waits_for_what_is_outside_kubernetes() -> None:
    """The Cluster object is gone already, its containers aren't: a killed provider can leave that."""
    scene = managing()
    scene.run(creation(scene))
    server = scene.management
    assert server
    for key in [k for k in server.objects if k[1] in ("Cluster", "Machine", "DevMachine") and "dev" in k[3]]:
        del server.objects[key]
    assert roles(scene)
    scene.run(deletion(scene))
    assert roles(scene) == []
    assert len(scene.room.of("mgmt")) == 2, "another cluster's machines are left alone"


def test_a_management_cluster_with_others_is_not_taken_away() -> None:
    scene = managing()
    removal.refuse_while_it_manages("mgmt", home(scene))
    scene.run(creation(scene))
    with pytest.raises(Declined, match="it manages Cluster default/dev") as raised:
        removal.refuse_while_it_manages("mgmt", home(scene))
    assert "bootstrapper cluster delete" in raised.value.hint


def test_a_management_cluster_is_taken_away_with_its_bootstrap_cluster() -> None:
    scene = Scene()
    scene.run(keep_bootstrap=True)
    scene.power.watch = lambda when, what: None  # what is asked for is to take it away while it is in charge
    scene.run(removal.management("mgmt", "mgmt-bootstrap", scene.ports))
    assert scene.backend.node is None
    assert scene.room.of("mgmt") == []


def test_an_existing_bootstrap_cluster_stays_when_the_management_cluster_is_taken_away() -> None:
    scene = Scene("existing")
    scene.run()
    scene.run(removal.management("mgmt", "mgmt-bootstrap", scene.ports))
    assert scene.backend.node
    assert scene.room.of("mgmt") == []


def test_the_tree_says_what_stands() -> None:
    scene = managing()
    node = overview.management("mgmt", home(scene), [])
    assert (node.ok, node.text) == (True, "manages itself")
    scene.run(creation(scene))
    titles = [child.title for child in overview.management("mgmt", home(scene), []).children[2].children]
    assert titles == ["cluster default/dev", "cluster default/mgmt"]
    found = home(scene).one(*capi.CLUSTER, "default", "dev")
    assert found
    groups = overview.cluster(home(scene), found).children
    assert [(g.title, len(g.children), g.children[0].ok) for g in groups] == [
        ("control plane", 1, True),
        ("worker pool dev-md-0", 1, True),
    ]
