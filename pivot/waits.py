"""What a stage began isn't done when its writes are: controllers have to act. This waits, and says what for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pivot.errors import Stalled
from pivot.objects import Item
from pivot.plan import Stage, plan
from pivot.ports import NAMESPACE, Clock, Cluster, Managers, Progress, Report
from pivot.seen import Options, Seen

#: Seconds between two looks: short first, then patient.
POLL = (0.2, 0.5, 1.0, 2.0)
#: Seconds for a namespace to end.
LINGER = 15.0

Look = Callable[[], Seen]
Beat = Callable[[], None]


@dataclass(frozen=True)
class Waits:
    """Between two stages of one run. `managers` are the source's, `managers_there` the target's."""

    target: Cluster
    managers: Managers
    managers_there: Managers
    options: Options
    clock: Clock
    report: Report

    def after(self, stage: Stage, look: Look, beat: Beat) -> Seen | None:
        """Return when what the stage began has happened; `beat` is called at every look.

        Gives the look that showed it, where it took one at both clusters.

        Raises:
            Stalled: nothing changes any more.
        """
        if stage.name == "barrier":
            return self._barrier(stage, look, beat)
        if stage.name == "fence":
            self._until(stage.name, lambda: _still("running", self.managers.running()), beat)
        elif stage.name in ("start managers", "unfence"):
            self._until(stage.name, lambda: _still("starting", self.managers.starting()), beat)
        elif stage.name == "resume classes":
            self._until(stage.name, lambda: self._unreconciled(look), beat)
        elif stage.name == "namespaces":
            self._linger(stage, beat)
        return None

    def _barrier(self, stage: Stage, look: Look, beat: Beat) -> Seen:
        last: list[Seen] = []

        def waits() -> tuple[str, ...]:
            last[:] = []  # before the next look: two at once would need twice the memory
            last.append(look())
            stages = plan(last[0], self.options).stages
            return stages[0].waits if stages and stages[0].name == "barrier" else ()

        self._until(stage.name, waits, beat)
        return last[0]

    def _unreconciled(self, look: Look) -> tuple[str, ...]:
        """ClusterClasses that the target's managers haven't reconciled; without managers nobody is waited for."""
        if not self.managers_there.running():
            return ()
        mine = [item for item in look().copies.values() if item.key.kind == "ClusterClass"]
        return tuple(f"{item.key} isn't reconciled in the target yet" for item in mine if not _reconciled(item))

    def _linger(self, stage: Stage, beat: Beat) -> None:
        """A namespace ends some moments after it was deleted, and whoever runs the command again should find it gone.

        Where nobody ends namespaces (an API server without controllers), that can't be waited for.
        """
        names = [operation.key.name for operation in stage.operations if operation.key]
        until = self.clock.now() + LINGER
        while self.clock.now() < until and any(self.target.get(NAMESPACE, None, name) for name in names):
            beat()
            self.clock.sleep(POLL[1])

    def _until(self, stage: str, waits: Callable[[], tuple[str, ...]], beat: Beat) -> None:
        began = changed = self.clock.now()
        before: tuple[str, ...] = ()
        polls = 0
        while left := waits():
            beat()
            now = self.clock.now()
            if left != before:
                before, changed = left, now
            elif now - changed > self.options.stall:
                raise Stalled(left[0], f"nothing has changed for {now - changed:.0f} s", "see its manager's log")
            more = f" (and {len(left) - 1} more)" if len(left) > 1 else ""
            self.report(Progress(stage, f"waiting: {left[0]}{more}", since=now - began))
            self.clock.sleep(POLL[min(polls, len(POLL) - 1)])
            polls += 1


def _still(what: str, names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"manager {name} is still {what}" for name in names)


def _reconciled(cluster_class: Item) -> bool:
    observed = (cluster_class.body.get("status") or {}).get("observedGeneration")
    return observed is not None and int(observed) >= cluster_class.generation
