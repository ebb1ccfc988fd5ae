"""The in-memory API server of the pivot's tests, with what installing needs on top: CRDs, apply, admission webhooks."""

from __future__ import annotations

from typing import Any

from fake_cluster import FakeCluster, Name, merge_patch

from bootstrapper.errors import LostContact
from bootstrapper.world import Object
from pivot.errors import NotFound, Unavailable
from pivot.ports import (
    CONFIG_MAP,
    DEPLOYMENT,
    LEASE,
    MUTATING_WEBHOOKS,
    NAMESPACE,
    POD,
    SECRET,
    VALIDATING_WEBHOOKS,
    Kind,
    core_kind,
)

Objects = list[Object]
CRD = core_kind("CustomResourceDefinition", "customresourcedefinitions", "apiextensions.k8s.io", namespaced=False)
NODE = core_kind("Node", "nodes", namespaced=False)
SLICE = core_kind("EndpointSlice", "endpointslices", "discovery.k8s.io")
RBAC = "rbac.authorization.k8s.io"
BUILTIN = {
    (kind.group, kind.kind): kind
    for kind in (
        *(CONFIG_MAP, DEPLOYMENT, LEASE, MUTATING_WEBHOOKS, NAMESPACE, POD, SECRET, VALIDATING_WEBHOOKS),
        *(CRD, NODE, SLICE),
        core_kind("Service", "services"),
        core_kind("ServiceAccount", "serviceaccounts"),
        core_kind("PersistentVolumeClaim", "persistentvolumeclaims"),
        *(core_kind(kind, f"{kind.lower()}s", "apps") for kind in ("DaemonSet", "StatefulSet")),
        *(core_kind(kind, f"{kind.lower()}s", "batch") for kind in ("Job", "CronJob")),
        *(core_kind(kind, f"{kind.lower()}s", RBAC) for kind in ("Role", "RoleBinding")),
        *(
            core_kind(kind, f"{kind.lower()}s", RBAC, namespaced=False)
            for kind in ("ClusterRole", "ClusterRoleBinding")
        ),
    )
}


class Power:
    """Counts the writes to everything in the world; fails at one of them, and then nothing of the program goes on.

    `lose`: the number of the write, counted from 0, and whether it takes effect before the power fails. `watch` is
    called before ("before") and after each write with the words for it.
    """

    def __init__(self) -> None:
        self.trace: list[str] = []
        self.ticks = 0
        self.moments: list[tuple[int, int]] = []
        self.lose: tuple[int, str] | None = None
        self.dead = False
        self.watch: Any = lambda when, what: None

    @property
    def writes(self) -> int:
        return len(self.trace)

    def alive(self) -> None:
        """Nothing is read, written or waited for by a program that is dead."""
        if self.dead:
            raise PowerLost

    def before(self, what: str) -> None:
        self.alive()
        self.watch("before", what)
        if self.lose == (self.writes, "before"):
            self._fail()
        self.moments.append((self.ticks, -1))
        self.trace.append(what)

    def after(self, what: str) -> None:
        self.watch("after", what)
        self.moments[-1] = (self.moments[-1][0], self.ticks)
        if self.lose == (self.writes - 1, "after"):
            self._fail()

    def _fail(self) -> None:
        self.dead = True
        raise PowerLost


class PowerLost(BaseException):
    """The program is gone, between one write and the next."""


class ApiServer(FakeCluster):
    """See `bootstrapper.world.Cluster`. `up` tells whether it answers. Controllers act on it directly.

    Webhooks are asked as the real one asks them: where a service has no endpoint, or shows a certificate that the
    configuration doesn't trust, the write fails unless the policy is Ignore.
    """

    def __init__(self, name: str, power: Power, identity: str = "") -> None:
        self._power = power
        self._crds: dict[Name, Kind] = {}
        super().__init__(identity or name)
        self.name = name
        self.server = f"https://{name}.test"
        self.up = False
        self.before_write = lambda verb, key: power.before(self._words(verb, key))
        self.after_write = lambda verb, key: power.after(self._words(verb, key))

    def _words(self, verb: str, key: Name) -> str:
        return f"{self.name}: {verb} {key[1]} {key[2]}/{key[3]}"

    # -- what installing needs

    def patient(self, seconds: float) -> ApiServer:
        return self

    def alive(self) -> None:
        self._power.alive()
        if not self.up:
            raise LostContact(f"the API server of {self.name} isn't ready", "connection refused")

    def kind(self, api_version: str, kind: str) -> Kind | None:
        self._answer()
        group, _, version = api_version.rpartition("/")
        found = BUILTIN.get((group, kind)) or next(
            (k for k in self._served() if (k.group, k.kind) == (group, kind)), None
        )
        return found if found and version in found.served else None

    def apply(self, obj: Object) -> Object:
        kind = self.kind(obj["apiVersion"], obj["kind"])
        if kind is None:
            raise NotFound(f"{self.name} has no kind {obj['kind']} in {obj['apiVersion']}")
        self._admit(kind)
        namespace = obj["metadata"].get("namespace") if kind.namespaced else ""
        key = kind.group, kind.kind, namespace or "", obj["metadata"]["name"]
        return dict(self._written("apply", key, lambda: self._apply(kind, key, obj)))

    def find(self, api_version: str, kind: str, namespace: str | None = None, labels: str | None = None) -> Objects:
        known = self.kind(api_version, kind)
        return [*self.list(known, namespace, labels)] if known else []

    def names(self, api_version: str, kind: str) -> set[tuple[str, str]]:
        return {(o["metadata"].get("namespace", ""), o["metadata"]["name"]) for o in self.find(api_version, kind)}

    def one(self, api_version: str, kind: str, namespace: str | None, name: str) -> Object | None:
        known = self.kind(api_version, kind)
        return self.get(known, namespace, name) if known else None

    # -- the pivot's port, where it answers at all

    def kinds(self) -> tuple[Kind, ...]:
        self._answer()
        return self._served()

    def list(self, kind: Kind, namespace: str | None = None, labels: str | None = None) -> Any:
        self._answer()
        return super().list(kind, namespace, labels)

    def get(self, kind: Kind, namespace: str | None, name: str) -> Object | None:
        self._answer()
        return super().get(kind, namespace, name)

    def create(self, kind: Kind, obj: Object) -> Object:
        self._answer()
        self._admit(kind)
        return super().create(kind, obj)

    def patch(self, kind: Kind, namespace: str | None, name: str, patch: Any, **how: Any) -> Object:
        self._answer()
        if how.get("subresource") is None:
            self._admit(kind)
        return super().patch(kind, namespace, name, patch, **how)

    def delete(
        self, kind: Kind, namespace: str | None, name: str, *, uid: str, propagation: str = "Background"
    ) -> None:
        self._answer()
        super().delete(kind, namespace, name, uid=uid, propagation=propagation)

    # -- how

    def _answer(self) -> None:
        self._power.alive()
        if not self.up:
            raise Unavailable(f"request to {self.name}", "connection refused")

    def _served(self) -> tuple[Kind, ...]:
        """The kinds of CRDs that are established."""
        for key, body in self.objects.items():
            if key[1] == "CustomResourceDefinition" and key not in self._crds and body.get("status"):
                self._crds[key] = _kind(body)
        return tuple(self._crds.values())

    def _known(self, kind: Kind) -> None:
        if (kind.group, kind.kind) not in BUILTIN and kind not in self._served():
            raise NotFound(f"{self.name} has no kind {kind}")

    def _apply(self, kind: Kind, key: Name, obj: Object) -> Object:
        """Server-side apply, as far as merging goes; lists are replaced."""
        if key not in self.objects:
            made = self._create(kind, key, obj, manager="apply")
        else:
            wanted = {part: text for part, text in obj.items() if part != "status"}
            self._store(key, merge_patch(self.objects[key], wanted))
            made = self.objects[key]
        entry = {"manager": "bootstrapper", "operation": "Apply", "apiVersion": kind.api_version}
        made["metadata"]["managedFields"] = [entry]
        return made

    def _admit(self, kind: Kind) -> None:
        for key, body in self.objects.items():
            if key[1] not in ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"):
                continue
            for hook in body["webhooks"]:
                groups = {group for rule in hook["rules"] for group in rule["apiGroups"]}
                if kind.group in groups and hook["failurePolicy"] == "Fail" and (why := self._silent(hook)):
                    raise Unavailable(f"write of a {kind} to {self.name}", f"500 failed calling webhook: {why}")

    def _silent(self, hook: Object) -> str | None:
        """Why a webhook can't be asked."""
        config = hook["clientConfig"]
        service = config["service"]
        if ("discovery.k8s.io", "EndpointSlice", service["namespace"], service["name"]) not in self.objects:
            return f"no endpoints available for service {service['name']}"
        shown = self.objects.get(("", "Secret", service["namespace"], "webhook-cert"), {"data": {"ca.crt": None}})
        if shown["data"]["ca.crt"] != config.get("caBundle"):
            return "x509: certificate signed by unknown authority"
        return None


def _kind(crd: Object) -> Kind:
    spec = crd["spec"]
    version = spec["versions"][0]["name"]
    labels = crd["metadata"].get("labels") or {}
    return Kind(spec["group"], spec["names"]["kind"], version, spec["names"]["plural"], True, (version,), labels)
