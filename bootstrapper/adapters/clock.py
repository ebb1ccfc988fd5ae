"""The real clock."""

from __future__ import annotations

import time


class SystemClock:
    """Monotonic time and real waiting; see `bootstrapper.step.Clock`."""

    def now(self) -> float:
        """Seconds of the monotonic clock."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait `seconds`."""
        time.sleep(seconds)
