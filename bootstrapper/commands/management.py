"""The commands about a management cluster."""

from __future__ import annotations

import time
from dataclasses import asdict, replace

import click

from bootstrapper import config as requests
from bootstrapper import init as flow
from bootstrapper import overview, show
from bootstrapper.adapters import assemble, kube
from bootstrapper.adapters import state as states
from bootstrapper.commands.running import confirm, result, run
from bootstrapper.config import ManagementCluster
from bootstrapper.errors import LostContact, NotEnough, UnknownCluster
from bootstrapper.phases import certificates, removal
from bootstrapper.settings import Settings
from bootstrapper.step import preview
from bootstrapper.world import Cluster, bootstrap_name

#: Seconds between two looks of `status --watch`.
WATCH_EVERY = 2.0


def init(settings: Settings, config: ManagementCluster, *, keep_bootstrap: bool) -> None:
    """From an empty machine to a self-managing cluster."""
    world, state = assemble.world(config), states.State(config.name)
    with state.lock():
        run(settings, flow.steps(config, world, keep_bootstrap=keep_bootstrap), state.note)
    path = state.kubeconfig_path
    if not settings.as_json:
        click.echo(
            f"{config.name} manages itself. What next:\n"
            f"  bootstrapper status {config.name}\n"
            f"  bootstrapper cluster create NAME --workers 1\n"
            f"  kubectl --kubeconfig {path} get clusters -A"
        )


def plan(settings: Settings, config: ManagementCluster) -> None:
    """What `init` would do now."""
    gaps = preview(flow.steps(config, assemble.world(config)))
    document = [{"step": step.name, "title": step.title, "gap": gap} for step, gap in gaps]
    result(settings, document, show.plan(gaps))


def doctor(settings: Settings, config: ManagementCluster) -> None:
    """Every check at once.

    Raises:
        NotEnough: something blocks; the findings were printed.
    """
    found = assemble.world(config).infrastructure.findings(config)
    result(settings, [asdict(f) for f in found], show.findings(found))
    blocking = [f for f in found if f.blocks]
    if blocking:
        raise NotEnough(
            f"{len(blocking)} findings block a bootstrap here",
            "; ".join(f"{f.subject}: {f.text}" for f in blocking),
            "Follow the remedies above, then 'bootstrapper doctor' again.",
        )


def status(settings: Settings, name: str | None, *, watch: bool) -> None:
    """The tree of what is and isn't ready."""
    last = ""
    while True:
        name = name or only()
        node = overview.management(name, reach(name), states.State(name).history()[0])
        text = show.tree(node)
        if text != last:
            result(settings, asdict(node), text)
        if not watch:
            return
        last = text
        time.sleep(WATCH_EVERY)


def kubeconfig(settings: Settings, name: str) -> None:
    """The kubeconfig on stdout."""
    click.echo(kubeconfig_text(name), nl=False)


def destroy(settings: Settings, name: str, *, yes: bool) -> None:
    """What `init` made is gone."""
    config = replace(requests.load(None), name=name)
    world, state = assemble.world(config), states.State(name)
    bootstrap = bootstrap_name(config)
    told = f"nothing of {name} is there"
    with state.lock():  # before the look: a run that has just begun has nothing to show yet
        if state.read("kubeconfig") or world.backend.exists(bootstrap) or world.infrastructure.leftovers(name):
            _refuse_while_it_manages(name)
            confirm(f"Destroy management cluster {name} with its machines?", yes)
            run(settings, removal.management(name, bootstrap, world), state.note)
            told = f"{name} is gone; nothing of it is left"
        state.forget()
    result(settings, {"destroyed": name, "left": []}, told)


def renew_certificates(settings: Settings, name: str) -> None:
    """New webhook certificates for the providers of a management cluster."""
    state = states.State(name)
    with state.lock():
        run(settings, certificates.steps(name, lambda: reach(name)), state.note)


def kubeconfig_text(name: str) -> str:
    """A management cluster's kubeconfig: the kept one, else read from its own machine.

    Raises:
        UnknownCluster: there is none.
    """
    text = states.State(name).read("kubeconfig")
    if text is None:
        config = replace(requests.load(None), name=name)
        text = assemble.world(config).infrastructure.kubeconfig(name)
    if text is None:
        known = ", ".join(states.names()) or "none"
        raise UnknownCluster(
            f"there is no kubeconfig of management cluster {name}",
            f"known here: {known}",
            "Make one: bootstrapper init",
        )
    return text


def reach(name: str) -> Cluster:
    """A management cluster's API server."""
    return kube.connect(kubeconfig_text(name), name)


def only() -> str:
    """The management cluster that is meant when none is named.

    Raises:
        UnknownCluster: there is none, or there are several.
    """
    names = [n for n in states.names() if states.State(n).read("kubeconfig")]
    if len(names) == 1:
        return names[0]
    raise UnknownCluster(
        "which management cluster is meant",
        f"there are {', '.join(names)}" if names else "there is none here",
        "Name it." if names else "Make one: bootstrapper init",
    )


def _refuse_while_it_manages(name: str) -> None:
    """Where its API server answers, what it manages must be gone first; where it doesn't, nobody can ask."""
    text = states.State(name).read("kubeconfig")
    if text is None:
        return
    cluster = kube.connect(text, name)
    try:
        cluster.alive()
    except LostContact:
        return
    removal.refuse_while_it_manages(name, cluster)
