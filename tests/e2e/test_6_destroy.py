"""The way back: nothing is left, and a management cluster whose API server doesn't answer is told of."""

from __future__ import annotations

from e2e import outside
from e2e.conftest import Management
from e2e.lab import Lab


def test_the_second_cluster_is_deleted(management: Management) -> None:
    lab = management.lab
    lab.run("cluster", "delete", lab.second).must(24).says("--yes")
    lab.run("cluster", "delete", lab.second, "--yes").must()
    assert outside.containers(lab.second) == []
    assert outside.names(management.kubectl.objects("clusters")) == [lab.name]
    assert management.kubectl.objects("machines", f"--selector=cluster.x-k8s.io/cluster-name={lab.second}") == []
    lab.run("cluster", "status", lab.second).must(23).says(lab.second, "cluster list")


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
