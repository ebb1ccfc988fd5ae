"""Tells at the end at how many points the power was lost."""

from __future__ import annotations

import pytest
from points import POINTS


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if POINTS:
        parts = ", ".join(f"{number} {what}" for what, number in sorted(POINTS.items()))
        terminalreporter.write_line(f"power lost at {POINTS.total()} points: {parts}")
