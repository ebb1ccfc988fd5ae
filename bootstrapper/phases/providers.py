"""Cluster API's controllers in a cluster, installed the way clusterctl does it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

from bootstrapper.config import ManagementCluster
from bootstrapper.phases import sites
from bootstrapper.phases.sites import Site
from bootstrapper.providers import certificates, components, contracts, inventory, readiness, renewal, waves, webhooks
from bootstrapper.providers.components import Provider
from bootstrapper.step import Step
from bootstrapper.world import Bundle, Cluster, Object

CRD = ("apiextensions.k8s.io/v1", "CustomResourceDefinition")
INVENTORY = (components.INVENTORY_VERSION, "Provider")
CERT_MANAGER = ("cert-manager.io/v1", "Certificate")
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
            BundleError: one isn't in the bundle. RequestError: contracts that don't fit.
        """
        found = [self._read(asked.type, asked.name) for asked in self.config.providers]
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

    def _read(self, kind: str, name: str) -> Provider:
        artifact = f"{kind}/{name}"
        return components.read(
            kind,
            name,
            self.bundle.version("components", artifact),
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
            ),
            Step(
                f"{self.site.name}-inventory",
                f"the inventory of {self.site.words} names the providers",
                self._unrecorded,
                self._record,
            ),
        ]

    def _undefined(self) -> str | None:
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
        secrets = cluster.find("v1", "Secret", labels=certificates.OURS)
        holders = [h for kind in webhooks.HOLDERS for h in cluster.find(*kind, labels=components.LABEL)]
        return renewal.distrusting(secrets, holders)

    def _define(self) -> None:
        cluster = self.site.cluster()
        sites.apply(cluster, self.wanted.inventory_definition)
        for wave in BEFORE_IMAGES:
            sites.apply(cluster, self._objects(cluster, (wave,)))

    def _not_running(self) -> str | None:
        cluster = self.site.cluster()
        for provider in self.wanted.providers:
            observed = [
                *cluster.find("apps/v1", "Deployment", provider.namespace),
                *cluster.find("v1", "Pod", provider.namespace),
                *cluster.find("discovery.k8s.io/v1", "EndpointSlice", provider.namespace),
            ]
            lacking = readiness.unavailable(provider, observed) or readiness.unreachable(provider, observed)
            if lacking:
                return lacking
        return None

    def _start(self) -> None:
        cluster = self.site.cluster()
        managers = self._objects(cluster, (waves.MANAGERS,))
        sites.apply(cluster, sites.absent(cluster, managers))

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
