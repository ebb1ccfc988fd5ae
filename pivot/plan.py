"""What to do next: a pure function of what is in the two clusters now. All decisions of the protocol stand here.

There is no state but the clusters'. A run is: look, plan, do the first stage, look again, until the plan is empty; a
rerun after a kill is just that, from any machine. So each stage must be recognisable from what it leaves behind:

| stage | it is to be done while ... | done by |
| --- | --- | --- |
| pause | a moving Cluster or ClusterClass isn't noted and paused | a note and the pause, in one write |
| barrier | a controller hasn't shown the pause, or an object blocks the move | waiting |
| copy | the target lacks an object, or has an older copy of ours | creates, owners first |
| fence | a manager of the source runs | stopping it, and waiting |
| hand over | the target has no marker | one write |
| retire | (source kept) a moved object is still in the source | delete, what is owned first |
| resume | an object in the target carries the note | un-pause and remove the note, in one write |
| close | the marker isn't `done` | managers of a kept source start; the marker says done |

Why it can't lose a cluster:

* Nothing is ever removed from the source before the marker stands, and the marker is written only when a look that was
  made *after* the fence found every object in the target, equal, with all owners resolved: an object born late, or
  changed late, makes the copy stage non-empty again. So no object is ever in neither cluster (I1).
* Clusters are paused in the source before the first copy is made, and copies are made paused; they are un-paused in
  the target only when the marker stands, and then the source's managers have stopped (I2). Without the marker,
  un-pausing happens only in the source, by `undo`.
* A copy is made only when its owners stand in the target, with their UIDs there (I3); what is on a cycle gets the
  closing ownerReference in a second write, so it never names an object that isn't there.
* The target's objects are changed or removed only if they carry our note of origin; the source's only if they stand in
  the target, and only those (I4). Everything is addressed with its UID as a precondition.
* `undo` needs nothing but the two clusters as well: it is possible from any state without a marker (I5).
* The marker is evidence by presence. A source that is empty and a target without a marker are an error (I6).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pivot import verify
from pivot.graph import Graph
from pivot.objects import BLOCK_MOVE, CLUSTER, CLUSTER_CLASS, DELETE_FOR_MOVE, Item, Key, paused_condition, was_paused
from pivot.preflight import findings, refused
from pivot.seen import DONE, HANDED_OVER, RETIRED, Options, Seen
from pivot.verdict import Judgement, Verdict, judge


@dataclass(frozen=True)
class Operation:
    """One thing to do: `action` on `side` to the object `key` (None: to the side as a whole), and why."""

    action: str
    side: str
    key: Key | None = None
    why: str = ""
    digest: str = ""

    def __str__(self) -> str:
        why = f": {self.why}" if self.why else ""
        return f"{self.action} {self.key or self.side}{why}"


@dataclass(frozen=True)
class Stage:
    """Operations in waves (side by side within a wave), and what is to be waited for afterwards, as sentences."""

    name: str
    waves: tuple[tuple[Operation, ...], ...] = ()
    waits: tuple[str, ...] = ()

    @property
    def operations(self) -> list[Operation]:
        return [operation for wave in self.waves for operation in wave]


@dataclass(frozen=True)
class Plan:
    """The verdicts, what stands in the way, and the stages from here on. Names and digests, no bodies.

    `findings`: known before any write, to be mended by the operator. `mismatches`: copies that aren't what they should
    be. `stages` is empty when nothing is left to do, or when something stands in the way. `notes`: what else there is
    to say.
    """

    judgements: tuple[Judgement, ...] = field(repr=False)
    findings: tuple[str, ...] = ()
    mismatches: tuple[str, ...] = ()
    stages: tuple[Stage, ...] = ()
    in_charge: str = "source"
    notes: tuple[str, ...] = ()


def plan(seen: Seen, options: Options) -> Plan:
    """What is left to do. Empty `stages` without findings: the pivot is done."""
    judged = judge(seen, options, handed_over=_handed_over(seen))
    if _is_over(seen, options, judged):
        return Plan(tuple(judged.values()), in_charge="target")
    if _handed_over(seen):
        return _after(seen, options, judged)
    found = findings(seen, options, judged)
    travelling = travellers(judged)
    mismatches = () if found else tuple(verify.mismatches(seen, judged, travelling))
    stages = () if found or mismatches else _before(seen, options, judged, travelling)
    return Plan(tuple(judged.values()), found, mismatches, stages)


#: After these the next stage of the same plan may follow without a look: they change nothing that it rests on.
NO_LOOK_AFTER = frozenset({"pause", "retired", "resume classes", "resume clusters", "start managers", "release source"})


def chain(stages: Sequence[Stage]) -> Iterator[Stage]:
    """The stages that one look is good for: the first, and those behind it that need no look before them."""
    for stage in stages:
        yield stage
        if stage.name not in NO_LOOK_AFTER:
            return


def _handed_over(seen: Seen) -> bool:
    return seen.marker is not None and seen.marker.state != DONE


def _is_over(seen: Seen, options: Options, judged: Mapping[Key, Judgement]) -> bool:
    """Whether an earlier run ended it all. A source that lives on may have new objects since: then it begins anew."""
    if seen.marker is None or seen.marker.state != DONE:
        return False
    moves = any(judgement.verdict is not Verdict.STAY for judgement in judged.values() if _is_new(seen, judgement))
    return seen.marker.mode == "destroyed-later" or not moves


def _is_new(seen: Seen, judgement: Judgement) -> bool:
    return judgement.verdict is not Verdict.COPY or seen.target.get(judgement.key) is None


def travellers(judged: Mapping[Key, Judgement]) -> list[Key]:
    """What will stand in the target."""
    return [key for key, judgement in judged.items() if judgement.travels]


# before the hand-over


def _before(
    seen: Seen, options: Options, judged: Mapping[Key, Judgement], travelling: Sequence[Key]
) -> tuple[Stage, ...]:
    fenced = bool(seen.source.stopped) and not seen.source.running
    pause = [] if fenced else _pauses(seen, travelling)
    waits = _barrier(seen, travelling, fenced)
    if fenced and _blocked(seen, travelling):
        return (Stage("unfence", _alone(Operation("start", "source", why="an object blocks the move"))),)
    stages = [
        Stage("pause", _wave(pause)),
        Stage("barrier", waits=(*waits, *(("the controllers have to see the pause",) if pause else ()))),
        Stage("copy", _copies(seen, options, judged, travelling)),
        Stage("fence", _alone(Operation("stop", "source")) if seen.source.running else ()),
        Stage("hand over", _alone(Operation("hand over", "target"))),
        *_forecast(seen, options, judged, travelling),
    ]
    return tuple(stage for stage in stages if stage.waves or stage.waits)


def _forecast(
    seen: Seen, options: Options, judged: Mapping[Key, Judgement], travelling: Sequence[Key]
) -> Iterable[Stage]:
    """What the stages after the hand-over will be, for who reads the plan."""
    if options.source == "keep":
        moved = [key for key in travelling if judged[key].verdict is Verdict.MOVE]
        yield Stage("retire", _retire_waves(seen, moved))
    clusters = [seen.source.graph.items[key] for key in travelling if key.group_kind in (CLUSTER_CLASS, CLUSTER)]
    yield from _resumes([item for item in clusters if judged[item.key].travels])
    yield Stage("close", _alone(Operation("done", "target")))


def _pauses(seen: Seen, travelling: Iterable[Key]) -> list[Operation]:
    """Pause what isn't, and note on each whether its operator had paused it."""
    found = []
    for item in (seen.source.graph.items[key] for key in travelling):
        if item.pausable and (item.was_paused is None or not item.paused):
            found.append(Operation("pause", "source", item.key, _paused_before(item)))
    return found


def _paused_before(item: Item) -> str:
    if item.paused_by_peer:
        return "a clusterctl move that didn't end had paused it: it will be un-paused"
    return "its operator had paused it already: only noted" if item.paused else ""


def _barrier(seen: Seen, travelling: Sequence[Key], fenced: bool) -> tuple[str, ...]:
    """What controllers still have to do about the pause. Where none runs any more, there is nobody to wait for."""
    if fenced:
        return ()
    return (*_blocked(seen, travelling), *_unseen(seen, travelling))


def _blocked(seen: Seen, travelling: Iterable[Key]) -> list[str]:
    items = seen.source.graph.items
    return [f"{key} carries {BLOCK_MOVE}" for key in travelling if BLOCK_MOVE in items[key].annotations]


def _unseen(seen: Seen, travelling: Iterable[Key]) -> list[str]:
    """Objects that a pause concerns whose controller hasn't shown it, of kinds that show it at all."""
    chosen = [seen.source.graph.items[key] for key in sorted(concerned(seen, travelling))]
    showing = {item.key.group_kind for item in chosen if paused_condition(item)}
    return [f"{i.key} doesn't show the pause yet" for i in chosen if i.key.group_kind in showing and not _shows(i)]


def concerned(seen: Seen, travelling: Iterable[Key]) -> set[Key]:
    """What a Cluster's pause concerns (all below it), and the ClusterClasses themselves."""
    chosen = set(travelling)
    clusters = [key for key in chosen if key.group_kind == CLUSTER]
    below = seen.source.graph.hierarchy(clusters, chosen.__contains__)
    return {*below, *(key for key in chosen if key.group_kind == CLUSTER_CLASS)}


def _shows(item: Item) -> bool:
    condition = paused_condition(item) or {}
    observed = condition.get("observedGeneration")
    return condition.get("status") == "True" and (observed is None or int(observed) >= item.generation)


def _copies(
    seen: Seen, options: Options, judged: Mapping[Key, Judgement], travelling: Sequence[Key]
) -> tuple[tuple[Operation, ...], ...]:
    """Everything to write in the target: namespaces, what to throw away, then the copies, owners first."""
    namespaces = sorted({key.namespace for key in travelling if key.namespace} - set(seen.target.namespaces))
    first = [Operation("create namespace", "target", Key("", "Namespace", "", name)) for name in namespaces]
    waves = [first, *_discards(seen, _astray(seen, judged))]
    for wave in seen.source.graph.waves(travelling):
        waves.append([op for key in wave for op in _copy(seen, options, judged[key])])
    return tuple(tuple(wave) for wave in waves if wave)


def _astray(seen: Seen, judged: Mapping[Key, Judgement]) -> list[Item]:
    """Copies of ours whose object is gone, was made anew, or doesn't travel any more; and those being deleted."""
    wanted = {seen.source.graph.items[key].uid for key, judgement in judged.items() if judgement.travels}
    return [copy for uid, copy in seen.copies.items() if uid not in wanted or copy.deleting]


def _discards(seen: Seen, copies: Iterable[Item]) -> list[list[Operation]]:
    """Throw copies away, what is owned first."""
    why = "a copy of ours that isn't wanted"
    return _removals(seen.target.graph, [copy.key for copy in copies], "discard", "target", why)


def _copy(seen: Seen, options: Options, judgement: Judgement) -> Iterable[Operation]:
    item = seen.source.graph.items[judgement.key]
    copy = seen.target.get(item.key)
    if copy is None:
        yield Operation("create", "target", item.key, judgement.reason, item.digest)
        return
    if not seen.ours(copy):
        if item.pausable and copy.was_paused is None and judgement.verdict is Verdict.MOVE:
            yield Operation("adopt", "target", item.key, "identical, made by another mover", item.digest)
        return
    assert copy.origin is not None
    if copy.deleting or copy.origin.uid != item.uid:
        return  # thrown away first; made anew at the next look
    if copy.origin.digest != item.digest:
        yield Operation("update", "target", item.key, "it has changed since it was copied", item.digest)
    elif verify.lacks_owners(seen, judgement, copy):
        yield Operation("link", "target", item.key, "an owner that came later")
    elif not item.applied <= copy.applied or (item.applied and copy.touched):
        yield Operation("restore fields", "target", item.key, "server-side apply managers")
    elif str(item.kind) in options.status and item.body.get("status") and not copy.body.get("status"):
        yield Operation("restore status", "target", item.key, "its kind is on the opt-in list")


# after the hand-over


def _after(seen: Seen, options: Options, judged: Mapping[Key, Judgement]) -> Plan:
    """From the marker on the only way is on, as the marker says it, whatever the options are now."""
    assert seen.marker is not None
    stages: list[Stage] = []
    if seen.marker.mode == "keep" and seen.marker.state == HANDED_OVER:
        if stray := tuple(refused(judged)):
            return Plan(tuple(judged.values()), stray, in_charge="target")
        stages += [Stage("copy late", _late(seen, options, judged))]
        stages += [Stage("retire", _retire_waves(seen, _retirable(seen, judged)))]
        stages += [Stage("retired", _alone(Operation("retired", "target")))]
    noted = [item for item in seen.target.graph.items.values() if item.was_paused is not None and _ours(seen, item)]
    stages += _resumes(noted)
    stages += _closing(seen)
    left = tuple(stage for stage in stages if stage.waves or stage.waits)
    return Plan(tuple(judged.values()), stages=left, in_charge="target")


def _retirable(seen: Seen, judged: Mapping[Key, Judgement]) -> list[Key]:
    """What stands in the target and goes from the source: what our copies say that they moved, or what is identical.

    The copy's own word counts, for the judgement may change while the hierarchy goes away above an object. An object
    that carries delete-for-move was found to go, and has lost its finalizers since.
    """
    found = []
    for key, judgement in judged.items():
        item, copy = seen.source.graph.items[key], seen.target.get(key)
        if copy is None:
            continue
        if copy.origin and seen.ours(copy):
            goes = copy.origin.moved and copy.origin.uid == item.uid
        else:
            same = copy.essence == item.essence or DELETE_FOR_MOVE in item.annotations
            goes = same and judgement.verdict is Verdict.MOVE
        if goes:
            found.append(key)
    return found


def _ours(seen: Seen, item: Item) -> bool:
    """Made by this pivot, or adopted by it (then it carries a note and no origin)."""
    return item.origin is None or seen.ours(item)


def _late(seen: Seen, options: Options, judged: Mapping[Key, Judgement]) -> tuple[tuple[Operation, ...], ...]:
    """Objects born in a kept source after the fence: copied before their owners are retired."""
    missing = [key for key in travellers(judged) if seen.target.get(key) is None]
    namespaces = sorted({key.namespace for key in missing if key.namespace} - set(seen.target.namespaces))
    first = [Operation("create namespace", "target", Key("", "Namespace", "", name)) for name in namespaces]
    waves = [
        [op for key in wave for op in _copy(seen, options, judged[key])] for wave in seen.source.graph.waves(missing)
    ]
    return tuple(tuple(wave) for wave in (first, *waves) if wave)


def _retire_waves(seen: Seen, moved: Sequence[Key]) -> tuple[tuple[Operation, ...], ...]:
    return tuple(map(tuple, _removals(seen.source.graph, moved, "retire", "source")))


def _removals(graph: Graph, keys: Iterable[Key], action: str, side: str, why: str = "") -> list[list[Operation]]:
    """Remove objects, what is owned first. An owner cycle is opened before: the garbage collector must find nothing."""
    waves = list(reversed(graph.waves(list(keys))))
    gone: set[Key] = set()
    early = []
    for wave in waves:
        early += [Operation("unlink", side, key, "it is on an owner cycle") for key in wave if graph.hard[key] & gone]
        gone.update(wave)
    removals = [[Operation(action, side, key, why) for key in wave] for wave in waves]
    return [early, *removals] if early else removals


def _resumes(items: Iterable[Item]) -> list[Stage]:
    """ClusterClasses first, then Clusters; those that their operator had paused lose only the note."""
    by_kind: dict[tuple[str, str], list[Operation]] = defaultdict(list)
    for item in sorted(items, key=lambda item: item.key):
        why = "stays paused: its operator had paused it" if was_paused(item) == "true" else ""
        by_kind[item.key.group_kind].append(Operation("resume", "target", item.key, why))
    return [
        Stage("resume classes", _wave(by_kind[CLUSTER_CLASS])),
        Stage("resume clusters", _wave(by_kind[CLUSTER])),
    ]


def _closing(seen: Seen) -> Iterable[Stage]:
    """A kept source gets its managers back, and the ClusterClasses that others use are un-paused there."""
    assert seen.marker is not None
    if seen.marker.mode == "keep":
        if seen.source.stopped:
            yield Stage("start managers", _alone(Operation("start", "source")))
        yield Stage("release source", _wave(_noted(seen, "resume")))
    yield Stage("close", _alone(Operation("done", "target")))


def _noted(seen: Seen, action: str) -> list[Operation]:
    """The action on everything in the source that carries the note of a pause."""
    noted = [item for item in seen.source.graph.items.values() if item.was_paused is not None]
    return [Operation(action, "source", item.key) for item in sorted(noted, key=lambda item: item.key)]


# the way back


def undo(seen: Seen) -> Plan:
    """Everything as it was, before the hand-over: managers run, the source is un-paused, our copies are thrown away.

    The source first: it gets back to work even when the target doesn't answer. Its copies are paused all the while.
    """
    stages = []
    if seen.source.stopped:
        stages.append(Stage("start managers", _alone(Operation("start", "source"))))
    stages.append(Stage("un-pause", _wave(_noted(seen, "restore pause"))))
    stages.append(Stage("discard", tuple(map(tuple, _discards(seen, seen.copies.values())))))
    made = [item for item in seen.target.namespaces.values() if seen.ours(item) and _is_ours_alone(seen, item)]
    stages.append(Stage("namespaces", _wave([Operation("remove namespace", "target", i.key) for i in made])))
    adopted = [i for i in seen.target.graph.items.values() if i.was_paused is not None and i.origin is None]
    stages.append(Stage("disown", _wave([Operation("disown", "target", item.key) for item in adopted])))
    return Plan((), stages=tuple(stage for stage in stages if stage.waves))


def _is_ours_alone(seen: Seen, namespace: Item) -> bool:
    """Whether a namespace that we made has nothing in it but our copies and what every namespace is born with."""
    inside = (i for key, i in seen.target.graph.items.items() if key.namespace == namespace.key.name)
    born = {("", "ConfigMap", "kube-root-ca.crt"), ("", "ServiceAccount", "default")}
    others = (i for i in inside if not seen.ours(i) and (*i.key.group_kind, i.key.name) not in born)
    return not namespace.deleting and not any(others)


def _wave(operations: Sequence[Operation]) -> tuple[tuple[Operation, ...], ...]:
    return (tuple(operations),) if operations else ()


def _alone(operation: Operation) -> tuple[tuple[Operation, ...], ...]:
    return ((operation,),)


__all__ = ["DONE", "HANDED_OVER", "RETIRED", "Operation", "Plan", "Stage", "plan", "undo"]
