"""Puts the real world together for one request."""

from __future__ import annotations

import os
from pathlib import Path

from bootstrapper import manifests
from bootstrapper.adapters import kube
from bootstrapper.adapters.clock import SystemClock
from bootstrapper.adapters.docker_infrastructure import DockerInfrastructure
from bootstrapper.adapters.engine import Engine
from bootstrapper.adapters.existing import ExistingBackend
from bootstrapper.adapters.kind import KindBackend
from bootstrapper.adapters.layout import Layout
from bootstrapper.adapters.remote_infrastructure import RemoteInfrastructure
from bootstrapper.adapters.state import State
from bootstrapper.config import ManagementCluster
from bootstrapper.world import Backend, Infrastructure, World


def bundle_folder(config: ManagementCluster | None = None) -> Path:
    """Where the bundle is: the request's, else $BOOTSTRAPPER_COMPONENTS/bundle, else the place of hack/components."""
    if config is not None and config.bundle is not None:
        return config.bundle
    named = os.environ.get("BOOTSTRAPPER_COMPONENTS")
    if named:
        return Path(named) / "bundle"
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "bootstrapper" / "components" / "bundle"


def world(config: ManagementCluster) -> World:
    """The real world of this request.

    Raises:
        BundleError: there is no bundle.
    """
    bundle = Layout.open(bundle_folder(config))
    state = State(config.name)
    engine = Engine()
    return World(
        backend=_backend(config, engine, bundle, state),
        infrastructure=infrastructure(config.infrastructure.provider, engine, bundle),
        bundle=bundle,
        state=state,
        clock=SystemClock(),
        connect=kube.connect,
    )


def infrastructure(provider: str, engine: Engine, bundle: Layout) -> Infrastructure:
    """What lies below the machines of this provider."""
    return DockerInfrastructure(engine, bundle) if provider == "docker" else RemoteInfrastructure()


def _backend(config: ManagementCluster, engine: Engine, bundle: Layout, state: State) -> Backend:
    if config.bootstrap.kubeconfig is not None:
        return ExistingBackend(config.bootstrap.kubeconfig)
    # The bootstrap cluster runs whatever node image the bundle has: its version needn't be the new cluster's.
    return KindBackend(engine, bundle, state.folder, manifests.versions()["kubernetes"])
