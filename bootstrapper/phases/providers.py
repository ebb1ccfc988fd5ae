"""Cluster API's controllers in a cluster, installed the way clusterctl does it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

from bootstrapper import capi
from bootstrapper.config import ManagementCluster
from bootstrapper.errors import RequestError
from bootstrapper.phases import sites
from bootstrapper.phases.sites import Site
from bootstrapper.providers import certificates, components, contracts, inventory, readiness, renewal, waves, webhooks
from bootstrapper.providers.components import Provider
from bootstrapper.step import Step
from bootstrapper.world import Bundle, Cluster, Object
from pivot.errors import NotFound

CRD = ("apiextensions.k8s.io/v1", "CustomResourceDefinition")
POD = ("v1", "Pod")
INVENTORY = (components.INVENTORY_VERSION, "Provider")
CERT_MANAGER = ("cert-manager.io/v1", "Certificate")
#: Seconds between two nudges of managers that start.
NUDGE_EVERY = 2.0
#: What can go in before the images are there.
BEFORE_IMAGES = (
    waves.NAMESPACES,
    waves.SECRETS,
    waves.DEFINITIONS,
    waves.ACCESS,
    waves.BINDINGS,
    waves.WEBHOOKS,
)


@dataclass
class Wanted:
    """The providers that the request asks for, from the bundle; read once, used at both sites."""

    config: ManagementCluster
    bundle: Bundle

    @cached_property
    def providers(self) -> list[Provider]:
        """Checked to fit together.

        Raises:
            BundleError: one isn't in the bundle. RequestError: another version is asked for, or contracts don't fit.
        """
        found = [self._read(asked.type, asked.name, asked.version) for asked in self.config.providers]
        contracts.check(found)
        return found

    @cached_property
    def images(self) -> list[str]:
        """Every image that they name."""
        return sorted({image for p in self.providers for image in components.images(p.objects)})

    @cached_property
    def inventory_definition(self) -> list[Object]:
        """The CRD of clusterctl's inventory."""
        return components.inventory_definition(self.bundle.text("inventory/clusterctl", "clusterctl-api.yaml"))

    def _read(self, kind: str, name: str, asked: str | None) -> Provider:
        artifact = f"{kind}/{name}"
        version = self.bundle.version("components", artifact)
        if asked not in (None, version):
            raise RequestError(
                f"{self.config.source}: provider {artifact} {asked} is asked for",
                f"the bundle has {version}",
                f"Ask for {name}:{version}, or name a bundle that has {asked}.",
            )
        return components.read(
            kind,
            name,
            version,
            self.bundle.text(artifact, f"{kind}-components.yaml"),
            self.bundle.text(artifact, "metadata.yaml"),
            self.config.variables,
        )


@dataclass(frozen=True)
class On:
    """The providers at one site."""

    wanted: Wanted
    site: Site

    def images(self) -> Step:
        """Their images are on its nodes."""
        return Step(
            f"{self.site.name}-images",
            f"the providers' images are in {self.site.words}",
            lambda: self.site.missing_images(self.wanted.images),
            lambda: self.site.load_images(self.wanted.images),
        )

    def defined(self) -> Step:
        """Their kinds, permissions and webhooks are there; needs no image."""
        return Step(
            f"{self.site.name}-definitions",
            f"{self.site.words} knows the providers' kinds",
            self._undefined,
            self._define,
        )

    def run(self) -> list[Step]:
        """Their managers run, and the inventory says so."""
        return [
            Step(
                f"{self.site.name}-managers",
                f"the providers' managers run in {self.site.words}",
                self._not_running,
                self._start,
                again=NUDGE_EVERY,
            ),
            Step(
                f"{self.site.name}-inventory",
                f"the inventory of {self.site.words} names the providers",
                self._unrecorded,
                self._record,
            ),
        ]

    def _undefined(self) -> str | None:
        self._unrecorded()  # another version is refused before anything of it is overwritten
        cluster = self.site.cluster()
        objects = [
            *self.wanted.inventory_definition,
            *self._objects(cluster, BEFORE_IMAGES, certificates_too=False),
        ]
        absent = sites.absent(cluster, objects)
        if absent:
            return f"{len(absent)} of {len(objects)} objects of the providers aren't in {self.site.words} yet"
        definitions = cluster.find(*CRD, labels=components.LABEL)
        for provider in self.wanted.providers:
            lacking = readiness.unserved(provider, definitions)
            if lacking:
                return lacking
        if cluster.kind(*INVENTORY) is None:
            return f"the inventory of providers isn't served by {self.site.words} yet"
        return self._distrusting(cluster)

    def _distrusting(self, cluster: Cluster) -> str | None:
        secrets = cluster.find("v1", "Secret", labels=certificates.OURS)
        holders = [h for kind in webhooks.HOLDERS for h in cluster.find(*kind, labels=components.LABEL)]
        return renewal.distrusting(secrets, holders)

    def _define(self) -> None:
        """What is there already isn't applied again: an API server that is slow to serve new kinds is busy enough."""
        cluster = self.site.cluster()
        all_again = self._distrusting(cluster) is not None
        sites.apply(cluster, sites.absent(cluster, self.wanted.inventory_definition))
        for wave in BEFORE_IMAGES:
            objects = self._objects(cluster, (wave,))
            sites.apply(cluster, objects if all_again else sites.absent(cluster, objects))

    def _not_running(self) -> str | None:
        cluster = self.site.cluster()
        for provider in self.wanted.providers:
            observed = [
                *cluster.find("apps/v1", "Deployment", provider.namespace),
                *cluster.find(*POD, provider.namespace),
                *cluster.find("discovery.k8s.io/v1", "EndpointSlice", provider.namespace),
            ]
            lacking = readiness.unavailable(provider, observed) or readiness.unreachable(provider, observed)
            if lacking:
                return lacking
        return None

    def _start(self) -> None:
        # Again, because a node may have come, or an unfinished one may have been made anew, since they were loaded.
        if self.site.missing_images(self.wanted.images):
            self.site.load_images(self.wanted.images)
        cluster = self.site.cluster()
        managers = self._objects(cluster, (waves.MANAGERS,))
        sites.apply(cluster, sites.absent(cluster, managers))
        for provider in self.wanted.providers:
            self._nudge(cluster, provider)

    def _nudge(self, cluster: Cluster, provider: Provider) -> None:
        """Have its managers asked again whether they are ready.

        By its manifest a kubelet asks when the container starts, which is too early, and 10 s later; and at once when
        anything about the pod changes (kubelet's prober, `UpdatePodStatus`).
        """
        kind = cluster.kind(*POD)
        assert kind is not None, "every API server knows pods"
        changed = {"metadata": {"annotations": {capi.NUDGE: datetime.now(UTC).isoformat()}}}
        for pod in readiness.starting(provider, cluster.find(*POD, provider.namespace)):
            with suppress(NotFound):  # replaced since it was listed
                cluster.patch(kind, provider.namespace, pod["metadata"]["name"], changed)

    def _unrecorded(self) -> str | None:
        installed = self.site.cluster().find(*INVENTORY)
        for provider in self.wanted.providers:
            lacking = inventory.unrecorded(provider, installed)
            if lacking:
                return lacking
        return None

    def _record(self) -> None:
        sites.apply(self.site.cluster(), [provider.inventory() for provider in self.wanted.providers])

    def _objects(self, cluster: Cluster, chosen: tuple[str, ...], *, certificates_too: bool = True) -> list[Object]:
        """The objects of these waves; with certificates of our own where cert-manager isn't there."""
        objects = [obj for provider in self.wanted.providers for obj in provider.objects]
        if cluster.kind(*CERT_MANAGER) is None:
            if certificates_too:
                existing = cluster.find("v1", "Secret")
                objects = certificates.self_issued(objects, existing, datetime.now(UTC))
            else:
                objects = [o for o in objects if not o["apiVersion"].startswith("cert-manager.io/")]
        by_wave = waves.waves(objects)
        return [obj for wave in chosen for obj in by_wave[wave]]
