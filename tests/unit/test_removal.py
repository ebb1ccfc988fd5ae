"""What is refused before a management cluster is taken away."""

from __future__ import annotations

from typing import Any

import pytest
from home_builder import a_cluster, home

from bootstrapper.errors import Declined
from bootstrapper.phases import removal


@pytest.mark.parametrize(
    "objects",
    [
        pytest.param([], id="nothing in it"),
        pytest.param([a_cluster("mgmt")], id="only itself"),
    ],
)
def test_nothing_depends_on_it(objects: list[Any]) -> None:
    removal.refuse_while_it_manages("mgmt", home(*objects))


@pytest.mark.parametrize(
    ("objects", "named"),
    [
        pytest.param([a_cluster("mgmt"), a_cluster("dev")], "Cluster default/dev", id="one other"),
        pytest.param([a_cluster("a"), a_cluster("b")], "Cluster default/a, Cluster default/b", id="others, not itself"),
        pytest.param(
            [{**a_cluster("mgmt-2"), "metadata": {"name": "mgmt-2", "namespace": "team"}}],
            "Cluster team/mgmt-2",
            id="a name that begins alike",
        ),
    ],
)
def test_what_it_manages_is_named(objects: list[Any], named: str) -> None:
    with pytest.raises(Declined) as raised:
        removal.refuse_while_it_manages("mgmt", home(*objects))
    assert raised.value.why == f"it manages {named}, and without it nobody would"
    assert "bootstrapper cluster delete NAME" in raised.value.hint
    assert raised.value.exit_code == 24
