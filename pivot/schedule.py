"""Operations of a stage, side by side: each begins as soon as what it rests on is done, not when a whole wave is.

Waves are how a plan is shown; that an object waits for its owners alone makes no difference to what anybody can see.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import Empty, SimpleQueue

from pivot.objects import Key
from pivot.plan import Operation

#: Actions that write a copy (it rests on its owners) and that remove an object (it rests on what it owns).
COPYING = frozenset({"create", "update", "link", "restore fields", "restore status", "adopt"})
REMOVING = frozenset({"retire", "discard"})
#: Seconds between two beats while nothing ends.
BEAT = 1.0

Wave = Sequence[Operation]


def parts(waves: Sequence[Wave]) -> list[list[Wave]]:
    """The waves, those together that may overlap. Pure."""
    found: list[list[Wave]] = []
    for wave in waves:
        if found and _sort(wave) and _sort(wave) == _sort(found[-1][-1]):
            found[-1].append(wave)
        else:
            found.append([wave])
    return found


def _sort(wave: Wave) -> frozenset[str] | None:
    actions = {operation.action for operation in wave}
    return next((sort for sort in (COPYING, REMOVING) if actions <= sort), None)


def rests_on(
    part: Sequence[Wave], above: Callable[[Key], Collection[Key]], below: Mapping[Key, Collection[Key]]
) -> list[set[int]]:
    """For each operation of a part, in order, the places of those it has to wait for. Pure.

    `above` are an object's owners, `below` what it owns; only what stands in an earlier wave counts, so an owner cycle
    is no deadlock.
    """
    removing = bool(part) and _sort(part[0]) == REMOVING
    found: list[set[int]] = []
    earlier: dict[Key, int] = {}
    for wave in part:
        for operation in wave:
            keys: Collection[Key] = ()
            if operation.key and earlier:
                keys = below.get(operation.key, ()) if removing else above(operation.key)
            found.append({earlier[key] for key in keys if key in earlier})
        first = len(found) - len(wave)
        earlier.update({op.key: first + place for place, op in enumerate(wave) if op.key})
    return found


def run(
    operations: Sequence[Operation],
    waits: Sequence[set[int]],
    do: Callable[[Operation], None],
    parallel: int,
    beat: Callable[[int], None],
) -> None:
    """All of them, at most `parallel` at once; the first failure stops those that haven't begun.

    `beat` is called now and then, in this thread, with the number of operations that are done.
    """
    left = [set(places) for places in waits]
    resting: dict[int, list[int]] = {}
    for place, places in enumerate(left):
        for other in places:
            resting.setdefault(other, []).append(place)
    ready = deque(place for place, places in enumerate(left) if not places)
    ended: SimpleQueue[Future[None]] = SimpleQueue()
    places_of: dict[Future[None], int] = {}
    begun = done = 0
    with ThreadPoolExecutor(parallel) as pool:
        try:
            while done < len(operations):
                while ready and begun - done < parallel:
                    place = ready.popleft()
                    future = pool.submit(do, operations[place])
                    places_of[future] = place
                    future.add_done_callback(ended.put)
                    begun += 1
                try:
                    future = ended.get(timeout=BEAT)
                except Empty:
                    beat(done)
                    continue
                future.result()
                done += 1
                beat(done)
                place = places_of.pop(future)
                for other in resting.get(place, ()):
                    left[other].discard(place)
                    if not left[other]:
                        ready.append(other)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
