"""Everything that can be known to fail, all at once, before anything is written. Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from pivot.objects import CLUSTER, PROVIDER, Item, Key
from pivot.seen import Options, Seen, Side
from pivot.verdict import Judgement, Verdict

#: Names of objects that a finding lists before it only counts.
NAMED = 5


def findings(seen: Seen, options: Options, judged: Mapping[Key, Judgement]) -> tuple[str, ...]:
    """A sentence for each: what is in the way, of which object, and what to do about it."""
    return (
        *_identity(seen),
        *claimed_otherwise(seen),
        *_nothing(seen, options, judged),
        *refused(judged),
        *_providers(seen.source, seen.target),
        *_namespaces(seen, judged),
        *_destroyed(options, judged),
        *_allowed(seen, options),
    )


def _identity(seen: Seen) -> Iterator[str]:
    if seen.source.identity == seen.target.identity:
        yield "source and target are the same cluster: give two different kubeconfigs"


def claimed_otherwise(seen: Seen) -> Iterator[str]:
    """A sentence when the source is claimed for another target or for other namespaces."""
    if seen.claim is None or seen.claim.pivot == seen.ended:
        return
    if seen.claim.target != seen.target.identity:
        yield (
            f"the source is being moved to another cluster ({seen.claim.target}) by {seen.claim.holder}: "
            "end that pivot, or abort it, with its own target's kubeconfig"
        )
    elif seen.claim.pivot != seen.pivot:
        yield (
            f"a pivot of other namespaces of this source isn't ended ({seen.claim.pivot}, by {seen.claim.holder}): "
            "run it again to its end, or abort it, with its own --namespace flags"
        )


def _nothing(seen: Seen, options: Options, judged: Mapping[Key, Judgement]) -> Iterator[str]:
    """An empty source is an error, never a finished pivot: absence proves nothing."""
    for name in options.namespaces:
        if name not in seen.source.namespaces:
            yield f"the source has no namespace {name}"
    if all(judgement.verdict is Verdict.STAY for judgement in judged.values()):
        left = [key for key, item in seen.target.graph.items.items() if item.pausable and item.paused_by_peer]
        if left:
            yield (
                f"{seen.source.name} has nothing to move; a clusterctl move that was cut short has left "
                f"{_some(sorted(left))} paused in {seen.target.name}: look at them, then set spec.paused to null (of a "
                "ClusterClass: remove the annotation cluster.x-k8s.io/paused)"
            )
            return
        yield (
            f"{seen.source.name} has nothing to move and the target has no marker of a hand-over: is this the right "
            "source, and are its providers installed?"
        )


def refused(judged: Mapping[Key, Judgement]) -> Iterator[str]:
    """A sentence for each reason for which objects are REFUSED, naming them."""
    grouped: dict[str, list[Key]] = defaultdict(list)
    for key, judgement in judged.items():
        if judgement.verdict is Verdict.REFUSED:
            grouped[judgement.reason].append(key)
    for reason, keys in grouped.items():
        yield f"{_some(keys)}: {reason}"


def _some(keys: Sequence[Key]) -> str:
    """The names, or the first of them and how many more there are."""
    more = f" and {len(keys) - NAMED} more" if len(keys) > NAMED else ""
    return ", ".join(map(str, keys[:NAMED])) + more


def _providers(source: Side, target: Side) -> Iterator[str]:
    """The clusterctl rule (`checkTargetProviders`): the target has each provider, at the same or a newer version."""
    there: dict[tuple[str, str], list[str]] = defaultdict(list)
    for provider in _inventory(target):
        there[_provider_name(provider)].append(str(provider.body.get("version", "")))
    for provider in _inventory(source):
        kind, name = _provider_name(provider)
        version = str(provider.body.get("version", ""))
        versions = there.get((kind, name))
        if not versions:
            yield f"the target has no {kind} {name}: install it there ({version} or newer)"
        elif max(map(_semver, versions)) < _semver(version):
            yield f"the target's {kind} {name} is older ({max(versions, key=_semver)}) than the source's ({version})"


def _inventory(side: Side) -> list[Item]:
    return [item for key, item in side.graph.items.items() if key.group_kind == PROVIDER]


def _provider_name(provider: Item) -> tuple[str, str]:
    return str(provider.body.get("type", "Provider")), str(provider.body.get("providerName", provider.key.name))


def _semver(version: str) -> tuple[int, int, int, bool, str]:
    """Semantic version as something that compares; a pre-release is older than its release."""
    match = re.match(r"v?(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z.-]+))?", version)
    if not match:
        return 0, 0, 0, False, version
    return int(match[1]), int(match[2]), int(match[3]), match[4] is None, match[4] or ""


def _namespaces(seen: Seen, judged: Mapping[Key, Judgement]) -> Iterator[str]:
    for name in sorted({key.namespace for key, judgement in judged.items() if judgement.travels}):
        for side in (seen.source, seen.target):
            if name in side.namespaces and side.namespaces[name].deleting:
                yield f"namespace {name} is being deleted in {side.name}: wait for its end, or choose others"


def _allowed(seen: Seen, options: Options) -> Iterator[str]:
    """A name that matches nothing is a slip of the pen: what it meant wouldn't be allowed."""
    for name in sorted(options.allow - {str(key) for key in seen.source.graph.items}):
        yield f"--allow names {name}, which isn't there: write it as the finding does, 'Kind namespace/name'"


def _destroyed(options: Options, judged: Mapping[Key, Judgement]) -> Iterator[str]:
    """A source that will be destroyed as a whole must not keep a Cluster."""
    if options.source == "destroyed-later":
        for key, judgement in judged.items():
            if key.group_kind == CLUSTER and judgement.verdict is Verdict.STAY:
                yield f"{key} stays in a source that will be destroyed: move it too, or use --source keep"
