"""The command line of the benchmark."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bootstrapper import manifests
from bootstrapper.adapters.assemble import bundle_folder
from bootstrapper.adapters.layout import Layout
from bootstrapper.errors import EXPLAINED
from hack.bench.pivots import fleet, page, plot, results, servers
from hack.bench.pivots.results import OURS, PEER, Run, Side
from hack.bench.pivots.sides import Bench

INTERRUPTED = 130
ROUNDS, SIZES, LARGE, PEER_LIMIT = 3, (100, 1000, 5000), 20000, 5000


def main(argv: Sequence[str]) -> int:
    """Returns the exit code; progress goes to stderr, results to stdout."""
    arguments = _arguments(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # or the servers would outlive us
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
        prog="hack/bench/pivot",
        description="Measures `bootstrapper pivot` against `clusterctl move` and against a bare client, on the same "
        "two kube-apiservers, each from a fresh fleet.",
    )
    add = parser.add_argument
    add("--objects", type=_sizes, default=SIZES, metavar="N,N...", help="sizes (default: 100,1000,5000)")
    add("--large", type=int, default=LARGE, metavar="N", help=f"one run with N objects (default: {LARGE}; 0: none)")
    add("--peer-limit", type=int, default=PEER_LIMIT, metavar="N", help=f"no peer above (default: {PEER_LIMIT})")
    add("--rounds", type=int, default=ROUNDS, metavar="N", help=f"runs of each (default: {ROUNDS})")
    add("--new-namespace", action="store_true", help="the target doesn't have the namespace beforehand")
    add("--json", type=Path, metavar="FILE", help="write everything there, as JSON")
    add("--docs", type=Path, metavar="FOLDER", help=f"write {page.NAME} and {page.PLOT} there")
    return parser.parse_args(argv)


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(",") if part)


def _measure(arguments: argparse.Namespace, scratch: Path) -> None:
    bundle = Layout.open(bundle_folder())
    _say("starting two kube-apiservers (not timed)")
    with servers.pair(bundle, scratch) as pair:
        bench = Bench(pair, bundle.executable("clusterctl", scratch / "bin"), scratch, arguments.new_namespace)
        runs: list[Run] = []
        for objects, number, side in _schedule(arguments):
            _say(f"{objects:,} objects, round {number}, {side}: a fresh fleet")
            runs.append(bench.run(side, fleet.clusters_for(objects), number))
            _say(f"{objects:,} objects, round {number}, {side}: {runs[-1].seconds:.2f} s")
            _write(arguments, runs)
    print(results.as_text(runs), end="")


def _schedule(arguments: argparse.Namespace) -> list[tuple[int, int, Side]]:
    """Size, round and program of each run."""
    rounds = range(1, arguments.rounds + 1)
    found = [(size, number, side) for size in arguments.objects for number in rounds for side in results.order(number)]
    large = [(arguments.large, 1, OURS), (arguments.large, 1, PEER)] if arguments.large else []
    return [item for item in (*found, *large) if item[2] != PEER or item[0] <= arguments.peer_limit]


def _write(arguments: argparse.Namespace, runs: Sequence[Run]) -> None:
    if arguments.json:
        arguments.json.write_text(results.as_json(runs), encoding="utf-8")
    if arguments.docs:
        arguments.docs.mkdir(parents=True, exist_ok=True)
        (arguments.docs / page.NAME).write_text(page.page(runs, _machine(), arguments.new_namespace), encoding="utf-8")
        (arguments.docs / page.PLOT).write_text(plot.svg(results.rows(runs)), encoding="utf-8")


def _machine() -> page.Machine:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    versions = {name: manifests.versions()[name] for name in ("kubernetes", "etcd", "cluster-api")}
    return page.Machine(os.cpu_count() or 1, memory, time.strftime("%Y-%m-%d"), versions)


def _say(text: str) -> None:
    print(f"[{time.strftime('%H:%M:%S')}] {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
