"""Two clusters with controllers that act, power that fails, and the invariants of pivot.md asserted at every write."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from fake_cluster import FakeCluster, Name, clone
from fleet import KINDS, Fleet, acting

from pivot.engine import Pivot
from pivot.objects import BLOCK_MOVE, CLUSTERCTL_LABEL, ORIGIN, PAUSED, essence
from pivot.ports import CONFIG_MAP, Object, Progress
from pivot.seen import Options

CLUSTER, CLUSTER_CLASS = ("cluster.x-k8s.io", "Cluster"), ("cluster.x-k8s.io", "ClusterClass")
#: What is there for the move itself, or is made anew by every cluster.
OWN_BUSINESS = ("Lease", "Pod", "Namespace", "Deployment")
STATUS_KINDS = ("Cluster", "Machine")


class PowerLost(BaseException):
    """The program is gone, between one write and the next."""


class Clock:
    """Time that passes only by sleeping; the controllers act meanwhile."""

    def __init__(self, tick: Callable[[], None]) -> None:
        self.time, self.tick = 0.0, tick

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds
        self.tick()


class World:
    """A source and a target. `lose_power_at` is the number of the write at which power fails, before or after it."""

    def __init__(self, kinds: Any = KINDS) -> None:
        self.source, self.target = FakeCluster("source", kinds), FakeCluster("target", kinds)
        self.fleet, self.there = Fleet(self.source), Fleet(self.target)
        self.options = Options(parallel=1, stall=30.0, holder="test")
        self.clock = Clock(self.tick)
        self.lose_power_at: tuple[int, str] | None = None
        self.writes = 0
        self.report: list[str] = []
        self.ever: dict[Name, None] = {}
        self.gitops = False
        self.on_write: Callable[[int], None] = lambda number: None
        for cluster in (self.source, self.target):
            cluster.before_write, cluster.after_write = self._before, self._after
            cluster.controllers.append(self.reconcile)

    def begin(self) -> World:
        """The world as it is when the first run starts: what was there then is what must survive."""
        for cluster in (self.source, self.target):
            cluster.settle()
        self.at_first = {side.name: state(side) for side in (self.source, self.target)}
        self.foreign = {n: _own(b) for n, b in self.target.objects.items() if n[1] not in OWN_BUSINESS}
        self.check()
        return self

    # -- runs

    def pivot(self, **changes: Any) -> Pivot:
        options = replace(self.options, **changes)
        return Pivot(self.source, self.target, options, self.clock, self._tell, gone=lambda holder: holder == "killed")

    def _tell(self, progress: Progress) -> None:
        self.report.append(str(progress))

    def run(self) -> Any:
        return self.pivot().run()

    # -- power

    def _before(self, verb: str, name: Name) -> None:
        if self.lose_power_at == (self.writes, "before"):
            raise PowerLost
        self.writes += 1

    def _after(self, verb: str, name: Name) -> None:
        self.on_write(self.writes)
        self.check()
        if self.lose_power_at == (self.writes - 1, "after"):
            raise PowerLost

    # -- controllers

    def tick(self) -> None:
        for cluster in (self.source, self.target):
            cluster.settle()
        self.check()

    def reconcile(self, cluster: FakeCluster) -> None:
        """A provider's controllers: they show a pause, reconcile classes, lift block-move, and de-provision."""
        if not acting(cluster):
            return
        for name, body in list(cluster.objects.items()):
            if not name[0].endswith("x-k8s.io"):
                continue
            metadata = body["metadata"]
            assert not (metadata.get("deletionTimestamp") and metadata.get("finalizers")), (
                f"{name} in {cluster.name} is being deleted before live controllers: a machine is de-provisioned"
            )
            if name[:2] == CLUSTER_CLASS:
                body["status"] = {"observedGeneration": metadata.get("generation", 1)}
            if name[1] in STATUS_KINDS:
                paused = self._is_paused(cluster, name, body)
                shown = {"type": "Paused", "status": str(paused), "observedGeneration": metadata["generation"]}
                body["status"] = {"conditions": [shown]}

    def _is_paused(self, cluster: FakeCluster, name: Name, body: Object) -> bool:
        owner = name[3] if name[1] == "Cluster" else body["spec"].get("clusterName", "")
        found = cluster.objects.get((*CLUSTER, name[2], owner), {})
        return bool(found.get("spec", {}).get("paused"))

    # -- invariants

    def handed_over(self) -> bool:
        return any(n[1] == "ConfigMap" and n[3].startswith("bootstrapper-pivot-") for n in self.target.objects)

    def check(self) -> None:
        self.i1_nothing_is_in_neither()
        self.i2_one_is_active()
        self.i3_owners_resolve()
        self.i4_foreign_objects_are_left_alone()

    def i1_nothing_is_in_neither(self) -> None:
        self.ever |= {name: None for name in self.source.objects if name[1] not in OWN_BUSINESS}
        lost = [n for n in self.ever if n not in self.source.objects and n not in self.target.objects]
        assert not lost, f"in neither cluster: {lost}"

    def i2_one_is_active(self) -> None:
        ours, theirs = _active(self.source), _active(self.target)
        if self.gitops and not acting(self.source):
            ours = set()  # un-paused by somebody else, but nothing acts on it
        assert not ours & theirs, f"un-paused in both: {ours & theirs}"
        early = {n for n in theirs if ORIGIN in (self.target.objects[n]["metadata"].get("annotations") or {})}
        assert not early or self.handed_over(), f"un-paused in the target before the hand-over: {early}"

    def i3_owners_resolve(self) -> None:
        alive = {body["metadata"]["uid"] for body in self.target.objects.values()}
        for name, body in self.target.objects.items():
            for owner in body["metadata"].get("ownerReferences") or []:
                assert owner["uid"] in alive, f"{name} names an owner that isn't in the target: {owner}"

    def i4_foreign_objects_are_left_alone(self) -> None:
        for name, was in getattr(self, "foreign", {}).items():
            assert name in self.target.objects, f"{name} was in the target before us, and is gone"
            assert _own(self.target.objects[name]) == was, f"{name} was in the target before us, and is changed"


def _active(cluster: FakeCluster) -> set[Name]:
    return {n for n, b in cluster.objects.items() if n[:2] == CLUSTER and not b["spec"].get("paused")}


def _own(body: Object) -> Object:
    """What a body says, less what controllers, and an adopted Cluster's note and pause, may change."""
    kept = clone({part: text for part, text in body.items() if part != "status"})
    for part in ("resourceVersion", "generation", "managedFields"):
        kept["metadata"].pop(part, None)
    if kept.get("kind") == "Cluster":
        kept["spec"].pop("paused", None)
    notes = kept["metadata"].get("annotations") or {}
    notes.pop("pivot.bootstrapper/was-paused", None)
    if not notes:
        kept["metadata"].pop("annotations", None)
    return kept


def state(cluster: FakeCluster) -> dict[Name, Object]:
    """What a cluster says, with names instead of UIDs: equal for equal ends, whatever happened on the way."""
    names = {body["metadata"]["uid"]: name for name, body in cluster.objects.items()}
    return {
        name: _described(body, names)
        for name, body in sorted(cluster.objects.items())
        if name[1] not in ("Lease", "Pod")
    }


def _described(body: Object, names: dict[str, Name]) -> Object:
    metadata = body["metadata"]
    notes = {k: t for k, t in (metadata.get("annotations") or {}).items() if k != ORIGIN}
    owners = [(names.get(o["uid"], "dead"), o.get("controller")) for o in metadata.get("ownerReferences") or []]
    fields = sorted((f["manager"], f["operation"]) for f in metadata.get("managedFields") or [])
    applied = [f for f in fields if f[1] == "Apply"]
    rest = {part: text for part, text in body.items() if part not in ("metadata", "status")}
    kept = {"labels": metadata.get("labels"), "finalizers": metadata.get("finalizers")}
    return {**rest, **kept, "notes": notes, "owners": sorted(map(str, owners)), "applied": applied}


__all__ = ["BLOCK_MOVE", "CLUSTERCTL_LABEL", "CONFIG_MAP", "PAUSED", "Clock", "PowerLost", "World", "essence", "state"]
