"""What a pivot tells: its plan, its status, its proof, as JSON. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from pivot.objects import Key
from pivot.plan import Plan
from pivot.seen import Seen
from pivot.verdict import Judgement, Verdict
from pivot.verify import target_uids, wanted_owners


@dataclass(frozen=True)
class Proof:
    """What a pivot did and checked. `counts`: verdict -> kind -> objects. Digests are of the look before the hand-over.

    `equal` of `compared` copies have the source's digest; the others have all that the source says and the target's
    defaults besides. `owners` ownerReferences resolve in the target. All 0 when the run began after the hand-over.
    """

    pivot: str
    source: str
    target: str
    in_charge: str
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    compared: int = 0
    equal: int = 0
    owners: int = 0
    seconds: float = 0.0
    reads: int = 0
    writes: int = 0

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def __str__(self) -> str:
        moved = sum(self.counts.get(Verdict.MOVE, {}).values())
        copied = sum(self.counts.get(Verdict.COPY, {}).values())
        return (
            f"{self.target} is in charge: {moved} objects moved, {copied} copied; {self.compared} compared, "
            f"{self.equal} with equal digests, {self.owners} owner references resolved; "
            f"{self.seconds:.1f} s, {self.reads} reads, {self.writes} writes"
        )


@dataclass(frozen=True)
class Status:
    """Who is in charge, and how far a pivot is. `stage` is what comes next; `left` counts operations by stage."""

    in_charge: str
    begun: bool
    stage: str
    left: Mapping[str, int]
    findings: tuple[str, ...] = ()
    mover: str = ""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def __str__(self) -> str:
        """As one sentence."""
        return f"the {self.in_charge} is in charge; next: {self.stage}; {sum(self.left.values())} operations are left"


def counts(judgements: Iterable[Judgement]) -> dict[str, dict[str, int]]:
    """Verdict -> kind -> how many."""
    found = Counter((j.verdict.value, j.key.kind) for j in judgements)
    table: dict[str, dict[str, int]] = {}
    for (verdict, kind), number in sorted(found.items()):
        table.setdefault(verdict, {})[kind] = number
    return table


def checked(seen: Seen, plan: Plan) -> tuple[int, int, int]:
    """Of the objects that travel: copies compared, copies with equal digests, ownerReferences that resolve."""
    uids = target_uids(seen)
    compared = equal = owners = 0
    for judgement in plan.judgements:
        copy = seen.target.get(judgement.key) if judgement.travels else None
        if copy is not None:
            compared += 1
            equal += copy.digest == seen.source.graph.items[judgement.key].digest
            owners += len(wanted_owners(seen, judgement, uids)[0])
    return compared, equal, owners


def status_of(seen: Seen, plan: Plan) -> Status:
    """The status that a look and its plan tell."""
    noted = any(item.was_paused is not None for item in seen.source.graph.items.values())
    begun = bool(seen.copies or seen.claim or seen.marker or noted)
    stage = plan.stages[0].name if plan.stages else ("done" if plan.in_charge == "target" else "refused")
    left = {stage.name: len(stage.operations) for stage in plan.stages}
    obstacles = (*plan.findings, *plan.mismatches)
    return Status(plan.in_charge, begun, stage, left, obstacles, seen.claim.holder if seen.claim else "")


def plan_dict(plan: Plan) -> dict[str, Any]:
    """All of a plan, for JSON."""
    return {
        "inCharge": plan.in_charge,
        "findings": list(plan.findings),
        "mismatches": list(plan.mismatches),
        "notes": list(plan.notes),
        "verdicts": [{**_names(j.key), "verdict": j.verdict.value, "reason": j.reason} for j in plan.judgements],
        "stages": [
            {
                "name": stage.name,
                "waits": list(stage.waits),
                "waves": [[_operation(op) for op in wave] for wave in stage.waves],
            }
            for stage in plan.stages
        ],
    }


def _operation(operation: Any) -> dict[str, Any]:
    named = _names(operation.key) if operation.key else {}
    rest = {"action": operation.action, "side": operation.side, "why": operation.why, "digest": operation.digest}
    return {**named, **{name: text for name, text in rest.items() if text}}


def _names(key: Key) -> dict[str, str]:
    return {"group": key.group, "kind": key.kind, "namespace": key.namespace, "name": key.name}
