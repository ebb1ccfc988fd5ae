"""What an operator does with a management cluster every day."""

from __future__ import annotations

import base64

from e2e import checks, outside
from e2e.conftest import Management
from e2e.lab import Lab
from e2e.outside import Kubectl, condition, execute, until


def machines(management: Management, pool: bool) -> list[str]:
    """The second cluster's machines: those of its worker pool, or of its control plane."""
    found = management.kubectl.objects("machines", f"--selector=cluster.x-k8s.io/cluster-name={management.lab.second}")
    return [m["metadata"]["name"] for m in found if ("cluster.x-k8s.io/deployment-name" in labels(m)) == pool]


def labels(obj: outside.Object) -> dict[str, str]:
    """Its labels."""
    return dict(obj["metadata"].get("labels", {}))


def ready_nodes(cluster: Kubectl) -> int:
    """Nodes of a cluster that are Ready."""
    return sum(condition(node, "Ready") == "True" for node in cluster.objects("nodes"))


def second(lab: Lab) -> Kubectl:
    """The second cluster, by its own kubeconfig."""
    return lab.kubectl("cluster", "kubeconfig", lab.second)


def has_workers(lab: Lab, number: int) -> None:
    """Wait until the engine and the second cluster have so many, no more and no fewer."""
    until(f"{number} containers", lambda: len(outside.of_role(lab.second, "worker")) == number)
    until(f"{number} workers are nodes", lambda: ready_nodes(second(lab)) == number + 1)


def webhook_certificates(cluster: Kubectl) -> dict[str, str]:
    """Each webhook certificate of the providers: namespace and its PEM."""
    found = [s for s in cluster.objects("secrets") if s["metadata"]["name"].endswith("webhook-service-cert")]
    return {s["metadata"]["namespace"]: base64.b64decode(s["data"]["tls.crt"]).decode().strip() for s in found}


def _served(cluster: Kubectl) -> dict[str, str]:
    """The certificate that each webhook's manager shows to who connects, asked from a node."""
    node = outside.names(cluster.objects("nodes", "--selector=node-role.kubernetes.io/control-plane"))[0]
    services = [s for s in cluster.objects("services") if s["metadata"]["name"].endswith("webhook-service")]
    served = {}
    for service in services:
        address = f"{service['spec']['clusterIP']}:443"
        shown = execute(node, "sh", "-c", f"curl -sk -w '%{{certs}}' -o /dev/null https://{address}").stdout
        first = shown[shown.find("-----BEGIN") : shown.find("-----END CERTIFICATE-----") + 25]
        served[service["metadata"]["namespace"]] = first.strip()
    return served


def test_certificates_are_renewed(management: Management) -> None:
    """First of all, so that all that follows goes through webhooks whose certificates change meanwhile."""
    before = webhook_certificates(management.kubectl)
    management.lab.run("certificates", "renew", management.lab.name).must()
    after = webhook_certificates(management.kubectl)
    assert before.keys() == after.keys()
    assert len(before) == 4
    assert [name for name in before if before[name] == after[name]] == [], "not renewed"
    assert "invalid CIDR address" in checks.nonsense(management.kubectl)


def test_a_second_cluster_is_created(management: Management) -> None:
    lab = management.lab
    done = lab.run("cluster", "create", lab.second, "--workers", "1").must()
    assert f"cluster {lab.second} is whole" in done.out, str(done)
    assert ready_nodes(second(lab)) == 2
    assert outside.of_role(lab.second, "worker")


def test_both_are_listed(management: Management) -> None:
    lab = management.lab
    rows = lab.run("cluster", "list", "--json").must().document()
    assert {row["name"]: (row["control plane"], row["workers"], row["state"]) for row in rows} == {
        lab.name: ("1/1", "1/1", "whole"),
        lab.second: ("1/1", "1/1", "whole"),
    }


def test_its_status_is_shown(management: Management) -> None:
    done = management.lab.run("cluster", "status", management.lab.second).must()
    assert f"cluster default/{management.lab.second}  ready" in done.out, str(done)


def test_a_worker_is_added_and_taken_away(management: Management) -> None:
    lab = management.lab
    for number in (2, 1):
        lab.run("cluster", "scale", lab.second, "--workers", str(number)).must()
        assert len(machines(management, pool=True)) == number
        has_workers(lab, number)
    assert len(machines(management, pool=False)) == 1


def test_a_pool_that_isnt_there(management: Management) -> None:
    lab = management.lab
    done = lab.run("cluster", "scale", lab.second, "--workers", "2", "--pool", "md-9")
    done.must(20).says("md-0", "--pool")
    lab.run("cluster", "scale", lab.second, "--control-plane", "2").must(20).says("odd number")


def test_the_management_cluster_isnt_destroyed_while_it_manages_others(management: Management) -> None:
    lab = management.lab
    lab.run("destroy", lab.name, "--yes").must(24).says(f"Cluster default/{lab.second}", "cluster delete")
    lab.run("cluster", "delete", lab.name, "--yes").must(20).says(
        "management cluster", f"bootstrapper destroy {lab.name}"
    )


def test_the_renewed_certificates_are_in_use(management: Management) -> None:
    """Kubelets and managers take them up by themselves, a minute or so after they were issued."""
    renewed = webhook_certificates(management.kubectl)
    until("the managers serve the new certificates", lambda: _served(management.kubectl) == renewed, 180)
    assert "invalid CIDR address" in checks.nonsense(management.kubectl)
