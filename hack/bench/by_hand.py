"""The documented procedure, command by command.

It is the Cluster API book's quick start and its page on `clusterctl move` ("Bootstrap & Pivot"), with what takes the
place of a registry (`kind load`) and of cert-manager (certificates in the rendered components). Each command is typed
as soon as the one before it came back; nothing is done side by side.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from hack.bench import parts, shell
from hack.bench.parts import Parts
from hack.bench.results import Phase
from hack.bench.shell import Command

#: As long as nobody who types would wait; `kubectl wait` asks for some limit.
PATIENCE = "--timeout=20m"
#: On everything that clusterctl installs.
PROVIDERS = "clusterctl.cluster.x-k8s.io"
SECRET = "go-template={{.data.value|base64decode}}"


def bootstrap_name(name: str) -> str:
    """The kind cluster's name."""
    return f"{name}-kind"


def run(made: Parts, name: str, folder: Path, told: Callable[[Phase], None]) -> list[Phase]:
    """From nothing to a self-managing cluster `name`; files go into `folder`.

    Raises:
        StepError: a command failed again and again.
    """
    # Neither the operator's own files nor a look for a newer clusterctl.
    environment = {**os.environ, "XDG_CONFIG_HOME": str(folder), "CLUSTERCTL_DISABLE_VERSIONCHECK": "true"}
    return shell.run_all(procedure(made, name, folder), environment, told)


def procedure(made: Parts, name: str, folder: Path) -> list[Command]:
    """Every command in order."""
    here, there = folder / "bootstrap.kubeconfig", folder / f"{name}.kubeconfig"
    bootstrap, source = bootstrap_name(name), (str(made.kubectl), f"--kubeconfig={here}")
    available = ("wait", "--for=condition=Available", PATIENCE, f"cluster/{name}")
    objects = parts.cluster(name, folder)
    return [
        Command("kind create cluster", _kind_create(made, bootstrap, here)),
        Command("pod network of the kind cluster", (*source, "apply", f"-f={made.routes}")),
        *_providers(made, bootstrap, here, "kind cluster"),
        Command("apply the cluster", (*source, "apply", f"-f={objects}")),
        Command("wait for the cluster", (*source, *available)),
        Command("its kubeconfig", (*source, "get", f"secret/{name}-kubeconfig", f"--output={SECRET}"), there),
        Command(
            "pod network of the cluster", (str(made.kubectl), f"--kubeconfig={there}", "apply", f"-f={made.routes}")
        ),
        *_providers(made, name, there, "cluster"),
        Command("clusterctl move", _move(made, here, there)),
        Command("wait for the cluster in itself", (str(made.kubectl), f"--kubeconfig={there}", *available)),
        Command("kind delete cluster", _kind_delete(made, bootstrap, here)),
    ]


def _providers(made: Parts, cluster: str, kubeconfig: Path, words: str) -> list[Command]:
    kubectl = (str(made.kubectl), f"--kubeconfig={kubeconfig}")
    load = (str(made.kind), "load", "image-archive", str(made.archive), f"--name={cluster}")
    wait = ("wait", "--for=condition=Available", PATIENCE, "deployment", f"--selector={PROVIDERS}", "--all-namespaces")
    return [
        Command(f"images into the {words}", load),
        Command(f"apply the providers to the {words}", (*kubectl, "apply", "--server-side", f"-f={made.providers}")),
        Command(f"wait for the providers in the {words}", (*kubectl, *wait)),
        Command(f"inventory of the {words}", (*kubectl, "apply", "--server-side", f"-f={made.inventory}")),
    ]


def _kind_create(made: Parts, name: str, kubeconfig: Path) -> tuple[str, ...]:
    options = (f"--name={name}", f"--image={made.node_image}", f"--config={made.kind_config}")
    return (str(made.kind), "create", "cluster", *options, f"--kubeconfig={kubeconfig}")


def _kind_delete(made: Parts, name: str, kubeconfig: Path) -> tuple[str, ...]:
    return (str(made.kind), "delete", "cluster", f"--name={name}", f"--kubeconfig={kubeconfig}")


def _move(made: Parts, here: Path, there: Path) -> tuple[str, ...]:
    clusters = (f"--kubeconfig={here}", f"--to-kubeconfig={there}")
    return (str(made.clusterctl), "move", "--namespace=default", *clusters)
