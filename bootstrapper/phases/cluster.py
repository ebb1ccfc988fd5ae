"""One cluster, asked for in another one (its home) and made there by Cluster API's controllers.

The first real cluster's home is the bootstrap cluster; a workload cluster's home is its management cluster.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass

from bootstrapper import capi, diagnose, network, template
from bootstrapper.config import ClusterRequest
from bootstrapper.errors import LostContact
from bootstrapper.phases import sites
from bootstrapper.step import Cause, Step
from bootstrapper.world import Cluster, Object, World


@dataclass(frozen=True)
class Made:
    """A cluster to be made: what is asked for, and how its home is reached (`home` raises LostContact)."""

    request: ClusterRequest
    home: Callable[[], Cluster]
    world: World

    @property
    def name(self) -> str:
        """The cluster's name."""
        return self.request.name

    def kubeconfig(self) -> str | None:
        """Its admin kubeconfig as Cluster API's contract keeps it: Secret NAME-kubeconfig, key `value`."""
        secret = self.home().one("v1", "Secret", self.request.namespace, f"{self.name}-kubeconfig")
        return b64decode(secret["data"]["value"]).decode() if secret else None

    def itself(self) -> Cluster:
        """Its own API server.

        Raises:
            LostContact: it has no kubeconfig yet.
        """
        text = self.kubeconfig()
        if text is None:
            raise LostContact(f"cluster {self.name} has no kubeconfig yet")
        return self.world.connect(text, self.name)

    def missing(self) -> list[Object]:
        """The objects that aren't asked for yet."""
        return sites.absent(self.home(), template.render(self.request))

    def progress(self) -> str | None:
        """What Cluster API says is lacking, None when the cluster is Available."""
        found = self.home().one(*capi.CLUSTER, self.request.namespace, self.name)
        if found is None:
            return f"there is no Cluster {self.request.namespace}/{self.name} in {self.home().name}"
        return capi.cluster_lacking(found)

    def machines(self) -> list[Object]:
        """Its Machines."""
        selector = f"{capi.CLUSTER_LABEL}={self.name}"
        return self.home().find(*capi.MACHINE, self.request.namespace, selector)

    def cause(self) -> Cause | None:
        """Why it doesn't come up: from the machines themselves first, then from what their objects say."""
        waiting = [m for m in self.machines() if not capi.is_true(m, "Ready")]
        for machine in waiting:
            name = machine["metadata"]["name"]
            found = self._bootstrap_failure(machine) or self.world.infrastructure.machine_cause(self.name, name)
            if found is not None:
                return found
        if waiting:
            return Cause(capi.title(waiting[0]), capi.lacking(waiting[0], "Ready") or "it is ready now")
        return None

    def _bootstrap_failure(self, machine: Object) -> Cause | None:
        """What the infrastructure's object of a Machine keeps of a kubeadm that failed for good."""
        ref = machine["spec"].get("infrastructureRef", {})
        if "name" not in ref:
            return None
        found = self.home().one(f"{ref['apiGroup']}/v1beta2", ref["kind"], self.request.namespace, ref["name"])
        return diagnose.bootstrap_failure(found) if found else None


def possible(made: Made) -> Step:
    """What machines are made of is there: images in the engine, for one."""
    infrastructure = made.world.infrastructure
    return Step(
        "machine-images",
        f"the infrastructure can make machines for {made.name}",
        lambda: infrastructure.unprepared(made.request),
        lambda: infrastructure.prepare(made.request),
    )


def asked_for(made: Made) -> Step:
    """Its objects are there; everything else about it is then Cluster API's work."""

    def gap() -> str | None:
        missing = made.missing()
        names = ", ".join(capi.title(o) for o in missing[:3]) + (", ..." if len(missing) > 3 else "")
        return f"{len(missing)} objects of it are missing: {names}" if missing else None

    def close() -> None:
        home = made.home()
        for obj in made.missing():  # in the template's order: a namespace stands before what lies in it
            home.apply(obj)

    return Step("request", f"cluster {made.name} is asked for", gap, close)


def answers(made: Made) -> Step:
    """Its API server answers.

    Cluster API notices a new API server up to 30 s late (its cache asks again only so often): what needs nothing but
    the API server needn't wait for that.
    """

    def gap() -> str | None:
        if made.kubeconfig() is None:
            return made.progress() or "it has no kubeconfig yet"
        try:
            made.itself().alive()
        except LostContact as error:
            return made.progress() or str(error)
        return None

    return Step("control-plane", f"the API server of {made.name} answers", gap, _wait, made.cause)


def connected(made: Made) -> Step:
    """Pods on different nodes reach each other: the operator's CNI, or what the built-in templates need."""

    def missing() -> list[Object]:
        return sites.absent(made.itself(), network.objects(made.request))

    def gap() -> str | None:
        count = len(missing())
        return f"{count} objects of its pod network are missing" if count else None

    def close() -> None:
        cluster = made.itself()
        for obj in missing():
            cluster.apply(obj)

    return Step("network", f"cluster {made.name} has a pod network", gap, close)


def whole(made: Made) -> Step:
    """Cluster API says so itself: the control plane is whole and every machine has its node."""
    return Step("available", f"cluster {made.name} is whole", made.progress, _wait, made.cause)


def steps(made: Made) -> list[Step]:
    """From nothing to a whole cluster."""
    return [possible(made), asked_for(made), answers(made), connected(made), whole(made)]


def _wait() -> None:
    """Nothing to start: controllers are at work."""
