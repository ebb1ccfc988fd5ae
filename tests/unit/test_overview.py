"""The tree and the table of what stands, from the objects alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from home_builder import PROVIDER, a_cluster, a_machine, home, made

from bootstrapper import overview, show
from bootstrapper.journal import Entry

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def entry(run: str, at: str) -> Entry:
    return Entry(at, run, "fitness", "closed", "", 1.0)


def test_a_management_cluster_that_manages_itself() -> None:
    provider = made("Provider", "cluster-api", PROVIDER, version="v1.14.2")
    cluster = home(a_cluster("mgmt"), a_machine("mgmt-cp", "mgmt"), provider)
    node = overview.management("mgmt", cluster, [entry("a", "08:00"), entry("b", "09:00")])
    assert show.tree(node).splitlines() == [
        "mgmt  ready  manages itself",
        "├── providers",
        "│   └── cluster-api v1.14.2",
        "├── webhook certificates  not issued here (cert-manager does)",
        "├── clusters",
        "│   └── cluster default/mgmt  ready",
        "│       └── control plane",
        "│           └── machine mgmt-cp  ready",
        "└── story  bootstrapped from here in 2 runs, 08:00 to 09:00",
    ]


@pytest.mark.parametrize(
    ("objects", "ok", "text"),
    [
        pytest.param([a_cluster("mgmt")], True, "manages itself", id="whole"),
        pytest.param([a_cluster("mgmt", "False", "* no node")], False, "no node", id="not available"),
        pytest.param([], False, "it has no Cluster object of its own: it doesn't manage itself", id="not in it"),
        pytest.param(
            [a_cluster("dev")], False, "it has no Cluster object of its own: it doesn't manage itself", id="only others"
        ),
    ],
)
def test_whether_it_manages_itself(objects: list[Any], ok: bool, text: str) -> None:
    node = overview.management("mgmt", home(*objects), [])
    assert (node.ok, node.text) == (ok, text)


def test_an_api_server_that_does_not_answer() -> None:
    node = overview.management("mgmt", home(answers=False), [])
    assert (node.ok, node.text) == (False, "the API server of mgmt isn't ready: connection refused")
    assert [child.text for child in node.children] == ["no journal here"]


def test_a_cluster_with_its_pools() -> None:
    cluster = a_cluster("dev", "False", "* MachinesReady: 1 of 3", paused=True)
    objects = [
        a_machine("dev-cp", "dev"),
        a_machine("dev-b-1", "dev", "dev-b", ready=False),
        a_machine("dev-a-1", "dev", "dev-a"),
        a_machine("other", "other"),
    ]
    node = overview.cluster(home(cluster, *objects), cluster)
    assert (node.title, node.ok, node.text) == ("cluster default/dev (paused)", False, "MachinesReady: 1 of 3")
    assert [child.title for child in node.children] == ["control plane", "worker pool dev-a", "worker pool dev-b"]
    late = node.children[2].children[0]
    assert (late.title, late.ok, late.text) == ("machine dev-b-1", False, "it has no node")


def deleting(cluster: dict[str, Any]) -> dict[str, Any]:
    return {**cluster, "metadata": {**cluster["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}}


@pytest.mark.parametrize(
    ("objects", "row"),
    [
        pytest.param([a_cluster("dev")], ("dev", "default", "", "0/0", "0/0", "whole"), id="no machines"),
        pytest.param(
            [a_cluster("dev"), a_machine("cp", "dev"), a_machine("w", "dev", "dev-md-0", ready=False)],
            ("dev", "default", "v1.36.3", "1/1", "0/1", "whole"),
            id="a worker without a node",
        ),
        pytest.param(
            [
                a_cluster("dev"),
                a_machine("cp", "dev", version="v1.36.3"),
                a_machine("w", "dev", "p", version="v1.35.0"),
            ],
            ("dev", "default", "v1.35.0, v1.36.3", "1/1", "1/1", "whole"),
            id="two versions",
        ),
        pytest.param(
            [deleting(a_cluster("dev"))], ("dev", "default", "", "0/0", "0/0", "being deleted"), id="being deleted"
        ),
        pytest.param(
            [a_cluster("dev", "False", "* late")], ("dev", "default", "", "0/0", "0/0", "late"), id="not available"
        ),
    ],
)
def test_the_row_of_a_cluster(objects: list[Any], row: tuple[str, ...]) -> None:
    assert overview.clusters(home(*objects)) == [row]


@pytest.mark.parametrize(
    ("days", "ok", "says"),
    [
        (400, True, "the first to expire is capd/cert, in 400 days"),
        (30, True, "in 30 days"),
        (29, False, "Renew them: bootstrapper certificates renew"),
        (-1, False, "Renew them"),
    ],
)
def test_certificates_that_are_about_to_expire(days: int, ok: bool, says: str) -> None:
    soon = NOW + timedelta(days=days)
    node = overview.certificates_node({"capi/cert": soon + timedelta(days=1), "capd/cert": soon}, NOW)
    assert node.ok is ok
    assert says in node.text
