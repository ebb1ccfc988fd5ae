"""A plan and a status as lines for people. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from pivot.objects import Key
from pivot.plan import Plan, Stage
from pivot.report import Status
from pivot.verdict import Judgement, Verdict

#: Objects that a plan names one by one before it only counts them by kind.
NAMED = 40


def plan_lines(plan: Plan) -> list[str]:
    """What is in the way, what travels wave by wave, what stays and why, and the order of operations."""
    lines = [f"! {finding}" for finding in (*plan.findings, *plan.mismatches)]
    travelling = [judgement for judgement in plan.judgements if judgement.verdict is not Verdict.STAY]
    for title, wave in _waves(plan, travelling):
        lines += [title, *(_named(wave) if len(travelling) <= NAMED else _counted(wave))]
    lines += _staying(plan.judgements)
    lines += plan.notes
    if plan.stages:
        lines.append("order of operations")
        lines += [f"  {number}. {_stage_line(stage)}" for number, stage in enumerate(plan.stages, 1)]
    return lines


def status_lines(status: Status, source: str, target: str) -> list[str]:
    """Who is in charge, and what is left; the clusters as they were named."""
    if not status.begun:
        return [f"no pivot from {source} to {target} has begun: {source} is in charge"]
    lines = [f"in charge: {source if status.in_charge == 'source' else target} (the {status.in_charge})"]
    lines += [f"claimed by: {status.mover}"] if status.mover else []
    lines += [f"next: {status.stage}"]
    lines += [f"  {stage}: {number} operations" for stage, number in status.left.items() if number]
    return [*lines, *(f"! {finding}" for finding in status.findings)]


def _waves(plan: Plan, travelling: Sequence[Judgement]) -> Iterator[tuple[str, list[Judgement]]]:
    """The objects by the wave in which they will be copied; those that are refused, or need no copy, apart."""
    judged = {judgement.key: judgement for judgement in travelling}
    placed: set[Key] = set()
    copies = [stage.waves for stage in plan.stages if stage.name == "copy"]
    waves = [[op.key for op in wave if op.key in judged] for stage in copies for wave in stage]
    waves = [wave for wave in waves if wave]
    for number, keys in enumerate(waves, 1):
        placed.update(key for key in keys if key)
        yield f"wave {number} of {len(waves)}", [judged[key] for key in keys if key]
    rest = [judgement for judgement in travelling if judgement.key not in placed]
    refused = [judgement for judgement in rest if judgement.verdict is Verdict.REFUSED]
    if refused:
        yield "refused", refused
    if len(rest) > len(refused):
        yield "needs no copy any more" if copies or not refused else "would travel", _without(rest, refused)


def _without(rest: Iterable[Judgement], refused: Iterable[Judgement]) -> list[Judgement]:
    left_out = {judgement.key for judgement in refused}
    return [judgement for judgement in rest if judgement.key not in left_out]


def _named(wave: Sequence[Judgement]) -> list[str]:
    width = max(len(str(judgement.key)) for judgement in wave)
    return [f"  {j.verdict:8}{j.key!s:{width}}  {j.reason}" for j in wave]


def _counted(wave: Iterable[Judgement]) -> list[str]:
    names: Mapping[tuple[str, str], list[str]] = defaultdict(list)
    for judgement in wave:
        name = "/".join(part for part in (judgement.key.namespace, judgement.key.name) if part)
        names[judgement.verdict, judgement.key.kind].append(name)
    return [
        f"  {verdict:8}{len(found):7,} {kind:28}{found[0]}{' ...' if len(found) > 1 else ''}"
        for (verdict, kind), found in sorted(names.items())
    ]


def _staying(judgements: Iterable[Judgement]) -> list[str]:
    reasons = Counter(judgement.reason for judgement in judgements if judgement.verdict is Verdict.STAY)
    lines = [f"  {Verdict.STAY:8}{number:7,} {reason}" for reason, number in reasons.most_common()]
    return ["stay", *lines] if lines else []


def _stage_line(stage: Stage) -> str:
    waves = f" in {len(stage.waves)} waves" if len(stage.waves) > 1 else ""
    writes = f"{len(stage.operations):,} operations{waves}" if stage.operations else ""
    more = f" (and {len(stage.waits) - 1:,} more)" if len(stage.waits) > 1 else ""
    waits = f"wait: {stage.waits[0]}{more}" if stage.waits else ""
    return f"{stage.name}: {'; '.join(part for part in (writes, waits) if part)}"
