"""The commands about a pivot between two management clusters that exist already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

from bootstrapper.adapters import kube, kubeconfigs
from bootstrapper.adapters import state as states
from bootstrapper.adapters.clock import SystemClock
from bootstrapper.commands.running import confirm, result, run
from bootstrapper.phases.moving import PATIENCE, Moving
from bootstrapper.settings import Settings
from pivot import report, scope, tables
from pivot.engine import refusal
from pivot.plan import Plan
from pivot.ports import Cluster
from pivot.seen import Options, Source


def pivot(
    settings: Settings,
    source: Path,
    target: Path,
    *,
    namespaces: Sequence[str],
    mode: Source,
    allow: Sequence[str],
    dry_run: bool,
    yes: bool,
) -> None:
    """Move everything, or these namespaces."""
    ours, theirs = _clusters(source, target)
    state = _state(ours)
    chosen = tuple(sorted(set(namespaces)))
    options = Options(chosen, mode, frozenset(allow), stall=settings.stall, holder=state.holder())
    moving = Moving(ours, theirs, options, SystemClock(), state)
    # Whoever looks before it is done wants to know all of it. A run finds a refusal out at the copy, and undoes that.
    rehearsed = replace(moving, options=replace(options, rehearse=True))
    if dry_run:
        _show(settings, rehearsed.engine().plan())
        return
    with state.lock():
        if not yes:
            _ask(rehearsed)
        proofs: list[report.Proof] = []
        run(settings, moving.forth(proofs.append), state.note)
    for proof in proofs[-1:]:
        result(settings, proof.as_dict(), f"{proof}\nThe proof: {state.folder / moving.proof_name(proof)}")


def abort(settings: Settings, source: Path, target: Path) -> None:
    """Undo a pivot that has not handed over."""
    ours, theirs = _clusters(source, target)
    state = _state(ours)
    options = Options(scope.begun(ours, theirs), stall=settings.stall, holder=state.holder())
    with state.lock():
        run(settings, Moving(ours, theirs, options, SystemClock(), state).back(), state.note)


def status(settings: Settings, source: Path, target: Path) -> None:
    """Which side is in charge, and how far a pivot is."""
    ours, theirs = _clusters(source, target)
    options = Options(scope.begun(ours, theirs))
    found = Moving(ours, theirs, options, SystemClock(), _state(ours)).engine().status()
    result(settings, found.as_dict(), "\n".join(tables.status_lines(found, ours.name, theirs.name)))


def _clusters(source: Path, target: Path) -> tuple[Cluster, Cluster]:
    """Both sides, called as the operator called them.

    Raises:
        LostContact: one doesn't answer now; nobody waits for a wrong address.
    """
    ours, theirs = (kube.connect(kubeconfigs.read(path), str(path)) for path in (source, target))
    for cluster in (ours, theirs):
        cluster.alive()
    return ours.patient(PATIENCE), theirs.patient(PATIENCE)


def _state(source: Cluster) -> states.State:
    """One folder a source: its lock lets one pivot of a source at a time run here."""
    return states.State(f"{states.PIVOTS}/{source.identity()}", f"the pivot from {source.name}")


def _show(settings: Settings, plan: Plan) -> None:
    """The dry run; what is in the way is an error, as it would be without --dry-run."""
    result(settings, report.plan_dict(plan), "\n".join(tables.plan_lines(plan)))
    if plan.findings or plan.mismatches:
        raise refusal(plan)


def _ask(moving: Moving) -> None:
    """Show what would be done, and ask; what else is in the way is said by the run itself.

    Raises:
        PreflightRefused: the target would refuse an object. Declined.
    """
    plan = moving.engine().plan()
    if plan.notes and plan.findings:  # which a run would only find out at the copy
        raise refusal(plan)
    if plan.stages:
        click.echo("\n".join(tables.plan_lines(plan)), err=True)
        confirm(f"Go on, from {moving.source.name} to {moving.target.name}?", yes=False)
