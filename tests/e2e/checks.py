"""Whether a management cluster is what `init` promises, by kubectl and docker alone."""

from __future__ import annotations

import json

from e2e import outside
from e2e.lab import Lab
from e2e.outside import Kubectl, condition

PROVIDERS = ("bootstrap-kubeadm", "cluster-api", "control-plane-kubeadm", "infrastructure-docker")
MANAGERS = (
    "capd-controller-manager",
    "capi-controller-manager",
    "capi-kubeadm-bootstrap-controller-manager",
    "capi-kubeadm-control-plane-controller-manager",
)


def wrong_with(lab: Lab, kubectl: Kubectl, workers: int) -> list[str]:
    """What isn't as it should be: exactly one of each, whole, in charge, and nobody else about."""
    return [*_machines(lab, kubectl, workers), *_providers(kubectl), *_bootstrap(lab)]


def _machines(lab: Lab, kubectl: Kubectl, workers: int) -> list[str]:
    clusters, machines = kubectl.objects("clusters"), kubectl.objects("machines")
    mine = [m for m in machines if m["spec"]["clusterName"] == lab.name]
    roles = sorted(c.role for c in outside.containers(lab.name))
    wrong = []
    if outside.names(clusters) != [lab.name]:
        wrong.append(f"Clusters: {outside.names(clusters)}")
    wrong += [f"Cluster {c['metadata']['name']} is paused" for c in clusters if c["spec"].get("paused")]
    wrong += [f"Cluster: {condition(c, 'Available')}" for c in clusters if condition(c, "Available") != "True"]
    wrong += [f"Machine: {condition(m, 'Ready')}" for m in mine if condition(m, "Ready") != "True"]
    if roles != sorted(["control-plane", "external-load-balancer", *["worker"] * workers]):
        wrong.append(f"containers: {outside.containers(lab.name)}")
    wrong += [f"container {c.name} is {c.state}" for c in outside.containers(lab.name) if c.state != "running"]
    nodes = outside.names(kubectl.objects("nodes"))
    if outside.names(mine) != nodes:
        wrong.append(f"Machines {outside.names(mine)} but Nodes {nodes}")
    return wrong


def _providers(kubectl: Kubectl) -> list[str]:
    wrong = []
    installed = outside.names(kubectl.objects("providers.clusterctl.cluster.x-k8s.io"))
    if installed != list(PROVIDERS):
        wrong.append(f"the inventory names {installed}")
    managers = [d for d in kubectl.objects("deployments") if d["metadata"]["name"] in MANAGERS]
    if outside.names(managers) != list(MANAGERS):
        wrong.append(f"managers: {outside.names(managers)}")
    return wrong + [f"{d['metadata']['name']} isn't available" for d in managers if condition(d, "Available") != "True"]


def _bootstrap(lab: Lab) -> list[str]:
    return [f"container {c.name} is still there" for c in outside.containers(lab.bootstrap)]


def nonsense(kubectl: Kubectl) -> str:
    """What the API server says to a Cluster that only the providers' webhook knows to be wrong."""
    cluster = {
        "apiVersion": "cluster.x-k8s.io/v1beta2",
        "kind": "Cluster",
        "metadata": {"name": "nonsense", "namespace": "default"},
        "spec": {
            "clusterNetwork": {"pods": {"cidrBlocks": ["no range"]}},
            "controlPlaneEndpoint": {"host": "127.0.0.1", "port": 6443},
            "infrastructureRef": {
                "apiGroup": "infrastructure.cluster.x-k8s.io",
                "kind": "DevCluster",
                "name": "nonsense",
            },
        },
    }
    return kubectl.run("create", "--dry-run=server", "-f", "-", stdin=json.dumps(cluster)).stderr
