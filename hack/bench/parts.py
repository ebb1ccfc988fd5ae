"""What both sides use, made beforehand and not timed: the same binaries, images, manifests and node image."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from bootstrapper import config as requests
from bootstrapper import manifests, template
from bootstrapper.adapters import engine_images
from bootstrapper.adapters.engine import Engine
from bootstrapper.adapters.layout import Layout
from bootstrapper.config import ManagementCluster
from bootstrapper.phases.providers import Wanted
from bootstrapper.providers import certificates, waves

NODE_IMAGE = "kindest/node"
BALANCER_IMAGE = "kindest/haproxy"
SOCKET = "/var/run/docker.sock"


@dataclass(frozen=True)
class Parts:
    """Files, ready to be used by both sides.

    archive    the providers' images, as `docker save` writes them
    providers  their components, webhook certificates issued, and the CRD of clusterctl's inventory
    inventory  what they enter into it, for `clusterctl move`
    routes     switches the node image's own pod network on
    """

    bundle: Path
    kind: Path
    kubectl: Path
    clusterctl: Path
    node_image: str
    kind_config: Path
    archive: Path
    providers: Path
    inventory: Path
    routes: Path


def prepare(bundle: Layout, engine: Engine, folder: Path) -> Parts:
    """Everything that doesn't depend on the cluster's name, in `folder`.

    Raises:
        BundleError: something isn't in the bundle. EngineUnavailable: there is no engine.
    """
    engine.facts()
    node_image = f"{NODE_IMAGE}:{manifests.versions()['kubernetes']}"
    balancers = [a.name for a in bundle.of_kind("image") if a.name.startswith(f"{BALANCER_IMAGE}:")]
    engine_images.load(engine, bundle, [node_image, *balancers])
    wanted = Wanted(requests.load(None), bundle)
    objects = [obj for provider in wanted.providers for obj in provider.objects]
    issued = waves.waves(certificates.self_issued(objects, [], datetime.now(UTC)))
    return Parts(
        bundle=bundle.root,
        kind=bundle.executable("kind", folder),
        kubectl=bundle.executable("kubectl", folder),
        clusterctl=bundle.executable("clusterctl", folder),
        node_image=node_image,
        kind_config=_written(folder / "kind.yaml", [_kind_config()]),
        archive=_archived(folder / "providers.tar", bundle.docker_archive(wanted.images)),
        providers=_written(
            folder / "providers.yaml",
            [*wanted.inventory_definition, *(obj for wave in issued.values() for obj in wave)],
        ),
        inventory=_written(folder / "inventory.yaml", [provider.inventory() for provider in wanted.providers]),
        routes=manifests.path("cni", "node-routes.yaml"),
    )


def request(name: str) -> ManagementCluster:
    """What both sides make."""
    return replace(requests.load(None), name=name)


def cluster(name: str, folder: Path) -> Path:
    """The cluster's objects, as a file in `folder`."""
    return _written(folder / "cluster.yaml", template.render(request(name)))


def config(name: str, folder: Path) -> Path:
    """The same as a request for `bootstrapper init`, as a file in `folder`."""
    asked = request(name)
    document = {
        "apiVersion": "bootstrapper/v1alpha1",
        "kind": "ManagementCluster",
        "metadata": {"name": asked.name, "namespace": asked.namespace},
        "spec": {"kubernetesVersion": asked.kubernetes_version},
    }
    return _written(folder / "request.yaml", [document])


def _kind_config() -> dict[str, Any]:
    return {
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "networking": {"disableDefaultCNI": True},
        "nodes": [{"role": "control-plane", "extraMounts": [{"hostPath": SOCKET, "containerPath": SOCKET}]}],
    }


def _written(path: Path, objects: Iterable[Any]) -> Path:
    path.write_text(yaml.dump_all(objects, Dumper=yaml.CSafeDumper), encoding="utf-8")
    return path


def _archived(path: Path, archive: Iterable[bytes]) -> Path:
    with path.open("wb") as file:
        file.writelines(archive)
    return path
