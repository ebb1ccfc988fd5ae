"""The way in: look, plan, do the first stage, look again, until nothing is left. See `plan.py` for why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

from pivot import report as tell
from pivot import schedule
from pivot.claim import Hold
from pivot.errors import AnotherMover, PivotError, PreflightRefused, Stalled, TooLate, VerificationFailed
from pivot.execute import Executor, LookAgain
from pivot.managers import DeploymentManagers
from pivot.meter import Metered
from pivot.observe import Discovery, discover, observe
from pivot.plan import Plan, Stage, chain, plan, undo
from pivot.ports import Clock, Cluster, Managers, Progress, Report
from pivot.preflight import claimed_otherwise
from pivot.rehearse import rehearse
from pivot.seen import DONE, Claim, Options, Seen
from pivot.waits import Waits

#: Seconds after which a stage is looked at again when the world had changed meanwhile.
AGAIN = 0.2
#: Seconds between two lines of progress within a wave.
TELL = 2.0
#: How often the same stage with the same operations may be needed before we say that somebody works against us.
REPEATS = 5


def _nobody(_: str) -> bool:
    return False


@dataclass
class Pivot:
    """A move of all objects from `source` to `target`.

    `source_managers` and `target_managers` default to provider Deployments. `gone` tells of another mover's name
    whether it is known to be dead.
    """

    source: Cluster
    target: Cluster
    options: Options
    clock: Clock
    report: Report
    source_managers: Managers | None = None
    target_managers: Managers | None = None
    gone: Callable[[str], bool] = _nobody

    def __post_init__(self) -> None:
        self._from, self._to = Metered(self.source), Metered(self.target)
        self._managers = self.source_managers or DeploymentManagers(self._from)
        there = self.target_managers or DeploymentManagers(self._to)
        self._waits = Waits(self._to, self._managers, there, self.options, self.clock, self.report)
        self._proof = tell.Proof("", self.source.name, self.target.name, "source")
        self._began = self.clock.now()
        self._unsure = False

    # -- what callers ask

    def plan(self) -> Plan:
        """What a run would do now. Reads only; what is in the way stands in the plan's findings."""
        seen = self._look()
        return self._rehearsed(seen, plan(seen, self.options))

    def status(self) -> tell.Status:
        """Who is in charge and how far it is. Reads only."""
        seen = self._look()
        return tell.status_of(seen, plan(seen, self.options))

    def run(self) -> tell.Proof:
        """Move everything; the same call goes on where an earlier one was killed.

        Before the hand-over an error undoes what was done (the source is un-paused and whole again), unless an API
        server doesn't answer; a kill or an interrupt undoes nothing.

        Raises:
            PreflightRefused, TargetRefused, SourceRefused, VerificationFailed, AnotherMover, Stalled, Unavailable.
        """
        seen = self._look()
        first = plan(seen, self.options)
        if not first.stages and not first.findings and not first.mismatches:
            return self._prove(seen, first)
        if not tell.status_of(seen, first).begun:
            first = self._rehearsed(seen, first)
            for note in first.notes:
                self.report(Progress("rehearsal", note))
            if first.findings:
                raise refusal(first)
        hold = self._claim(seen)
        paused_next = bool(first.stages) and first.stages[0].name == "pause"
        look = seen if paused_next else None
        del seen, first
        try:
            return self._drive(hold, look)
        except AnotherMover:
            raise  # what stands is theirs now
        except PivotError as error:
            self._give_up(hold, error)
            raise

    def abort(self) -> None:
        """Undo everything, before the hand-over; may be repeated, from any machine.

        Raises:
            TooLate: the target is in charge. AnotherMover: a run is under way.
        """
        seen = self._look(whole=True)
        _refuse_when_late(seen)
        if seen.marker and not _begun_anew(seen):
            raise _too_late(seen)
        hold = self._claim(seen)
        self._undo(hold)
        hold.release()

    # -- how it goes

    @cached_property
    def _found(self) -> Discovery:
        return discover(self._from, self._to)

    def _look(self, whole: bool = False) -> Seen:
        return observe(self._from, self._to, self.options, self._managers, self._found, whole)

    def _rehearsed(self, seen: Seen, first: Plan) -> Plan:
        """The plan with what the target would refuse among its findings; before the first copy only."""
        copies = any(stage.name == "copy" for stage in first.stages)
        if not self.options.rehearse or not copies or seen.copies:
            return first
        judged = {judgement.key: judgement for judgement in first.judgements}
        found = rehearse(self._to, seen, judged, self.options.parallel)
        noted = replace(first, notes=(str(found),))
        return replace(noted, findings=found.findings, stages=()) if found.refusals else noted

    def _claim(self, seen: Seen) -> Hold:
        """Claim the source for this pivot; one that is claimed for another target or other namespaces stays so."""
        if other := tuple(claimed_otherwise(seen)):
            raise PreflightRefused("another pivot of this source isn't ended", other)
        claim = Claim(self.options.holder, seen.target.identity, seen.pivot, self.options.namespaces)
        hold = Hold(self._from, claim, self.clock, self.gone)
        hold.acquire()
        return hold

    def _drive(self, hold: Hold, first: Seen | None) -> tell.Proof:
        """Stage after stage, each from a new look, but for those that leave nothing for a look to find out.

        `first` is a look from before the claim; it is good for a pause, which may be repeated.
        """
        needed: Counter[Stage] = Counter()
        while True:
            seen, first = first or self._look(), None
            now = plan(seen, self.options)
            if now.findings or now.mismatches:
                raise refusal(now)
            if not now.stages:
                return self._end(hold, seen, now)
            if now.stages[0].name == "hand over":
                self._note_proof(seen, now)
            for stage in chain(now.stages):
                needed[stage] += 1
                if stage.waves and needed[stage] > REPEATS:
                    raise _working_against_us(stage)
                self._unsure = stage.name == "hand over"
                done, first = self._do(stage, seen, now, hold)
                if not done:
                    break
            self._unsure = False
            del seen, now  # two looks at once would need twice the memory

    def _end(self, hold: Hold, seen: Seen, now: Plan) -> tell.Proof:
        """The claim on a source that will be destroyed stays: it tells everybody else where the objects went."""
        if seen.marker and seen.marker.mode == "keep":
            hold.release()
        return self._prove(seen, now)

    def _do(self, stage: Stage, seen: Seen, now: Plan, hold: Hold) -> tuple[bool, Seen | None]:
        """One stage, and what it has to wait for: False when the world had changed since the look; a newer look."""
        judged = {judgement.key: judgement for judgement in now.judgements}
        executor = Executor(self._from, self._to, self._managers, seen, self.options, judged)
        try:
            for part in schedule.parts(stage.waves):
                operations = [operation for wave in part for operation in wave]
                names = str(operations[0]) if len(operations) == 1 else f"{len(operations):,} objects"
                self.report(Progress(stage.name, f"{stage.name}: {names}"))
                executor.part(part, self._beat(stage.name, len(operations), hold))
        except LookAgain as error:
            self.report(Progress(stage.name, "looking again", str(error)))
            self.clock.sleep(AGAIN)
            return False, None
        return True, self._waits.after(stage, self._look, hold.beat)

    def _beat(self, name: str, number: int, hold: Hold) -> Callable[[int], None]:
        """Renew the claim while operations go on, and tell once in a while how far they are."""
        began = told = self.clock.now()

        def beat(done: int) -> None:
            nonlocal told
            hold.beat()
            now = self.clock.now()
            if now - told >= TELL:
                told = now
                self.report(Progress(name, f"{name}: {done:,} of {number:,} objects", since=now - began))

        return beat

    # -- the way back

    def _give_up(self, hold: Hold, error: PivotError) -> None:
        """Undo, where that is safe; else say how to go on.

        A hand-over without an answer may have happened, or happen yet: then nothing is undone.
        """
        if self._unsure and not error.permanent:
            error.hint = "whether the target is in charge isn't known: run the same command again"
            return
        try:
            self._undo(hold)
            hold.release()
            error.hint = error.hint or "the source is as it was: run the same command again when that is mended"
        except TooLate:
            error.hint = error.hint or "the target is in charge: run the same command again to end the pivot"
        except PivotError as second:
            error.hint = f"run the same command again, or `pivot abort` (undoing failed too: {second})"

    def _undo(self, hold: Hold) -> None:
        needed: Counter[Stage] = Counter()
        while True:
            seen = self._look(whole=True)
            _refuse_when_late(seen)
            now = undo(seen)
            if not now.stages:
                return
            needed[now.stages[0]] += 1
            if needed[now.stages[0]] > REPEATS:
                raise _working_against_us(now.stages[0])
            self._do(now.stages[0], seen, now, hold)

    # -- what it proves

    def _note_proof(self, seen: Seen, now: Plan) -> None:
        compared, equal, owners = tell.checked(seen, now)
        table = tell.counts(now.judgements)
        self._proof = replace(self._proof, counts=table, compared=compared, equal=equal, owners=owners)

    def _prove(self, seen: Seen, now: Plan) -> tell.Proof:
        return replace(
            self._proof,
            pivot=seen.pivot,
            in_charge=now.in_charge,
            seconds=self.clock.now() - self._began,
            reads=self._from.reads + self._to.reads,
            writes=self._from.writes + self._to.writes,
        )


def refusal(now: Plan) -> PivotError:
    """What a plan with something in the way ends in."""
    if now.mismatches:
        what = f"{len(now.mismatches)} copies in the target aren't what the source says"
        return VerificationFailed(what, "; ".join(now.mismatches[:5]))
    what = "the pivot can't begin" if now.in_charge == "source" else "the source can't be retired"
    return PreflightRefused(what, now.findings)


def _refuse_when_late(seen: Seen) -> None:
    if seen.marker and seen.marker.state != DONE:
        raise _too_late(seen)


def _begun_anew(seen: Seen) -> bool:
    """Whether, after a pivot that is done, the next one of a source that lives on has begun."""
    claimed = seen.claim is not None and seen.claim.pivot == seen.pivot
    return seen.marker is not None and seen.marker.mode == "keep" and bool(seen.copies or claimed)


def _too_late(seen: Seen) -> TooLate:
    return TooLate(
        f"{seen.target.name} is in charge already",
        "the hand-over is done: what the source says isn't true any more",
        "run the pivot again to end it; to go back, pivot from there to here",
    )


def _working_against_us(stage: Stage) -> PivotError:
    what = f"{stage.operations[0]}: needed again and again"
    return Stalled(what, "somebody else undoes it (a GitOps tool, an operator, a webhook)", "stop that, then run again")
