"""A step is a gap and a close; a run closes one gap after another.

`gap()` looks and never touches: None when nothing is to be done, else one sentence. That sentence is the dry run,
the progress line, the journal's note and the stall's message, so that they can't disagree. `close()` starts the work
and may be repeated. Afterwards `gap()` is asked again: a step is closed when the world says so, not when `close()`
returns.

A run ends early in three ways: an error that is permanent, a cause that can't heal (`Cause.hopeless`), or no new gap
for the stall limit. There is no fixed clock from the start: something that moves may take as long as it takes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Literal, Protocol

from bootstrapper.errors import EXPLAINED, Stalled, StepError

#: Seconds between two looks at an open gap.
LOOK_EVERY = 0.5
#: Seconds after which an open gap is closed again: `close()` may be repeated, and what it started may have been lost.
#: A step may say otherwise.
CLOSE_AGAIN = 10.0
#: Seconds between two searches for the cause of a wait.
ASK_CAUSE = 5.0


class Clock(Protocol):
    """Time, as a port: tests bring their own."""

    def now(self) -> float:
        """Seconds on a clock that never goes back; only differences mean something."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait `seconds`."""
        ...


@dataclass(frozen=True)
class Cause:
    """Why a gap stays open, read from what the world really says.

    `object` is what blocks ("Machine default/mgmt-x7k2p"), `text` the cause in plain words, `hint` what to type next.
    `hopeless` means that waiting can't heal it.
    """

    object: str
    text: str
    hint: str = ""
    hopeless: bool = False

    def __str__(self) -> str:
        return f"{self.object}: {self.text}"


def no_cause() -> Cause | None:
    """The cause of a step that has nothing to ask beyond its gap."""
    return None


@dataclass(frozen=True)
class Step:
    """One thing that must be so. `title` says it as a wish ("the bootstrap cluster runs").

    `again`: seconds after which an open gap is closed again.
    """

    name: str
    title: str
    gap: Callable[[], str | None]
    close: Callable[[], None]
    cause: Callable[[], Cause | None] = no_cause
    again: float = CLOSE_AGAIN


@dataclass(frozen=True)
class Together:
    """Tracks that don't need each other and run side by side; each is a sequence of steps in order."""

    tracks: tuple[tuple[Step, ...], ...]

    def __init__(self, *tracks: Sequence[Step]) -> None:
        object.__setattr__(self, "tracks", tuple(tuple(track) for track in tracks))


Item = Step | Together


@dataclass(frozen=True)
class Event:
    """What the operator is told and the journal keeps. `seconds` is the time since this step's first look."""

    step: str
    title: str
    kind: Literal["waiting", "closing", "closed", "already", "failed"]
    text: str
    seconds: float


Report = Callable[[Event], None]

#: Where the words of the step that is being closed in this thread go.
_listener: ContextVar[Callable[[str], None] | None] = ContextVar("listener", default=None)


def say(text: str) -> None:
    """What a long `close()` is at, for the operator's eyes; nobody listens outside a run."""
    listener = _listener.get()
    if listener is not None:
        listener(text)


def flat(items: Sequence[Item]) -> list[Step]:
    """Every step, in the order in which it is written."""
    return [
        step
        for item in items
        for step in ([item] if isinstance(item, Step) else [step for track in item.tracks for step in track])
    ]


def preview(items: Sequence[Item]) -> list[tuple[Step, str | None]]:
    """What a run would do now: each step with its gap. Touches nothing."""
    return [(step, _look(step)) for step in flat(items)]


@dataclass
class _Wait:
    """One open gap: since when, what was seen of it, when it was last closed and asked about. Times by the clock."""

    gap: str
    start: float
    changed: float = field(init=False)
    asked_at: float = field(init=False)
    closed_at: float | None = None
    #: The gap at which the last close failed, None when it didn't.
    refused: str | None = None
    cause: Cause | None = None
    told: str = field(init=False)
    _known: set[str] = field(init=False)

    def __post_init__(self) -> None:
        self.changed = self.asked_at = self.start
        self.told = self.gap
        self._known = {self.gap}

    def see(self, gap: str, now: float) -> None:
        """Note a look. A gap that was there before isn't a change: what goes to and fro gets nowhere."""
        if gap != self.gap:
            self.gap, self.cause = gap, None
        if gap not in self._known:
            self._known.add(gap)
            self.changed = now

    def due(self, now: float, again: float) -> bool:
        """Whether to close now. What failed for lack of one thing is tried again as soon as another is lacking."""
        if self.closed_at is None or now - self.closed_at >= again:
            return True
        return self.refused is not None and self.refused != self.gap

    def text(self) -> str:
        """What is waited for, and why as far as that is known."""
        return f"{self.gap} ({self.cause})" if self.cause else self.gap


@dataclass
class Runner:
    """Closes gaps. `stall` is the limit in seconds without a new gap.

    Raises:
        Stalled: a gap didn't change for `stall` seconds.
        StepError: a cause that can't heal.
        BootstrapperError: whatever permanent error a step met.
    """

    clock: Clock
    report: Report
    stall: float
    _halt: threading.Event = field(default_factory=threading.Event)

    def run(self, items: Sequence[Item]) -> None:
        """Close every gap, in order; tracks of a `Together` side by side."""
        for item in items:
            if isinstance(item, Step):
                self._close_gap(item)
            else:
                self._together(item)

    def _together(self, item: Together) -> None:
        with ThreadPoolExecutor(len(item.tracks), thread_name_prefix="track") as pool:
            futures = [pool.submit(self._track, track) for track in item.tracks]
            try:
                done, _ = wait(futures, return_when=FIRST_EXCEPTION)
            except BaseException:  # the operator's Ctrl-C reaches the main thread only
                self._halt.set()
                raise
            errors = [error for future in done if (error := future.exception())]
            if errors:
                self._halt.set()
        if errors:
            raise errors[0]

    def _track(self, track: Sequence[Step]) -> None:
        for step in track:
            if self._halt.is_set():
                return
            self._close_gap(step)

    def _close_gap(self, step: Step) -> None:
        start = self.clock.now()
        try:
            self._until_closed(step, start)
        except EXPLAINED as error:
            self._tell(step, "failed", str(error), start)
            raise

    def _until_closed(self, step: Step, start: float) -> None:
        gap = _look(step)
        if gap is None:
            self._tell(step, "already", "nothing to do", start)
            return
        self._tell(step, "closing", gap, start)
        wait = _Wait(gap, start)
        while not self._halt.is_set():
            self._close(step, wait)
            gap = _look(step)
            if gap is None:
                self._tell(step, "closed", "", start)
                return
            wait.see(gap, self.clock.now())
            self._ask_cause(step, wait)
            if wait.text() != wait.told:
                wait.told = wait.text()
                self._tell(step, "waiting", wait.told, start)
            if self.clock.now() - wait.changed >= self.stall:
                raise self._stalled(step, wait)
            self.clock.sleep(LOOK_EVERY)

    def _close(self, step: Step, wait: _Wait) -> None:
        first = wait.closed_at is None
        if not wait.due(self.clock.now(), step.again):
            return
        wait.refused = None
        token = _listener.set(lambda text: self._tell(step, "waiting", text, wait.start))
        try:
            step.close()
        except EXPLAINED as error:
            if error.permanent:
                raise
            wait.told, wait.refused = str(error), wait.gap
            self._tell(step, "waiting", wait.told, wait.start)
        finally:
            _listener.reset(token)
        wait.closed_at = self.clock.now()
        if first:  # what it began shows only from now on, however long it took itself
            wait.changed = wait.closed_at

    def _ask_cause(self, step: Step, wait: _Wait) -> None:
        if self.clock.now() - wait.asked_at < ASK_CAUSE:
            return
        wait.asked_at = self.clock.now()
        wait.cause = cause = _cause(step)
        if cause is not None and cause.hopeless:
            raise StepError(f"{step.title}: can't be reached; {cause.object}", cause.text, cause.hint)

    def _stalled(self, step: Step, wait: _Wait) -> Stalled:
        cause = _cause(step)
        seconds = self.clock.now() - wait.changed
        return Stalled(
            f"{step.title}: no change for {seconds:.0f} s; still: {wait.gap}",
            str(cause) if cause else "",
            (cause.hint if cause else "") or "Run the same command again to go on from here.",
        )

    def _tell(
        self,
        step: Step,
        kind: Literal["waiting", "closing", "closed", "already", "failed"],
        text: str,
        start: float,
    ) -> None:
        self.report(Event(step.name, step.title, kind, text, self.clock.now() - start))


def _look(step: Step) -> str | None:
    """The gap; contact that is lost for now is a gap as well."""
    try:
        return step.gap()
    except EXPLAINED as error:
        if error.permanent:
            raise
        return str(error)


def _cause(step: Step) -> Cause | None:
    """The cause; that it can't be found out is no failure of the step."""
    try:
        return step.cause()
    except EXPLAINED:
        return None
