"""What a fleet may look like, and what may happen meanwhile: each is killed at every write."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import fleet as f
from fleet import acting
from world import CLUSTER, World

from pivot.objects import BLOCK_MOVE, DELETE_FOR_MOVE, HIERARCHY_LABEL, MOVE_LABEL, PAUSED
from pivot.ports import CONFIG_MAP, SECRET

SCENARIOS: dict[str, Callable[[], World]] = {}


def scenario(build: Callable[[], World]) -> Callable[[], World]:
    SCENARIOS[build.__name__] = build
    return build


def _world(source: str = "keep", managers: bool = True, namespaces: tuple[str, ...] = ()) -> World:
    world = World()
    world.options = replace(world.options, source=source, namespaces=namespaces)  # type: ignore[arg-type]
    if managers:
        world.fleet.managers()
        world.there.managers()
    return world


@scenario
def throw_away_source() -> World:
    """What `init` does: the bootstrap cluster is destroyed as a whole afterwards."""
    world = _world("destroyed-later")
    world.fleet.cluster_with_machines("mgmt", 1)
    return world


@scenario
def source_that_lives_on() -> World:
    world = _world()
    world.fleet.cluster_with_machines("a", 1)
    world.fleet.cluster_with_machines("a-b", 1)
    world.fleet.config_map("unrelated", x="1")
    return world


@scenario
def bare_api_servers() -> World:
    """No controller anywhere: nobody to wait for, nobody to fence."""
    world = _world(managers=False)
    world.fleet.cluster_with_machines("a", 1)
    return world


@scenario
def paused_by_their_operator() -> World:
    world = _world()
    world.fleet.cluster_with_machines("sleeping", 1, paused=True)
    world.fleet.make(f.CLUSTER_CLASS, "held", annotations={PAUSED: "why"}, spec={})
    return world


@scenario
def classes_sets_and_identities() -> World:
    """ClusterClass with template and user, ClusterResourceSet with binding, identity with Secret, and more."""
    world = _world()
    fleet = world.fleet
    reference = {"apiVersion": f"{f.INFRA}/v1beta2", "kind": "DevMachineTemplate", "name": "quick-cp"}
    quick = fleet.make(f.CLUSTER_CLASS, "quick", spec={"controlPlane": {"templateRef": reference}})
    fleet.make(f.DEV_TEMPLATE, "quick-cp", spec={"template": {}})
    fleet.make(f.DEV_TEMPLATE, "quick-md", quick, spec={"template": {}})
    cluster = fleet.cluster_with_machines("made", 0, topology={"classRef": {"name": "quick"}})
    addons = fleet.make(f.RESOURCE_SET, "addons", spec={})
    fleet.config_map("cni", addons, yaml="x")
    fleet.make(f.BINDING, "made", addons, spec={"clusterName": "made"})
    identity = fleet.make(f.DEV_IDENTITY, "account", labels={HIERARCHY_LABEL: ""}, spec={})
    fleet.make(SECRET, "account-key", identity, data={"k": "eA=="})
    fleet.make(f.DRAIN_RULE, "skip", spec={})
    fleet.make(f.EXTENSION, "hooks", spec={})
    fleet.make(SECRET, "labelled", labels={MOVE_LABEL: ""}, data={})
    assert cluster
    return world


@scenario
def one_namespace_with_a_shared_class() -> World:
    world = _world(namespaces=("team-a",))
    world.fleet.namespaces("team-a", "team-b", "classes", team="x")
    classes, a, b = (f.Fleet(world.source, name) for name in ("classes", "team-a", "team-b"))
    shared = classes.make(f.CLUSTER_CLASS, "shared", spec={})
    classes.make(f.DEV_TEMPLATE, "shared-t", shared, spec={})
    for team in (a, b):
        topology = {"classRef": {"name": "shared", "namespace": "classes"}}
        team.cluster_with_machines("prod", 0, topology=topology)
    return world


@scenario
def owner_cycle() -> World:
    world = _world(managers=False)
    cluster = world.fleet.cluster_with_machines("a", 0)
    one = world.fleet.config_map("one", cluster)
    two = world.fleet.config_map("two", one)
    name = ("", "ConfigMap", "default", "one")
    world.source.edit(name, lambda b: b["metadata"]["ownerReferences"].append(f.owner_reference(two)))
    return world


@scenario
def cluster_on_an_owner_cycle() -> World:
    """Retired first, the Cluster leaves behind an object that hangs below nothing any more."""
    world = _world(managers=False)
    cluster = world.fleet.cluster_with_machines("a", 0)
    below = world.fleet.config_map("a-below", cluster)
    world.source.edit(
        (*CLUSTER, "default", "a"), lambda b: b["metadata"].update(ownerReferences=[f.owner_reference(below)])
    )
    return world


@scenario
def cluster_below_an_identity() -> World:
    """The identity is copied; the Cluster must not be, or it would be managed twice."""
    world = _world()
    identity = world.fleet.make(f.DEV_IDENTITY, "account", labels={HIERARCHY_LABEL: ""}, spec={})
    world.fleet.cluster_with_machines("a", 0)
    name = (*CLUSTER, "default", "a")
    world.source.edit(name, lambda b: b["metadata"].update(ownerReferences=[f.owner_reference(identity)]))
    return world


@scenario
def applied_fields() -> World:
    world = _world(managers=False)
    cluster = world.fleet.cluster_with_machines("a", 0)
    world.fleet.config_map("applied", cluster)
    entry = {"manager": "topology", "operation": "Apply", "apiVersion": "v1"}
    name = ("", "ConfigMap", "default", "applied")
    world.source.edit(name, lambda b: b["metadata"].update(managedFields=[entry]))
    return world


@scenario
def block_move_in_reaction_to_the_pause() -> World:
    """A provider blocks when it sees the pause, works for a while, adds an object, and lifts the block."""
    world = _world()
    world.fleet.cluster_with_machines("a", 1)
    seen: dict[str, float] = {}

    def react(cluster: object) -> None:
        name = ("infrastructure.cluster.x-k8s.io", "DevMachine", "default", "a-m0")
        body = world.source.objects.get(name)
        owner = world.source.objects.get((*CLUSTER, "default", "a"))
        if not acting(world.source) or not body or not owner:
            return
        notes = body["metadata"].setdefault("annotations", {})
        if not owner["spec"].get("paused"):
            seen.clear()
            notes.pop(BLOCK_MOVE, None)
        elif "since" not in seen:
            seen["since"] = world.clock.time
            notes[BLOCK_MOVE] = ""
        elif world.clock.time > seen["since"] + 1 and notes.pop(BLOCK_MOVE, None) is not None:
            late = ("", "ConfigMap", "default", "born-late")
            if late not in world.source.objects:
                world.fleet.config_map("born-late", owner)

    world.source.controllers.append(react)
    return world


@scenario
def half_finished_clusterctl_move() -> World:
    """clusterctl was killed after it had made its copies: identical, paused, and without our note."""
    world = _world()
    made = world.fleet.cluster_with_machines("a", 0, paused=True)
    copied = world.there.cluster_with_machines("a", 0, paused=True)
    assert made["metadata"]["name"] == copied["metadata"]["name"]
    return world


@scenario
def clusterctl_killed_while_it_removed() -> World:
    """Everything stands in the target; in the source a Machine is half removed: no annotations, no finalizers."""
    world = _world(managers=False)
    entry = {"manager": "clusterctl", "operation": "Update", "fieldsV1": {"f:spec": {"f:paused": {}}}}
    for fleet in (world.fleet, world.there):
        fleet.cluster_with_machines("a", 1, paused=True)
        fleet.cluster.edit((*CLUSTER, fleet.namespace, "a"), lambda b: b["metadata"].update(managedFields=[entry]))
    machine = (CLUSTER[0], "Machine", world.fleet.namespace, "a-m0")
    world.source.edit(machine, lambda b: b["metadata"].update(annotations={DELETE_FOR_MOVE: ""}))
    world.source.remove(machine)
    return world


@scenario
def changes_between_look_and_copy() -> World:
    world = _world("destroyed-later")
    world.fleet.cluster_with_machines("a", 1)
    cluster = world.source.objects[*CLUSTER, "default", "a"]
    world.fleet.config_map("moving-target", cluster, version="1")
    name = ("", "ConfigMap", "default", "moving-target")

    def edit(number: int) -> None:
        copied = name in world.target.objects
        if copied and not world.handed_over() and world.source.objects[name]["data"]["version"] == "1":
            world.source.edit(name, lambda b: b.update(data={"version": "2"}))

    world.on_write = edit
    return world


@scenario
def born_after_the_fence() -> World:
    """A user adds an object when nothing acts any more: it moves, too."""
    world = _world()
    cluster = world.fleet.cluster_with_machines("a", 0)

    def add(number: int) -> None:
        late = ("", "ConfigMap", "default", "born-late")
        there = late in world.source.objects or late in world.target.objects
        if world.handed_over() and (*CLUSTER, "default", "a") in world.source.objects and not there:
            world.fleet.config_map("born-late", cluster)

    world.on_write = add
    return world


@scenario
def born_and_changed_between_fence_and_hand_over() -> World:
    """The source will be destroyed: what a user adds or changes in the last moment must be in the target."""
    world = _world("destroyed-later")
    cluster = world.fleet.cluster_with_machines("a", 0)

    def add(number: int) -> None:
        late = ("", "ConfigMap", "default", "born-late")
        if not acting(world.source) and not world.handed_over() and late not in world.source.objects:
            world.fleet.config_map("born-late", cluster)

    world.on_write = add
    return world


@scenario
def strangers_in_the_target() -> World:
    world = _world()
    world.fleet.cluster_with_machines("a", 0)
    identity = world.fleet.make(f.DEV_IDENTITY, "account", labels={HIERARCHY_LABEL: ""}, spec={"key": "ours"})
    world.fleet.make(SECRET, "below-it", identity, data={})
    world.there.make(f.DEV_IDENTITY, "account", spec={"key": "theirs"})
    world.there.cluster_with_machines("other", 1)
    world.there.make(CONFIG_MAP, "settings", data={"x": "1"})
    return world


@scenario
def gitops_unpauses() -> World:
    """Once before the fence and once after it."""
    world = _world("destroyed-later")
    world.fleet.cluster_with_machines("a", 1)
    world.gitops = True
    name = (*CLUSTER, "default", "a")
    done: set[bool] = set()

    def unpause(number: int) -> None:
        fenced = not acting(world.source)
        copied = name in world.target.objects
        if copied and fenced not in done:
            done.add(fenced)
            world.source.edit(name, lambda b: b["spec"].pop("paused", None))

    world.on_write = unpause
    return world
