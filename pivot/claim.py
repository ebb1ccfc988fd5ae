"""One mover at a time: a Lease in the source, whose holder renews it with a precondition.

No clock is compared with another: a claim is alive when it changes while we watch it, so clocks may differ at will.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field

from pivot.errors import AlreadyExists, AnotherMover, Conflict, NotFound
from pivot.ports import LEASE, Clock, Cluster, Object
from pivot.seen import Claim

HOME, NAME = "kube-system", "bootstrapper-pivot"
TARGET = "pivot.bootstrapper/target"
PIVOT = "pivot.bootstrapper/pivot"
NAMESPACES = "pivot.bootstrapper/namespaces"
BEAT = "pivot.bootstrapper/beat"
#: Seconds between two renewals, and of silence after which a claim counts as left behind by a killed run.
RENEW, SILENCE = 3.0, 12.0


def read(source: Cluster) -> Claim | None:
    """The claim that stands on a source, None when there is none."""
    body = source.get(LEASE, HOME, NAME)
    return _claim(body) if body else None


def _claim(body: Object) -> Claim:
    notes = body["metadata"].get("annotations") or {}
    holder = (body.get("spec") or {}).get("holderIdentity") or ""
    namespaces = tuple(json.loads(notes.get(NAMESPACES) or "[]"))
    version = body["metadata"]["resourceVersion"]
    return Claim(holder, notes.get(TARGET, ""), notes.get(PIVOT, ""), namespaces, version)


@dataclass
class Hold:
    """Our claim on a source, for as long as a run lasts.

    `gone` tells of a holder whether it is known to be dead (then its claim is taken over at once).
    """

    source: Cluster
    claim: Claim
    clock: Clock
    gone: Callable[[str], bool]
    _uid: str = field(default="", init=False)
    _version: str = field(default="", init=False)
    _renewed: float = field(default=0.0, init=False)
    _beats: int = field(default=0, init=False)

    def acquire(self) -> None:
        """Claim the source, or take over a claim that a killed run left.

        Raises:
            AnotherMover: somebody else's claim is alive, or was faster.
        """
        try:
            self._adopt(self.source.create(LEASE, self._body()))
        except AlreadyExists:
            self._take_over()

    def _take_over(self) -> None:
        found = self.source.get(LEASE, HOME, NAME)
        if found is None:
            raise AnotherMover("the claim on the source vanished while we read it", "another mover ended", AGAIN)
        other = _claim(found)
        if other.holder != self.claim.holder and not self.gone(other.holder):
            self._watch(other)
        patch = {"metadata": {**self._notes(), "resourceVersion": other.version}, "spec": self._spec()}
        try:
            self._adopt(self.source.patch(LEASE, HOME, NAME, patch))
        except (Conflict, NotFound):
            raise self._lost(other.holder) from None

    def _watch(self, other: Claim) -> None:
        """Return when the claim of the other stays the same for SILENCE seconds."""
        until = self.clock.now() + SILENCE
        while self.clock.now() < until:
            self.clock.sleep(1.0)
            now = read(self.source)
            if now is None or now.version != other.version:
                raise self._lost(other.holder)

    def beat(self) -> None:
        """Renew the claim when it is time.

        Raises:
            AnotherMover: it isn't ours any more.
        """
        if self.clock.now() - self._renewed < RENEW:
            return
        patch = {"metadata": {**self._notes(), "uid": self._uid, "resourceVersion": self._version}}
        try:
            self._adopt(self.source.patch(LEASE, HOME, NAME, patch))
        except (Conflict, NotFound):
            now = read(self.source)
            raise self._lost(now.holder if now else "somebody who removed the claim") from None

    def release(self) -> None:
        """Remove our claim; one that isn't ours any more is left alone."""
        try:
            self.source.delete(LEASE, HOME, NAME, uid=self._uid)
        except Conflict:
            return

    def _adopt(self, body: Object) -> None:
        self._uid = body["metadata"]["uid"]
        self._version = body["metadata"]["resourceVersion"]
        self._renewed = self.clock.now()

    def _body(self) -> Object:
        metadata = {"name": NAME, "namespace": HOME, **self._notes()}
        return {
            "apiVersion": LEASE.api_version,
            "kind": LEASE.kind,
            "metadata": metadata,
            "spec": self._spec(),
        }

    def _notes(self) -> Object:
        self._beats += 1
        notes = {TARGET: self.claim.target, PIVOT: self.claim.pivot, BEAT: f"{self._beats}"}
        return {"annotations": {**notes, NAMESPACES: json.dumps(self.claim.namespaces)}}

    def _spec(self) -> Object:
        return {"holderIdentity": self.claim.holder, "leaseDurationSeconds": int(SILENCE)}

    def _lost(self, holder: str) -> AnotherMover:
        return AnotherMover("another pivot is at work on this source", f"it is {holder}", AGAIN)


AGAIN = "wait for its end, then run the same command again"
