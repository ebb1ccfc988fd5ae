"""The power is lost at every write of `init` to anything in the world, and the same command is run again: it must reach
the same end, and what must hold (see `init_world.Scene`) holds at every write on the way.
"""

from __future__ import annotations

import random

import pytest
from init_world import PowerLost, Scene

from bootstrapper.world import Object
from pivot.seen import DONE

#: Runs in which the power is lost again and again, at random.
SEEDS = 40
#: The points are tried in parts, so that they can be tried side by side.
PARTS = 4


def straight(backend: str = "kind") -> Scene:
    """The scene after a run that nothing disturbed."""
    scene = Scene(backend)
    scene.run()
    return scene


def points(scene: Scene) -> list[tuple[int, str]]:
    """Every write, before and after; not before where no time passed since the write before: that is the same world."""
    found, ticks = [], -1
    for at, (before, after) in enumerate(scene.power.moments):
        found += [(at, "before")] if before != ticks else []
        found.append((at, "after"))
        ticks = after
    return found


def end(scene: Scene) -> Object:
    """The end, when everything has come to rest."""
    scene.wait()
    return scene.end()


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("backend", ["kind", "existing"])
def test_a_second_run_reaches_the_same_end_from_every_write(backend: str, part: int) -> None:
    undisturbed = straight(backend)
    wanted = end(undisturbed)
    chosen = points(undisturbed)[part::PARTS]
    for at, when in chosen:
        scene = Scene(backend)
        assert scene.run_until(at, when)
        scene.run()
        assert end(scene) == wanted, f"power lost {when} write {at}: {undisturbed.power.trace[at]}"
    print(f"{backend}, part {part}: {len(undisturbed.power.trace)} writes, {len(chosen)} points")


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("backend", ["kind", "existing"])
def test_the_end_is_the_same_when_time_passes_before_the_second_run(backend: str, part: int) -> None:
    """Controllers go on while nobody runs the program, in whatever state it left the world."""
    undisturbed = straight(backend)
    wanted = end(undisturbed)
    chosen = [point for point in points(undisturbed) if point[1] == "after"][part::PARTS]
    for at, when in chosen:
        scene = Scene(backend)
        assert scene.run_until(at, when)
        scene.wait()
        scene.run()
        assert end(scene) == wanted, f"power lost {when} write {at}: {undisturbed.power.trace[at]}"
    print(f"{backend}, part {part}: {len(chosen)} points")


@pytest.mark.parametrize("seed", range(SEEDS))
def test_power_lost_again_and_again(seed: int) -> None:
    chance = random.Random(seed)
    undisturbed = straight()
    wanted = end(undisturbed)
    scene = Scene()
    for _ in range(chance.randint(2, 6)):
        at = chance.randrange(len(undisturbed.power.trace) // 2)
        if not scene.run_until(at, chance.choice(["before", "after"])):
            break
        scene.wait(chance.choice([0, 0, 1, 3, 20]))
    scene.run()
    assert end(scene) == wanted


def test_an_undisturbed_run_leaves_one_cluster_that_manages_itself() -> None:
    scene = straight()
    assert scene.backend.node is None
    assert [m["data"]["state"] for m in scene.markers()] == [DONE]
    assert [c.role for c in scene.room.of("mgmt")] == ["balancer", "control-plane", "worker"]
    assert scene.state.files["kubeconfig"] == "kubeconfig of mgmt"


def test_a_dead_program_does_nothing_more() -> None:
    """What the tests above rest upon."""
    scene = Scene()
    assert scene.run_until(30, "after")
    with pytest.raises(PowerLost):
        scene.ports.state.read("kubeconfig")
