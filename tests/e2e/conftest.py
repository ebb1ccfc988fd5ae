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

from e2e import kills, outside
from e2e.command import Done
from e2e.kills import Story
from e2e.lab import Lab
from e2e.outside import Births, Container, Kubectl, execute, until

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
    unreachable: Done
    births: list[str]
    kubectl: Kubectl


@pytest.fixture(scope="session")
def management(lab: Lab) -> Management:
    """`init`, killed at random, comes to its end."""
    seed = int(os.environ.get(SEED) or random.randrange(1 << 32))
    print(f"\nkills of {SEED}={seed}:", flush=True)
    planned = kills.chosen(seed)
    with Births(lab.name) as births:
        early = kills.survive(lab, planned[:3])
        unreachable = _unreachable(lab)
        late = kills.survive(lab, planned[3:])
        story = kills.to_the_end(lab, early + late)
    return Management(lab, story, unreachable, births.names, lab.kubectl())


def _unreachable(lab: Lab) -> Done:
    """What a run says when kubeadm is done and the API server's load balancer lets nothing through."""
    running = lab.init()
    running.wait_for(lambda event: bool(event["step"] == "control-plane"))
    until("kubeadm is done", lambda: any(_kubeadm_is_done(c) for c in outside.of_role(lab.name, "control-plane")), 300)
    running.kill()
    running.finish()
    (lab.state / "kubeconfig").unlink(missing_ok=True)  # as if the kill had come before it was kept
    balancer = outside.of_role(lab.name, "external-load-balancer")[0].name
    outside.docker("pause", balancer)
    try:
        return lab.init("--timeout", "10").finish()
    finally:
        outside.docker("unpause", balancer)


def _kubeadm_is_done(machine: Container) -> bool:
    """Cluster API's contract: the file that a machine's bootstrap leaves when it has succeeded."""
    return execute(machine.name, "test", "-e", "/run/cluster-api/bootstrap-success.complete").returncode == 0
