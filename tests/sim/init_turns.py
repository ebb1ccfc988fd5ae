"""Time that passes only while everybody waits, and tracks that run side by side in turns that are always the same.

The step engine's threads stay threads, but one runs at a time and gives its turn away only when it sleeps. So a run is
repeated exactly, which losing the power at its n-th write rests upon.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any
from unittest import mock

import bootstrapper.phases.sites
import bootstrapper.step
import pivot.observe
import pivot.schedule


class Clock:
    """See `bootstrapper.step.Clock`. `tick` is called whenever time has passed."""

    def __init__(self, tick: Callable[[], None]) -> None:
        self.time, self._tick = 0.0, tick
        self.here = threading.local()

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        turn: _Track | None = getattr(self.here, "track", None)
        if turn is None:
            self.pass_until(self.time + seconds)
        else:
            turn.wait_until(self.time + seconds)

    def pass_until(self, time: float) -> None:
        if time > self.time:
            self.time = time
            self._tick()


class _Track:
    def __init__(self, clock: Clock, run: Callable[[], Any]) -> None:
        self.future: Future[Any] = Future()
        self.wakes = clock.time
        self._clock, self._run = clock, run
        self._go, self._back = threading.Semaphore(0), threading.Semaphore(0)
        self._thread = threading.Thread(target=self._begin, daemon=True)
        self._thread.start()

    def turn(self) -> None:
        """Let it run until it sleeps or ends."""
        self._clock.pass_until(self.wakes)
        self._go.release()
        self._back.acquire()

    def wait_until(self, time: float) -> None:
        self.wakes = time
        self._back.release()
        self._go.acquire()

    def _begin(self) -> None:
        self._go.acquire()
        self._clock.here.track = self
        try:
            self.future.set_result(self._run())
        except BaseException as error:  # as a thread pool does; whoever asks for the result gets it
            self.future.set_exception(error)
        finally:
            self._back.release()


class Tracks:
    """Stands in for the step engine's thread pool."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tracks: list[_Track] = []

    def __enter__(self) -> Tracks:
        return self

    def __exit__(self, *_: object) -> None:
        while self._step():
            pass

    def submit(self, run: Callable[..., Any], *args: Any) -> Future[Any]:
        self._tracks.append(_Track(self._clock, lambda: run(*args)))
        return self._tracks[-1].future

    def _step(self) -> bool:
        """One turn for whoever wakes first; False when all have ended."""
        waiting = [track for track in self._tracks if not track.future.done()]
        if waiting:
            min(waiting, key=lambda track: track.wakes).turn()
        return bool(waiting)

    def until_first_exception(self) -> set[Future[Any]]:
        while not any(t.future.done() and t.future.exception() for t in self._tracks) and self._step():
            pass
        return {track.future for track in self._tracks if track.future.done()}


class Inline:
    """Stands in for thread pools whose work doesn't wait for anything: one after another."""

    def __init__(self, *_: object, **__: object) -> None: ...

    def __enter__(self) -> Inline:
        return self

    def __exit__(self, *_: object) -> None: ...

    def map(self, run: Callable[..., Any], *items: Iterable[Any]) -> Iterator[Any]:
        return iter([run(*item) for item in zip(*items, strict=False)])

    def submit(self, run: Callable[..., Any], *args: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(run(*args))
        except Exception as error:
            future.set_exception(error)
        return future

    def shutdown(self, **_: object) -> None: ...


@contextmanager
def in_turns(clock: Clock) -> Iterator[None]:
    """Within this, everything that the program does side by side is done in turns."""
    pools: list[Tracks] = []

    def pool(*_: object, **__: object) -> Tracks:
        pools.append(Tracks(clock))
        return pools[-1]

    def wait(futures: object, **_: object) -> tuple[set[Future[Any]], set[Future[Any]]]:
        return pools[-1].until_first_exception(), set()

    with (
        mock.patch.object(bootstrapper.step, "ThreadPoolExecutor", pool),
        mock.patch.object(bootstrapper.step, "wait", wait),
        mock.patch.object(bootstrapper.phases.sites, "ThreadPoolExecutor", Inline),
        mock.patch.object(pivot.schedule, "ThreadPoolExecutor", Inline),
        mock.patch.object(pivot.observe, "ThreadPoolExecutor", Inline),
    ):
        yield
