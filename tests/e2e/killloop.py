"""The kill loop over many seeds, for hours when one likes: a cluster a seed, killed at random, checked, destroyed."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from e2e import checks, kills, outside
from e2e.lab import Lab
from e2e.outside import Births


def main(argv: list[str]) -> int:
    """0: all seeds are green · 1: not all are."""
    parser = argparse.ArgumentParser(prog="hack/killloop", description=__doc__)
    parser.add_argument("seeds", nargs="?", type=int, default=20, help="how many (20)")
    parser.add_argument("--first", type=int, default=1, help="the first seed (1); seeds follow each other")
    asked = parser.parse_args(argv)
    failed = []
    for seed in range(asked.first, asked.first + asked.seeds):
        wrong, seconds = _seed(seed)
        print(f"seed {seed}: {'; '.join(wrong) or 'green'} ({seconds:.0f} s)", flush=True)
        failed += [seed] if wrong else []
    print(f"{asked.seeds - len(failed)} of {asked.seeds} seeds are green" + (f"; not: {failed}" if failed else ""))
    return 1 if failed else 0


def _seed(seed: int) -> tuple[list[str], float]:
    """What is wrong with a seed, and the seconds it took."""
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="killloop-") as folder:
        lab = Lab(Path(folder), "killloop")
        lab.sweep()
        try:
            wrong = _told(lab, seed)
        except AssertionError as error:
            wrong = [str(error)]
        finally:
            lab.sweep()
    return wrong, time.monotonic() - start


def _told(lab: Lab, seed: int) -> list[str]:
    print(f"seed {seed}:", flush=True)
    with Births(lab.name) as births:
        killed = kills.survive(lab, kills.chosen(seed))
        kills.to_the_end(lab, killed)
    wrong = checks.wrong_with(lab, lab.kubectl(), workers=1)
    if births.names != [c.name for c in outside.containers(lab.name)]:
        wrong.append(f"containers that were ever made: {births.names}")
    lab.run("destroy", lab.name, "--yes").must()
    return wrong + [f"left after destroy: {what}" for what in lab.left()]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
