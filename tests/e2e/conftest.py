"""One management cluster for the whole ring: it is dear to make, and what comes later needs what came before.

The tests run in the order of their files. Whatever happens, what they made is taken away at the end.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from e2e import kills
from e2e.kills import Story
from e2e.lab import Lab
from e2e.outside import Births, Kubectl

#: The seed of the kills; a failure is repeated by setting it.
SEED = "BOOTSTRAPPER_E2E_SEED"


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A state folder and names of our own; nothing of us is there, before and after."""
    found = Lab(tmp_path_factory.mktemp("lab"))
    found.sweep()
    yield found
    found.sweep()


@pytest.fixture
def scratch(tmp_path: Path) -> Lab:
    """A lab for what never gets as far as a container."""
    return Lab(tmp_path, "e2e-none")


@dataclass(frozen=True)
class Management:
    """The management cluster, how it came about, and every container that was ever made for it."""

    lab: Lab
    story: Story
    births: list[str]
    kubectl: Kubectl


@pytest.fixture(scope="session")
def management(lab: Lab) -> Management:
    """`init`, killed at random, comes to its end."""
    seed = int(os.environ.get(SEED) or random.randrange(1 << 32))
    print(f"\nkills of {SEED}={seed}:", flush=True)
    with Births(lab.name) as births:
        story = kills.survive(lab, kills.chosen(seed))
    return Management(lab, story, births.names, lab.kubectl())
