"""Look at both clusters: one discovery a side, one paged LIST a kind. Reads only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from pivot import claim
from pivot.errors import NotFound
from pivot.graph import Graph
from pivot.objects import CLUSTERCTL_LABEL, PEER, PROVIDER, Item, Key, item_of
from pivot.ports import CONFIG_MAP, NAMESPACE, SECRET, Cluster, Kind, Managers, Object
from pivot.ports import core_kind as core
from pivot.seen import Marker, Options, Seen, Side, marker_name, marker_of, pivot_name
from pivot.verdict import ALWAYS, movable

#: Where marker and claim live: every cluster has it.
HOME = "kube-system"
#: Core kinds that don't move, but may hang below a Cluster and would be lost with it: seen, so that they are refused.
WATCHED = (
    core("Pod", "pods"),
    core("Service", "services"),
    core("ServiceAccount", "serviceaccounts"),
    core("PersistentVolumeClaim", "persistentvolumeclaims"),
    core("Deployment", "deployments", "apps"),
    core("DaemonSet", "daemonsets", "apps"),
    core("StatefulSet", "statefulsets", "apps"),
    core("Job", "jobs", "batch"),
    core("CronJob", "cronjobs", "batch"),
    core("Role", "roles", "rbac.authorization.k8s.io"),
    core("RoleBinding", "rolebindings", "rbac.authorization.k8s.io"),
)

#: LISTs in flight at once: more only makes the API server encode large answers side by side.
LISTS = 4

Kinds = dict[tuple[str, str], Kind]


@dataclass(frozen=True)
class Discovery:
    """What doesn't change during a run: the kinds of both sides, at a version that both serve where there is one."""

    source: Kinds
    target: Kinds
    source_identity: str
    target_identity: str


def discover(source: Cluster, target: Cluster) -> Discovery:
    """One discovery a side."""
    ours, theirs = _kinds(source), _kinds(target)
    for name in ours.keys() & theirs.keys():
        version = _common(ours[name], theirs[name])
        if version:
            ours[name], theirs[name] = ours[name].at(version), theirs[name].at(version)
    return Discovery(ours, theirs, source.identity(), target.identity())


def _kinds(cluster: Cluster) -> Kinds:
    return {(kind.group, kind.kind): kind for kind in (SECRET, CONFIG_MAP, *WATCHED, *cluster.kinds())}


def _common(source: Kind, target: Kind) -> str | None:
    """The version to read, write and compare at: the source's stored one, the target's stored one, any other."""
    wanted = (source.version, target.version, *source.served)
    return next((version for version in wanted if version in source.served and version in target.served), None)


def observe(
    source: Cluster, target: Cluster, options: Options, managers: Managers, found: Discovery, whole: bool = False
) -> Seen:
    """Everything that `plan` asks about, as it is now. The source is looked at last: it may still change.

    `whole` looks in the target at kinds that don't move, too: what `undo` needs to know of a namespace.

    Raises:
        Unavailable, Refused: an API server doesn't answer, or not to us.
    """
    moving = {name for name, kind in found.source.items() if _travels(name, kind)}
    there = [kind for name, kind in found.target.items() if whole or name in moving]
    theirs = _look(target, there, options)
    their_namespaces = _namespaces(target)
    marker = read_marker(target, found.source_identity, options)
    # A source that is thrown away has nothing to say any more once it has handed over: the target has all the notes.
    over = marker is not None and marker.mode == "destroyed-later" and not whole
    ours = {} if over else _look(source, found.source.values(), options)
    labelled = {key.group_kind for key, item in ours.items() if movable(item.kind, item)} - moving
    late = [] if whole else [found.target[name] for name in sorted(labelled) if name in found.target]
    theirs = {**theirs, **_look(target, late, options)}
    return Seen(
        Side(
            source.name,
            found.source_identity,
            found.source,
            Graph(ours),
            _namespaces(source),
            managers.running(),
            managers.stopped(),
        ),
        Side(target.name, found.target_identity, found.target, Graph(theirs), their_namespaces),
        pivot_name(found.source_identity, options.namespaces, marker),
        marker,
        claim.read(source),
    )


def _travels(name: tuple[str, str], kind: Kind) -> bool:
    return movable(kind) or name in ALWAYS or name == PROVIDER or CLUSTERCTL_LABEL in kind.labels


def _look(cluster: Cluster, kinds: Iterable[Kind], options: Options) -> Mapping[Key, Item]:
    if options.parallel == 1:
        lists = [_list(cluster, kind, options) for kind in kinds]
    else:
        with ThreadPoolExecutor(LISTS) as pool:
            lists = list(pool.map(lambda kind: _list(cluster, kind, options), kinds))
    return {item.key: item for items in lists for item in items}


def _list(cluster: Cluster, kind: Kind, options: Options) -> list[Item]:
    """All objects of a kind; of kinds that don't move, only what tells who they are."""
    keep = movable(kind) or (kind.group, kind.kind) in (*ALWAYS, PROVIDER)
    whole_status = str(kind) in options.status
    try:
        return [
            item_of(_trimmed(body, kind, whole_status) if keep or _labelled(body) else _slim(body), kind)
            for body in cluster.list(kind)
        ]
    except NotFound:
        return []


def _trimmed(body: Object, kind: Kind, whole_status: bool) -> Object:
    """The body without what nobody asks for, so that a large fleet takes less memory.

    Of a status that is a subresource only the pause and the generation are looked at. Field managers matter where one
    of them applies (then all are restored), and where it is clusterctl (then its fields tell what it paused).
    """
    metadata = body["metadata"]
    entries = metadata.get("managedFields") or []
    if entries and not any(entry.get("operation") == "Apply" for entry in entries):
        kept = [e if e.get("manager") == PEER else {n: t for n, t in e.items() if n != "fieldsV1"} for e in entries]
        body = {**body, "metadata": {**metadata, "managedFields": kept}}
    status = body.get("status")
    if kind.status and not whole_status and isinstance(status, dict):
        newer = status.get("v1beta2") or {}
        shown = {"conditions": _pauses(status), "v1beta2": {"conditions": _pauses(newer)}}
        body = {**body, "status": {**shown, "observedGeneration": status.get("observedGeneration")}}
    return body


def _pauses(part: Object) -> list[Object]:
    return [c for c in part.get("conditions") or [] if c.get("type") == "Paused"]


def _labelled(body: Object) -> bool:
    return any(key.startswith(CLUSTERCTL_LABEL) for key in body["metadata"].get("labels") or {})


def _slim(body: Object) -> Object:
    return {"apiVersion": body.get("apiVersion"), "kind": body.get("kind"), "metadata": body["metadata"]}


def _namespaces(cluster: Cluster) -> Mapping[str, Item]:
    items = (item_of(body, NAMESPACE) for body in cluster.list(NAMESPACE))
    return {item.key.name: item for item in items}


def read_marker(target: Cluster, source: str, options: Options) -> Marker | None:
    """The marker of this source and these namespaces in the target."""
    body = target.get(CONFIG_MAP, HOME, marker_name(source, options.namespaces))
    return marker_of(body.get("data") or {}, body["metadata"]["uid"]) if body else None
