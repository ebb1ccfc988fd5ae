"""Who is in charge: a table of what may be found, and what follows from it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bootstrapper import config as requests
from bootstrapper.errors import LostContact, NotInCharge
from bootstrapper.phases import charge
from bootstrapper.world import World
from pivot.seen import DONE, HANDED_OVER, MARKER_LABEL

CONFIG = requests.load(None)


@dataclass
class Api:
    """What is asked of an API server: its objects by kind, and whether it answers."""

    answers: bool = True
    objects: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def alive(self) -> None:
        if not self.answers:
            raise LostContact("an API server isn't ready", "connection refused")

    def list(self, kind: Any, namespace: str | None = None, labels: str | None = None) -> Iterator[dict[str, Any]]:
        yield from self.objects.get(kind.kind, ())

    def get(self, kind: Any, namespace: str | None, name: str) -> dict[str, Any] | None:
        return next(iter(self.objects.get(kind.kind, ())), None)

    def one(self, api_version: str, kind: str, namespace: str | None, name: str) -> dict[str, Any] | None:
        return next(iter(self.objects.get(kind, ())), None)


def source(managers: bool = True, claimed: bool = False, has_cluster: bool = True, answers: bool = True) -> Api:
    """A bootstrap cluster."""
    deployment = {"metadata": {"namespace": "capi-system", "name": "manager"}, "spec": {"replicas": int(managers)}}
    lease = {"metadata": {"name": "bootstrapper-pivot", "resourceVersion": "1"}, "spec": {"holderIdentity": "us"}}
    return Api(
        answers,
        {
            "Deployment": [deployment],
            "Lease": [lease] if claimed else [],
            "Cluster": [{"metadata": {"name": "mgmt"}}] if has_cluster else [],
        },
    )


def target(marker: str = "", namespaces: tuple[str, ...] = (), answers: bool = True) -> Api:
    """A management cluster; `marker` is the marker's state."""
    data = {"state": marker, "source": "s", "namespaces": json.dumps(namespaces), "mode": "keep"}
    found = {"metadata": {"uid": "1", "labels": {MARKER_LABEL: ""}}, "data": data}
    return Api(answers, {"ConfigMap": [found] if marker else []})


def world(bootstrap: Api | None, management: Api | None, throw_away: bool = True, exists: bool | None = None) -> World:
    """A world with these two API servers; None: there is no kubeconfig of it."""
    there = bootstrap is not None if exists is None else exists
    backend = SimpleNamespace(
        throw_away=throw_away,
        kubeconfig=lambda name: "source" if bootstrap else None,
        exists=lambda name: there,
    )
    state = SimpleNamespace(read=lambda file: "target" if management else None)
    servers = {"source": bootstrap, "target": management}
    return cast("World", SimpleNamespace(backend=backend, state=state, connect=lambda text, name: servers[text]))


@pytest.mark.parametrize(
    ("bootstrap", "management", "throw_away", "so"),
    [
        pytest.param(None, None, True, False, id="nothing is there"),
        pytest.param(source(), None, True, False, id="only the bootstrap cluster"),
        pytest.param(source(), target(), True, False, id="before the pivot"),
        pytest.param(source(), target(answers=False), True, False, id="before the pivot it isn't even asked"),
        pytest.param(source(claimed=True), target(), True, False, id="the pivot has begun"),
        pytest.param(source(managers=False, claimed=True), target(), True, False, id="fenced, not handed over"),
        pytest.param(source(managers=False, claimed=True), target(HANDED_OVER), True, True, id="handed over"),
        pytest.param(source(managers=False, claimed=True), target(DONE), True, True, id="done"),
        pytest.param(source(claimed=True), target(DONE), True, True, id="somebody started the managers again"),
        pytest.param(source(answers=False), target(DONE), True, True, id="done, the bootstrap cluster is silent"),
        pytest.param(source(answers=False), target(), True, False, id="no marker, the bootstrap cluster is silent"),
        pytest.param(None, target(DONE), True, True, id="done, the bootstrap cluster is gone"),
        pytest.param(None, target(), True, False, id="that the bootstrap cluster is gone proves nothing"),
        pytest.param(None, target(DONE, ("team-a",)), True, False, id="a pivot of some namespaces proves nothing"),
        pytest.param(source(), target(DONE), False, True, id="a source that lives on has its managers back"),
        pytest.param(source(), target(), False, False, id="a source that lives on, before the pivot"),
    ],
)
def test_in_charge(bootstrap: Api | None, management: Api | None, throw_away: bool, so: bool) -> None:
    assert charge.in_charge(CONFIG, world(bootstrap, management, throw_away)) is so


@pytest.mark.parametrize(
    "bootstrap", [None, source(answers=False), source(claimed=True)], ids=["gone", "silent", "moving"]
)
def test_a_management_cluster_that_must_be_asked_and_is_silent_is_lost_contact(bootstrap: Api | None) -> None:
    with pytest.raises(LostContact):
        charge.in_charge(CONFIG, world(bootstrap, target(DONE, answers=False)))


@pytest.mark.parametrize(
    ("management", "has", "done"),
    [
        (target(), False, False),
        (target(HANDED_OVER), True, False),
        (target(DONE), True, True),
        (target(DONE, ("team-a",)), False, False),
    ],
)
def test_markers(management: Any, has: bool, done: bool) -> None:
    assert charge.has_marker(management) is has
    assert charge.is_done(management) is done


@pytest.mark.parametrize(
    ("bootstrap", "so"),
    [
        (None, False),
        (source(), False),
        (source(claimed=True), True),
        (source(managers=False, claimed=True), True),
        (source(claimed=True, answers=False), False),
    ],
)
def test_moving(bootstrap: Api | None, so: bool) -> None:
    assert charge.moving(CONFIG, world(bootstrap, target())) is so


@pytest.mark.parametrize(
    ("bootstrap", "names"),
    [
        pytest.param(None, (), id="gone"),
        pytest.param(source(answers=False), (), id="silent"),
        pytest.param(source(managers=False), (), id="fenced"),
        pytest.param(source(), ("capi-system/manager",), id="they act on the same cluster"),
        pytest.param(source(has_cluster=False), (), id="they act on others"),
    ],
)
def test_others(bootstrap: Api | None, names: tuple[str, ...]) -> None:
    assert charge.others(CONFIG, world(bootstrap, target(DONE))) == names


@pytest.mark.parametrize(
    ("bootstrap", "management", "exists"),
    [
        pytest.param(None, None, False, id="new"),
        pytest.param(source(), None, True, id="under way"),
        pytest.param(None, target(), True, id="its node is stopped: it can be started"),
        pytest.param(None, target(DONE), False, id="in charge"),
    ],
)
def test_not_lost(bootstrap: Api | None, management: Api | None, exists: bool) -> None:
    assert charge.not_lost(CONFIG, world(bootstrap, management, exists=exists)).gap() is None


def test_lost() -> None:
    with pytest.raises(NotInCharge, match="its bootstrap cluster is gone"):
        charge.not_lost(CONFIG, world(None, target(), exists=False)).gap()
