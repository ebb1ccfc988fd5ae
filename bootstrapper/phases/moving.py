"""One pivot as steps: from the bootstrap cluster within `init`, or by itself between any two management clusters."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from bootstrapper.step import Step, say
from bootstrapper.world import State
from pivot.engine import Pivot
from pivot.ports import Clock, Cluster
from pivot.report import Proof
from pivot.seen import Options

#: Seconds for which one request of a pivot is repeated while the answer is transient.
PATIENCE = 60.0


@dataclass(frozen=True)
class Moving:
    """From `source` to `target`; `state` keeps the proof, as `<pivot>.json`."""

    source: Cluster
    target: Cluster
    options: Options
    clock: Clock
    state: State

    def engine(self) -> Pivot:
        """The pivot's engine, which lives for one try: the next one looks at everything anew."""
        return Pivot(self.source, self.target, self.options, self.clock, lambda progress: say(str(progress)))

    def move(self) -> Proof:
        """Run to the end, and keep the proof."""
        proof = self.engine().run()
        name = self.proof_name(proof)
        if proof.counts or self.state.read(name) is None:  # who runs it again after the end has nothing to prove
            self.state.write(name, json.dumps(proof.as_dict(), indent=2, sort_keys=True) + "\n")
        say(str(proof))
        return proof

    def forth(self, proved: Callable[[Proof], None]) -> list[Step]:
        """The target is in charge; `proved` gets the proof."""
        return [
            _once(
                "pivot",
                f"{self.target.name} is in charge",
                f"what {self.source.name} manages goes to {self.target.name}, as far as it isn't there",
                lambda: proved(self.move()),
            )
        ]

    def back(self) -> list[Step]:
        """The source is as it was before the pivot began; raises TooLate when the target is in charge."""
        return [
            _once(
                "abort",
                f"{self.source.name} is as it was before the pivot",
                f"what a pivot made in {self.target.name} goes, and what it paused resumes",
                lambda: self.engine().abort(),
            )
        ]

    @staticmethod
    def proof_name(proof: Proof) -> str:
        """The file in the state folder."""
        return f"{proof.pivot}.json"


def _once(name: str, title: str, gap: str, close: Callable[[], None]) -> Step:
    """A step whose `close` looks at the world itself until nothing is left to do: its gap needs no look of its own."""
    closed: list[bool] = []

    def run() -> None:
        close()
        closed.append(True)

    return Step(name, title, lambda: None if closed else gap, run)
