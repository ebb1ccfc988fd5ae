"""Random fleets, moved with the power lost at a random write, against a model of what must move.

The model is deliberately simple and shares no code with the pivot: it walks names, not graphs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import fleet as f
from fake_cluster import Name
from fleet import owner_reference
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from world import PowerLost, World

from pivot.errors import PreflightRefused
from pivot.objects import HIERARCHY_LABEL, MOVE_LABEL
from pivot.ports import CONFIG_MAP, SECRET, Kind

KINDS: dict[str, Kind] = {
    "Cluster": f.CLUSTER,
    "ClusterClass": f.CLUSTER_CLASS,
    "ClusterResourceSet": f.RESOURCE_SET,
    "Machine": f.MACHINE,
    "DevMachine": f.DEV_MACHINE,
    "DevIdentity": f.DEV_IDENTITY,
    "Secret": SECRET,
    "ConfigMap": CONFIG_MAP,
    "Widget": f.UNLABELLED,
}
ROOTS = ("Cluster", "ClusterClass", "ClusterResourceSet")


@dataclass(frozen=True)
class Thing:
    """One object of a random fleet; `owners` are numbers of other things, `label` is one of clusterctl's or none."""

    kind: str
    namespace: str
    owners: tuple[int, ...]
    label: str
    paused: bool


@st.composite
def fleets(draw: st.DrawFn) -> list[Thing]:
    count = draw(st.integers(1, 8))
    things = []
    for number in range(count):
        # Mostly below what was made before; now and then below what comes later, which makes cycles.
        owners = draw(st.lists(st.integers(0, max(number - 1, 0)) | st.integers(0, count - 1), max_size=2, unique=True))
        label = draw(st.sampled_from(["", "", "", MOVE_LABEL, HIERARCHY_LABEL]))
        kind, namespace = draw(st.sampled_from(sorted(KINDS))), draw(st.sampled_from(["one", "two"]))
        things.append(Thing(kind, namespace, tuple(o for o in owners if o != number), label, draw(st.booleans())))
    return things


def build(things: list[Thing]) -> tuple[World, list[Name]]:
    """The world of a fleet. An owner in another namespace isn't one: Kubernetes knows no such thing."""
    world = World()
    world.fleet.namespaces("one", "two")
    names: list[Name] = []
    for number, thing in enumerate(things):
        kind = KINDS[thing.kind]
        spec = {"paused": True} if thing.kind == "Cluster" and thing.paused else {}
        labels = {thing.label: ""} if thing.label else None
        f.Fleet(world.source, thing.namespace).make(kind, f"t{number}", labels=labels, spec=spec)
        names.append((kind.group, kind.kind, thing.namespace if kind.namespaced else "", f"t{number}"))
    for name, thing in zip(names, things, strict=True):
        owners = [names[o] for o in thing.owners if names[o][2] in ("", name[2])]
        references = [owner_reference(world.source.objects[owner]) for owner in owners]
        if references:
            world.source.objects[name]["metadata"]["ownerReferences"] = references
    return world.begin(), names


@dataclass
class Model:
    """What must move, by walking down from each root again and again until nothing new is found."""

    things: list[Thing]
    names: list[Name]

    def below(self, roots: set[int], but: str = "") -> set[int]:
        """The roots and all below them, without passing an object of the kind `but`."""
        found = set(roots)
        others = {n for n, t in enumerate(self.things) if t.kind != but}
        while True:
            more = {n for n in others if n not in found and self.owners(n) & found}
            if not more:
                return found
            found |= more

    def owners(self, number: int) -> set[int]:
        here = self.names[number][2]
        return {o for o in self.things[number].owners if self.names[o][2] in ("", here)}

    def roots(self) -> set[int]:
        return {n for n, t in enumerate(self.things) if t.kind in ROOTS or t.label == HIERARCHY_LABEL}

    def travels(self) -> set[int]:
        labelled = {n for n, t in enumerate(self.things) if t.label}
        leaving = {n for n in labelled if self.names[n][2]}
        return self.below(self.roots() | leaving) | labelled

    def refused(self) -> bool:
        return any(self.things[n].kind == "Widget" and not self.things[n].label for n in self.travels())

    def stays_in_source(self) -> set[int]:
        """What doesn't travel, what is cluster-scoped, and what hangs below that, but never a Cluster."""
        cluster_scoped = {n for n in self.roots() if not self.names[n][2]}
        copied = self.below(cluster_scoped, but="Cluster") | {n for n in self.travels() if not self.names[n][2]}
        return (set(range(len(self.things))) - self.travels()) | copied

    def collected(self, kept: set[int]) -> set[int]:
        """Of what stays, what the garbage collector takes: all its owners have moved away."""
        gone = set(range(len(self.things))) - kept
        while more := {n for n in kept - gone if self.owners(n) and self.owners(n) <= gone}:
            gone |= more
        return gone & kept


@settings(max_examples=400, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(things=fleets(), lost_at=st.integers(0, 40), when=st.sampled_from(["before", "after"]))
def test_a_random_fleet_ends_as_the_model_says_wherever_the_power_is_lost(
    things: list[Thing], lost_at: int, when: str
) -> None:
    world, names = build(things)
    model = Model(things, names)
    world.options = replace(world.options, source="keep")
    if not model.travels() or model.refused():
        try:
            world.run()
        except PreflightRefused:
            assert world.writes == 0
            return
        raise AssertionError("nothing to move, or something that can't, and no word of it")
    world.lose_power_at = (lost_at, when)
    try:
        world.run()
    except PowerLost:
        world.lose_power_at = None
        world.run()
    target = {name for name in world.target.objects if name in names}
    assert target == {names[n] for n in model.travels()}
    source = {name for name in world.source.objects if name in names}
    kept = model.stays_in_source()
    assert source == {names[n] for n in kept - model.collected(kept)}
    for number, thing in enumerate(things):
        if thing.kind == "Cluster":
            assert bool(world.target.objects[names[number]]["spec"].get("paused")) is thing.paused
