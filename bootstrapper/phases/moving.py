"""One pivot as steps: from the bootstrap cluster within `init`, or by itself between any two management clusters."""

from __future__ import annotations

import json
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

    def gap(self) -> str | None:
        """What is left to do, None when the target is in charge and nothing is."""
        status = self.engine().status()
        return None if status.stage == "done" else str(status)

    def move(self) -> Proof:
        """Run to the end, and keep the proof."""
        proof = self.engine().run()
        name = self.proof_name(proof)
        if proof.counts or self.state.read(name) is None:  # who runs it again after the end has nothing to prove
            self.state.write(name, json.dumps(proof.as_dict(), indent=2, sort_keys=True) + "\n")
        say(str(proof))
        return proof

    @staticmethod
    def proof_name(proof: Proof) -> str:
        """The file in the state folder."""
        return f"{proof.pivot}.json"

    def back(self) -> list[Step]:
        """The source is as it was before the pivot began; `close` raises TooLate when the target is in charge."""
        aborted: list[bool] = []

        def gap() -> str | None:
            # No look of its own: the engine looks until nothing is left to undo, and "never begun" looks the same.
            return None if aborted else f"what a pivot made in {self.target.name} goes, and what it paused resumes"

        def close() -> None:
            self.engine().abort()
            aborted.append(True)

        return [Step("abort", f"{self.source.name} is as it was before the pivot", gap, close)]
