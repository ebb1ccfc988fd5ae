"""What the pivot needs from the outside: a cluster, its managers, a clock. Nothing else in `pivot` does I/O.

Objects are plain JSON dicts as the API server gives them. Implementations retry what is transient and raise
`pivot.errors` for the rest; the pivot itself decides only on what is permanent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

#: A Kubernetes object as JSON.
Object = dict[str, Any]
#: Under what name implementations of `Cluster` write (`fieldManager`); its `Update` entries aren't carried along.
FIELD_MANAGER = "bootstrapper"


@dataclass(frozen=True)
class Kind:
    """One kind of object, at one version of its API. Two of the same group and kind are equal at any version.

    `served` are all versions that the API server answers for (`version` among them); `labels` are those of the CRD;
    `status` tells whether status is a subresource (then a create drops it).
    """

    group: str
    kind: str
    version: str = field(compare=False)
    plural: str = field(compare=False)
    namespaced: bool = field(default=True, compare=False)
    served: tuple[str, ...] = field(default=(), compare=False)
    labels: Mapping[str, str] = field(default_factory=dict, compare=False)
    status: bool = field(default=True, compare=False)

    @property
    def api_version(self) -> str:
        """`v1` for the core group, else `group/version`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def at(self, version: str) -> Kind:
        """The same kind at another served version."""
        return replace(self, version=version)

    def __str__(self) -> str:
        return f"{self.kind}.{self.group}" if self.group else self.kind


def core_kind(kind: str, plural: str, group: str = "", namespaced: bool = True) -> Kind:
    """A kind that every API server has, at v1."""
    return Kind(group, kind, "v1", plural, namespaced, ("v1",))


NAMESPACE = core_kind("Namespace", "namespaces", namespaced=False)
SECRET = core_kind("Secret", "secrets")
CONFIG_MAP = core_kind("ConfigMap", "configmaps")
POD = core_kind("Pod", "pods")
DEPLOYMENT = core_kind("Deployment", "deployments", "apps")
LEASE = core_kind("Lease", "leases", "coordination.k8s.io")
VALIDATING_WEBHOOKS = core_kind(
    "ValidatingWebhookConfiguration",
    "validatingwebhookconfigurations",
    "admissionregistration.k8s.io",
    namespaced=False,
)
MUTATING_WEBHOOKS = core_kind(
    "MutatingWebhookConfiguration",
    "mutatingwebhookconfigurations",
    "admissionregistration.k8s.io",
    namespaced=False,
)


class Cluster(Protocol):
    """One API server. `namespace` is None for cluster-scoped kinds, and in `list` for all namespaces.

    Every method raises `Unavailable` (transient, retried to the end of the adapter's patience) or `Refused`.
    """

    #: How people call this cluster, for messages.
    name: str

    def identity(self) -> str:
        """The UID of its namespace kube-system."""
        ...

    def kinds(self) -> tuple[Kind, ...]:
        """Every kind that a CRD defines, at its storage version (the newest served one when that isn't served)."""
        ...

    def list(self, kind: Kind, namespace: str | None = None, labels: str | None = None) -> Iterator[Object]:
        """Every object of a kind, `apiVersion` and `kind` filled in. Raises NotFound: no such kind."""
        ...

    def get(self, kind: Kind, namespace: str | None, name: str) -> Object | None:
        """One object, None when it isn't there."""
        ...

    def create(self, kind: Kind, obj: Object) -> Object:
        """Create it; gives what the API server made of it. Raises AlreadyExists, Refused, NotFound (its namespace)."""
        ...

    def check(self, kind: Kind, obj: Object) -> None:
        """Return when it would create the object, and create nothing (`dryRun=All`). Raises as `create` does."""
        ...

    def patch(
        self,
        kind: Kind,
        namespace: str | None,
        name: str,
        patch: Mapping[str, Any] | Sequence[Any],
        *,
        type: Literal["merge", "json"] = "merge",  # noqa: A002 - the API's own word
        subresource: str | None = None,
    ) -> Object:
        """JSON merge patch (RFC 7386) or JSON patch (RFC 6902).

        A resourceVersion or uid in a merge patch's metadata is a precondition. Raises NotFound, Conflict (another
        resourceVersion), Refused (another uid, too: an API server answers that with 422).
        """
        ...

    def delete(
        self, kind: Kind, namespace: str | None, name: str, *, uid: str, propagation: str = "Background"
    ) -> None:
        """Delete the object that has this UID; one that is gone already is fine. Raises Conflict: another UID."""
        ...


class Managers(Protocol):
    """The controllers that act on one cluster: Deployments, or plain processes."""

    def running(self) -> tuple[str, ...]:
        """The names of those that run or are about to (a pod that is still terminating runs)."""
        ...

    def stopped(self) -> tuple[str, ...]:
        """The names of those that `stop` stopped and `start` would start."""
        ...

    def stop(self) -> None:
        """Begin to stop all, remembering in the cluster what to start again. May be repeated."""
        ...

    def start(self) -> None:
        """Begin to start what `stop` stopped, and only that. May be repeated."""
        ...

    def starting(self) -> tuple[str, ...]:
        """The names of those that should run and aren't ready to answer yet."""
        ...


class Clock(Protocol):
    """Time and waiting; tests bring their own."""

    def now(self) -> float:
        """Seconds of a monotonic clock."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


@dataclass(frozen=True)
class Progress:
    """One line of progress: what is done or waited for, why, and for how many seconds already."""

    stage: str
    what: str
    why: str = ""
    since: float = 0.0

    def __str__(self) -> str:
        why = f": {self.why}" if self.why else ""
        since = f" ({self.since:.0f} s)" if self.since >= 1 else ""
        return f"{self.what}{why}{since}"


Report = Callable[[Progress], None]
