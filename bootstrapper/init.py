"""From an empty machine to a cluster that manages itself.

The list below is the whole story. Steps that stand in `Together` run side by side. Scaffolding is what is needed only
until the new cluster is in charge: from then on its steps have nothing to do, so it isn't built again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bootstrapper.config import ManagementCluster
from bootstrapper.phases import (
    bootstrap_cluster,
    charge,
    cluster,
    farewell,
    fitness,
    handover,
    proof,
    providers,
    sites,
)
from bootstrapper.step import Item, Step, Together
from bootstrapper.world import World


def steps(config: ManagementCluster, world: World, *, keep_bootstrap: bool = False) -> list[Item]:
    """The table of contents."""
    first = cluster.Made(config, sites.bootstrap_site(config, world).cluster, world)
    wanted = providers.Wanted(config, world.bundle)
    bootstrap = providers.On(wanted, sites.bootstrap_site(config, world))
    management = providers.On(wanted, sites.management_site(config, world))

    def scaffold(*made: Step) -> list[Step]:
        return _until_in_charge(config, world, made)

    return [
        *scaffold(*fitness.steps(config, world, wanted)),  # this machine can carry it, and it isn't lost already
        *scaffold(cluster.possible(first)),  # what its machines are made of
        Together(
            scaffold(*bootstrap_cluster.steps(config, world), bootstrap.defined()),  # a throw-away cluster
            scaffold(bootstrap.images()),  # they go in as soon as its containerd answers
        ),
        *scaffold(*bootstrap.run()),  # Cluster API's controllers in it
        *scaffold(cluster.asked_for(first)),  # the first real cluster
        Together(
            [*scaffold(cluster.answers(first)), charge.kubeconfig_kept(first, config, world)],
            scaffold(management.images()),  # they go in while kubeadm runs
        ),
        Together(
            scaffold(cluster.connected(first), cluster.whole(first)),
            [management.defined(), *management.run()],  # the same controllers there
        ),
        *handover.steps(config, world),  # every object moves
        Together(*([step] for step in proof.steps(config, world))),  # it manages itself, and nobody else does
        *([] if keep_bootstrap else farewell.steps(config, world)),  # the throw-away cluster leaves
    ]


def _until_in_charge(config: ManagementCluster, world: World, steps: Sequence[Step]) -> list[Step]:
    """The steps, with nothing to do from when the pivot begins: what is moved away must not be built up again."""

    def needless() -> bool:
        return charge.moving(config, world) or charge.in_charge(config, world)

    def unless(step: Step) -> Step:
        return replace(step, gap=lambda: None if needless() else step.gap())

    return [unless(step) for step in steps]
