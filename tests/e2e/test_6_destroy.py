"""The way back: nothing is left, and a management cluster whose API server doesn't answer is told of."""

from __future__ import annotations

from e2e import outside
from e2e.conftest import Management
from e2e.lab import Lab


def test_an_api_server_that_doesnt_answer_is_named(management: Management) -> None:
    lab = management.lab
    balancer = outside.of_role(lab.name, "external-load-balancer")[0].name
    outside.docker("pause", balancer)
    try:
        done = lab.init("--timeout", "5").finish(120)
        shown = lab.run("status", lab.name).must()
    finally:
        outside.docker("unpause", balancer)
    done.must(11).says(f"the API server of {lab.name}", "https://", "no change for")
    assert "no answer within the time limit" in shown.out, str(shown)
    lab.init().finish().must()


def test_destroy_leaves_nothing(management: Management) -> None:
    lab = management.lab
    assert lab.left()
    lab.run("destroy", lab.name, "--yes").must()
    assert lab.left() == []


def test_nothing_is_left_to_be_destroyed(lab: Lab) -> None:
    done = lab.run("destroy", lab.name, "--yes").must()
    assert f"nothing of {lab.name} is there" in done.out, str(done)
    lab.run("status", lab.name).must(23).says(lab.name, "bootstrapper init")
