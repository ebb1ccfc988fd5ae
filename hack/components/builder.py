"""Makes what isn't there: looks which parts are missing or changed, makes them side by side, puts the
bundle together."""

from __future__ import annotations

import errno
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bootstrapper.adapters.layout import Layout
from bootstrapper.adapters.layout_writer import LayoutWriter
from bootstrapper.errors import BundleError, MachineError, NotEnough
from hack.components import work as works
from hack.components.parts import Part, key_of, own_inputs, why, with_needs
from hack.components.progress import about, clock
from hack.components.schedule import Task, ordered, remaining, startable

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from bootstrapper.adapters.layout import Artifact
    from hack.components.progress import Progress
    from hack.components.store import Made, Store

POLL = 0.5


@dataclass
class Running:
    """A part that is being made."""

    part: Part
    key: str
    inputs: dict[str, str]
    began: float
    says: str = ""


@dataclass
class Builder:
    """One run over a list of parts. `made` fills up until every part is in it."""

    store: Store
    progress: Progress
    platform: str
    parts: list[Part]
    made: dict[str, Made] = field(default_factory=dict)
    running: dict[Future[Made], Running] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.parts = ordered(self.parts)
        self._known = self.store.durations()
        # Now, not when a part's turn comes: this program runs the recipes as they were when it was started.
        self._own = {p.name: {"platform": self.platform, **own_inputs(p)} for p in self.parts}

    def look(self) -> dict[str, str]:
        """Takes what is there into `made`; the rest by name, with why it has to be made."""
        todo: dict[str, str] = {}
        for part in self.parts:
            waits = [n for n in part.needs if n not in self.made]
            if waits:
                there = self.store.last(part.name)
                todo[part.name] = f"when {waits[0]} comes out changed" if there else "missing"
            elif reason := self._find(part):
                todo[part.name] = reason
        return todo

    def run(self) -> None:
        """Makes all that is to be made. Raises the first failure after ending the other commands."""
        todo = self.look()
        if not todo:
            return
        tasks = self._tasks()
        names = ", ".join(todo)
        self.progress.line(f"{len(todo)} of {len(self.parts)} parts to make, {self._left(tasks)}: {names}")
        with ThreadPoolExecutor(max_workers=len(tasks)) as pool:
            try:
                while tasks := self._tasks():
                    self._start(pool, tasks)
                    self._wait(tasks)
            except BaseException:
                works.stop_all()
                raise

    def _find(self, part: Part) -> str:
        inputs = self._inputs(part)
        made = self.store.find(part.name, key_of(part, inputs))
        if made:
            self.made[part.name] = made
            return ""
        last = self.store.last(part.name)
        return why(last.inputs if last else None, inputs)

    def _inputs(self, part: Part) -> dict[str, str]:
        outputs = {n: self.made[n].output for n in part.needs}
        return with_needs(part, self._own[part.name], outputs)

    def _tasks(self) -> dict[str, Task]:
        return {
            p.name: Task(self._known.get(p.name, p.seconds), p.lane, p.needs)
            for p in self.parts
            if p.name not in self.made
        }

    def _start(self, pool: ThreadPoolExecutor, tasks: dict[str, Task]) -> None:
        by_name = {p.name: p for p in self.parts}
        for name in startable(tasks, [r.part.name for r in self.running.values()]):
            part = by_name[name]
            reason = self._find(part)
            if not reason:
                continue  # what it needs came out as before
            inputs = self._inputs(part)
            now = Running(part, key_of(part, inputs), inputs, time.monotonic())
            self.progress.line(f"{name}: making it ({reason}), {about(tasks[name].seconds)}")
            self.running[pool.submit(self._make, now)] = now

    def _make(self, now: Running) -> Made:
        folder = self.store.attempt(now.part.name)
        work = works.Work(
            now.part.name,
            folder,
            cache=self.store.cache,
            log=self.store.log(now.part.name),
            needs={n: self.made[n].folder for n in now.part.needs},
            platform=self.platform,
            tell=lambda text: setattr(now, "says", text),
        )
        try:
            now.part.build(work)
            work.layout.publish()
            return self.store.publish(now.part.name, now.key, now.inputs, work.out)
        except OSError as e:
            kind = NotEnough if e.errno == errno.ENOSPC else MachineError
            raise kind(f"{now.part.name} can't be made", str(e), f"look at {work.log}") from e

    def _wait(self, tasks: dict[str, Task]) -> None:
        if not self.running:
            return
        done, _ = wait(self.running, timeout=POLL, return_when=FIRST_COMPLETED)
        for future in done:
            now = self.running.pop(future)
            made = future.result()
            seconds = time.monotonic() - now.began
            self.made[now.part.name] = made
            self.store.took(now.part.name, seconds)
            self.progress.line(f"{now.part.name}: made in {about(seconds)}")
        if not done:
            self.progress.status(f"{' | '.join(map(_says, self.running.values()))} | {self._left(tasks)}")

    def _left(self, tasks: dict[str, Task]) -> str:
        ages = {r.part.name: time.monotonic() - r.began for r in self.running.values()}
        return f"about {about(remaining(tasks, ages))} left"


def assemble(made: Iterable[Made], target: Path, platform: str) -> bool:
    """Makes the layout in `target` that of all these parts, blobs linked. False when it was that already."""
    writer = LayoutWriter(target, platform)
    layouts = [Layout.open(m.folder) for m in made]
    wanted = sorted(a for layout in layouts for a in layout.artifacts)
    if _is_there(target, wanted):
        return False
    for layout in layouts:
        writer.take(layout)
    writer.publish()
    writer.prune()
    return True


def _is_there(target: Path, wanted: list[Artifact]) -> bool:
    try:
        layout = Layout.open(target)
    except BundleError:
        return False
    return list(layout.artifacts) == wanted and not layout.missing()


def _says(now: Running) -> str:
    age = clock(time.monotonic() - now.began)
    return f"{now.part.name}{': ' + now.says if now.says else ''} (since {age})"
