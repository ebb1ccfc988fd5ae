"""Whether the copies are what they should be. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from pivot.objects import Item, Key, difference
from pivot.ports import Kind, Object
from pivot.seen import Seen
from pivot.verdict import Judgement, owner_key


def mismatches(seen: Seen, judged: Mapping[Key, Judgement], travelling: Iterable[Key]) -> Iterator[str]:
    """A sentence for each copy that was made from what the source says now and says something else all the same."""
    for key in travelling:
        item, copy = seen.source.graph.items[key], seen.target.get(key)
        if copy is None or copy.origin is None or not seen.ours(copy) or copy.deleting:
            continue
        if copy.origin.uid != item.uid or copy.origin.digest != item.digest:
            continue
        at = difference(item.essence, copy.essence)
        if at:
            yield f"{key} differs in the target at {at}: its CRD there, a webhook or somebody changed it"
        elif item.pausable and not copy.paused:
            yield f"{key} isn't paused in the target: somebody un-paused it there"


def wanted_owners(seen: Seen, judgement: Judgement, uids: Mapping[Key, str]) -> tuple[list[Object], list[Key]]:
    """The ownerReferences of a copy with the target's UIDs, and the owners that don't stand there yet.

    `uids` gives the UID in the target of what stands there.
    """
    references, missing = [], []
    for reference, owner in seen.source.graph.references(judgement.key):
        if reference.get("uid") in judgement.dropped:
            continue
        named = owner or owner_key(seen, seen.source.graph.items[judgement.key], reference)
        if named in uids:
            references.append({**reference, **_served(seen, named, reference), "uid": uids[named]})
        else:
            missing.append(named)
    return references, missing


def _served(seen: Seen, owner: Key, reference: Object) -> Object:
    """The reference's apiVersion as the target serves it: its garbage collector must be able to read the owner."""
    kind: Kind | None = seen.target.kinds.get(owner.group_kind)
    version = str(reference.get("apiVersion", "")).rpartition("/")[2]
    if kind is None or version in kind.served:
        return {}
    return {"apiVersion": kind.api_version}


def target_uids(seen: Seen) -> dict[Key, str]:
    """The UID of everything that stands in the target, less what is being deleted there."""
    return {key: item.uid for key, item in seen.target.graph.items.items() if not item.deleting}


def lacks_owners(seen: Seen, judgement: Judgement, copy: Item) -> bool:
    """Whether a copy lacks an ownerReference whose owner stands in the target."""
    names = [
        owner_key(seen, seen.source.graph.items[judgement.key], ref)
        for ref in seen.source.graph.items[judgement.key].owners
        if ref.get("uid") not in judgement.dropped
    ]
    uids = {name: owner.uid for name in names if (owner := seen.target.get(name)) and not owner.deleting}
    wanted, _ = wanted_owners(seen, judgement, uids)
    return not {ref["uid"] for ref in wanted} <= {ref.get("uid") for ref in copy.owners}
