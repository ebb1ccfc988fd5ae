"""Ask the target, before anything is written, whether it would take what is to be copied.

A dry-run create goes through admission and validation and is then dropped (Kubernetes API concepts, "Dry-run"). So a
schema, a quota or a webhook that refuses one object is known while the source is untouched.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from pivot.errors import AlreadyExists, NotFound, Refused
from pivot.objects import Key, copy_of, origin_note
from pivot.ports import Cluster
from pivot.seen import Seen
from pivot.verdict import Judgement

#: What an API server says when a webhook in the way has side effects: then nobody can know beforehand.
NO_DRY_RUN = "does not support dry run"
#: Refusals that are told one by one.
NAMED = 20


@dataclass(frozen=True)
class Rehearsal:
    """`tried`: how many objects the target would take or not; `untried`: for how many it couldn't be asked.

    `refusals`: a sentence for each object that it would refuse.
    """

    tried: int = 0
    untried: int = 0
    refusals: tuple[str, ...] = ()

    def __str__(self) -> str:
        """As one sentence."""
        untried = f"; {self.untried:,} can't be asked for before their namespaces are there" if self.untried else ""
        taken = self.tried - len(self.refusals)
        return f"asked beforehand, the target would take {taken:,} of {self.tried:,} objects{untried}"

    @property
    def findings(self) -> tuple[str, ...]:
        """The refusals, the first of them when they are many."""
        more = len(self.refusals) - NAMED
        return (*self.refusals[:NAMED], *((f"the target would refuse {more:,} more",) if more > 0 else ()))


def rehearse(target: Cluster, seen: Seen, judged: Mapping[Key, Judgement], parallel: int) -> Rehearsal:
    """Ask for each object that travels and has no counterpart in the target.

    What lies in a namespace that the target doesn't have can't be asked for: an API server answers 404 to that.

    Raises:
        Unavailable: the target doesn't answer.
    """
    lacking = [key for key, judgement in judged.items() if judgement.travels and seen.target.get(key) is None]
    asked = [key for key in lacking if not key.namespace or key.namespace in seen.target.namespaces]
    with ThreadPoolExecutor(parallel) as pool:
        answers = list(pool.map(lambda key: _ask(target, seen, judged[key]), asked))
    unclear = sum(answer is None for answer in answers)
    refusals = tuple(answer for answer in answers if answer)
    return Rehearsal(len(asked) - unclear, len(lacking) - len(asked) + unclear, refusals)


def _ask(target: Cluster, seen: Seen, judgement: Judgement) -> str | None:
    """The refusal, empty when it would be taken, None when that can't be known."""
    item, kind = seen.source.graph.items[judgement.key], seen.target.kinds[judgement.key.group_kind]
    note = origin_note(item, seen.source.identity, seen.pivot, moved=True)
    # The owners' UIDs are the source's: what counts here is only that there are owners.
    try:
        target.check(kind, copy_of(item, note, item.owners, kind))
    except AlreadyExists:
        return ""
    except NotFound:
        return None
    except Refused as error:
        if NO_DRY_RUN in error.why:
            return None
        return f"{judgement.key}: the target would refuse it: {error.why or error.what}"
    return ""
