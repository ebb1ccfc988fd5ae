"""What Cluster API's objects say, in one line each."""

from __future__ import annotations

from typing import Any

import pytest

from bootstrapper import capi


def machine(*conditions: dict[str, Any], **parts: Any) -> dict[str, Any]:
    return {
        "kind": "Machine",
        "metadata": {"name": "m-1", "namespace": "default"},
        "status": {"conditions": list(conditions)},
        **parts,
    }


def ready(status: str, message: str = "", reason: str = "") -> dict[str, Any]:
    return {"type": "Ready", "status": status, "message": message, **({"reason": reason} if reason else {})}


@pytest.mark.parametrize(
    ("obj", "lacking"),
    [
        pytest.param({"kind": "Machine"}, "no controller has set Ready yet", id="no status"),
        pytest.param(machine(), "no controller has set Ready yet", id="no condition"),
        pytest.param(machine({"type": "Other", "status": "True"}), "no controller has set Ready yet", id="another one"),
        pytest.param(machine(ready("True", "all is well")), None, id="true"),
        pytest.param(machine(ready("False", "no node")), "no node", id="its message"),
        pytest.param(machine(ready("False", "", "Waiting")), "Ready is False (Waiting)", id="its reason"),
        pytest.param(machine(ready("Unknown")), "Ready is Unknown (no reason)", id="nothing said"),
        pytest.param(
            machine(ready("False", "* Machines:\n  * etcd: down\n\n* Node: gone")),
            "Machines: etcd: down; Node: gone",
            id="a nested list on one line",
        ),
    ],
)
def test_lacking(obj: dict[str, Any], lacking: str | None) -> None:
    assert capi.lacking(obj, "Ready") == lacking
    assert capi.is_true(obj, "Ready") == (lacking is None)


@pytest.mark.parametrize(
    ("metadata", "title"),
    [
        ({"name": "m-1", "namespace": "default"}, "Machine default/m-1"),
        ({"name": "m-1"}, "Machine m-1"),
    ],
)
def test_title(metadata: dict[str, str], title: str) -> None:
    assert capi.title({"kind": "Machine", "metadata": metadata}) == title


@pytest.mark.parametrize(
    ("cluster", "so"),
    [({}, False), ({"spec": {"paused": True}}, False), ({"spec": {"topology": {"classRef": {"name": "q"}}}}, True)],
)
def test_managed_by_topology(cluster: dict[str, Any], so: bool) -> None:
    assert capi.is_managed_by_topology(cluster) is so
