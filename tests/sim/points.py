"""How many points of lost power were run, told at the end of a test run."""

from __future__ import annotations

from collections import Counter

#: What was run -> points.
POINTS: Counter[str] = Counter()
