"""The command line of the benchmark."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bootstrapper.adapters import assemble
from bootstrapper.adapters.engine import Engine
from bootstrapper.adapters.layout import Layout
from bootstrapper.errors import EXPLAINED
from bootstrapper.world import bootstrap_name
from hack.bench import by_hand, by_program, machines, parts, results
from hack.bench.memory import Peak
from hack.bench.parts import Parts
from hack.bench.results import SIDES, Phase, Run, Side

INTERRUPTED = 130
PREFIX = {"init": "bench-a", "by hand": "bench-b"}
PAIRS = 3


def main(argv: Sequence[str]) -> int:
    """Returns the exit code; progress goes to stderr, results to stdout."""
    arguments = _arguments(argv)
    try:
        with tempfile.TemporaryDirectory(prefix="bootstrapper-bench-") as scratch:
            _measure(arguments, Path(scratch))
    except EXPLAINED as error:
        print(f"error: {error}\nnext: {error.hint or 'the same command begins afresh'}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("interrupted; the same command begins afresh", file=sys.stderr)
        return INTERRUPTED
    return 0


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="hack/bench/init",
        description="Measures `bootstrapper init` against the documented procedure typed by hand (kind, kubectl, "
        "clusterctl) with the same parts, taking turns. About eight minutes a pair on 2 cores. Its clusters are called "
        "bench-*, and are removed after each run.",
    )
    parser.add_argument("--pairs", type=int, default=PAIRS, metavar="N", help=f"how many of each (default: {PAIRS})")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there, as JSON")
    parser.add_argument("--only", choices=SIDES, help="run just this side: a trial, which gives no ratio")
    return parser.parse_args(argv)


def _measure(arguments: argparse.Namespace, scratch: Path) -> None:
    _say("preparing what both sides use (not timed)")
    engine = Engine()
    made = parts.prepare(Layout.open(assemble.bundle_folder()), engine, scratch)
    runs: list[Run] = []
    for pair in range(1, arguments.pairs + 1):
        for side in results.order(pair):
            if arguments.only in (None, side):
                runs.append(_once(made, engine, pair, side))
                _say(f"pair {pair} of {arguments.pairs}, {side}: {runs[-1].seconds:.1f} s")
                if arguments.json:
                    arguments.json.write_text(results.as_json(runs), encoding="utf-8")
    print(results.as_text(runs), end="")


def _once(made: Parts, engine: Engine, pair: int, side: Side) -> Run:
    name = f"{PREFIX[side]}{pair}"
    clusters = [name, bootstrap_name(parts.request(name)), by_hand.bootstrap_name(name)]
    machines.remove(engine, clusters)  # what a killed benchmark left
    measured = by_program.run if side == "init" else by_hand.run

    def told(phase: Phase) -> None:
        _say(f"pair {pair}, {side}: {phase.name}: {phase.seconds:.1f} s")

    try:
        with tempfile.TemporaryDirectory(prefix=f"{name}-") as folder, Peak(clusters) as peak:
            load = os.getloadavg()[0]
            phases = measured(made, name, Path(folder), told)
        return Run(pair, side, max(p.begin + p.seconds for p in phases), tuple(phases), peak.bytes, load)
    finally:
        machines.remove(engine, clusters)


def _say(text: str) -> None:
    print(f"[{time.strftime('%H:%M:%S')}] {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
