"""The power is lost at every write of every scenario, and the same command is run again: it must reach the same end.

The invariants I1-I4 of pivot.md are asserted by the world after every write; I5 and I6 are asserted here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from scenarios import SCENARIOS
from world import PowerLost, World, state

from pivot.errors import TooLate

MOMENTS = ("before", "after")
#: What was run -> at how many points the power was lost.
POINTS: Counter[str] = Counter()


@pytest.fixture(scope="module", autouse=True)
def _told(request: pytest.FixtureRequest) -> Iterator[None]:
    """Tells at the end at how many points the power was lost."""
    yield
    parts = ", ".join(f"{number} {what}" for what, number in sorted(POINTS.items()))
    capture = request.config.pluginmanager.getplugin("capturemanager")
    assert capture is not None
    with capture.global_and_fixture_disabled():
        print(f"\nthe pivot lost power at {POINTS.total()} points: {parts}")


def straight(name: str) -> World:
    """The world after a run that nothing disturbed."""
    world = SCENARIOS[name]().begin()
    world.run()
    return world


def ends(world: World) -> dict[str, object]:
    return {"source": state(world.source), "target": state(world.target)}


def lose_power(world: World, at: int, when: str) -> bool:
    """Run until power fails at the write; False when the run ended before it."""
    world.lose_power_at = (world.writes + at, when)
    try:
        world.run()
    except PowerLost:
        return True
    finally:
        world.lose_power_at = None
    return False


@pytest.mark.parametrize("name", SCENARIOS)
def test_i6_a_second_run_reaches_the_same_end_from_every_write(name: str) -> None:
    wanted = straight(name)
    for at in range(wanted.writes):
        for when in MOMENTS:
            world = SCENARIOS[name]().begin()
            assert lose_power(world, at, when)
            world.run()
            assert ends(world) == ends(wanted), f"power lost {when} write {at}"
    POINTS["writes of a pivot"] += 2 * wanted.writes


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_run_after_the_end_writes_nothing(name: str) -> None:
    world = straight(name)
    before = world.writes
    proof = world.run()
    assert world.writes == before
    assert proof.in_charge == "target"


@pytest.mark.parametrize("name", SCENARIOS)
def test_i5_abort_leaves_both_as_they_were_from_every_write_before_the_hand_over(name: str) -> None:
    points = 0
    for at in range(straight(name).writes):
        for when in MOMENTS:
            world = SCENARIOS[name]().begin()
            assert lose_power(world, at, when)
            world.on_write = lambda number: None
            if world.handed_over():
                with pytest.raises(TooLate):
                    world.pivot().abort()
                continue
            world.pivot().abort()
            points += 1
            assert _as_before(world)
    POINTS["writes before an abort"] += points


def _as_before(world: World) -> bool:
    """Both as at first, but for what others did meanwhile."""
    for side in (world.source, world.target):
        now = state(side)
        for name, body in world.at_first[side.name].items():
            if world.gitops or name[3] == "moving-target":
                continue
            assert now[name] == body, name
        extra = {name for name in now.keys() - world.at_first[side.name].keys() if name[3] != "born-late"}
        assert not extra, extra
    return True


@pytest.mark.parametrize("name", ["throw_away_source", "source_that_lives_on", "one_namespace_with_a_shared_class"])
def test_abort_killed_at_every_write_and_run_again(name: str) -> None:
    world = SCENARIOS[name]().begin()
    last = _writes_before_hand_over(name)
    assert lose_power(world, last, "before")
    begun = world.writes
    world.pivot().abort()
    aborting = world.writes - begun
    for at in range(aborting):
        for when in MOMENTS:
            world = SCENARIOS[name]().begin()
            assert lose_power(world, last, "before")
            world.lose_power_at = (world.writes + at, when)
            with pytest.raises(PowerLost):
                world.pivot().abort()
            world.lose_power_at = None
            world.pivot().abort()
            assert _as_before(world)
    POINTS["writes of an abort"] += 2 * aborting


def _writes_before_hand_over(name: str) -> int:
    world = SCENARIOS[name]().begin()
    found: list[int] = []
    world.on_write = lambda number: found.append(number) if world.handed_over() else None
    world.run()
    return found[0] - 1


@pytest.mark.parametrize("name", ["throw_away_source", "bare_api_servers", "owner_cycle"])
def test_i6_power_lost_at_every_pair_of_writes(name: str) -> None:
    wanted = straight(name)
    points = 0
    for first in range(wanted.writes):
        for second in range(wanted.writes):
            world = SCENARIOS[name]().begin()
            assert lose_power(world, first, "after")
            if not lose_power(world, second, "after"):
                assert ends(world) == ends(wanted)
                break
            world.run()
            points += 1
            assert ends(world) == ends(wanted), f"power lost at writes {first} and {second}"
    POINTS["pairs of writes of a pivot"] += points
