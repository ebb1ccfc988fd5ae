"""Whether pods on different nodes reach each other, by address and by name: asked from within their own network."""

from __future__ import annotations

import json
from dataclasses import dataclass

from e2e import outside
from e2e.outside import Kubectl, Object, execute, until

#: CoreDNS is in every node's containerd, and answers over HTTP where it is told to.
PORT = 8080
COREFILE = f".:1053 {{\n  health :{PORT}\n  whoami\n}}\n"
#: curl in the pod's network, with the pod's own resolv.conf; $1: a process of the pod, $2: the URL.
ASK = (
    'nsenter --target "$1" --net -- unshare --mount sh -ec '
    "'mount -t tmpfs none /mnt; cp /proc/$1/root/etc/resolv.conf /mnt/; "
    'mount --bind /mnt/resolv.conf /etc/resolv.conf; curl -sS --max-time 3 "$2"\' sh "$1" "$2"'
)


@dataclass(frozen=True)
class Pod:
    """A pod that answers: its name (that of its Service too), address, and the container that is its node."""

    name: str
    address: str
    node: str

    def urls(self) -> list[str]:
        """Where it answers: by its address, and by its Service's name, which DNS must know."""
        return [f"http://{host}:{PORT}/health" for host in (self.address, f"{self.name}.default.svc.cluster.local")]


def on_each_node(cluster: Kubectl) -> list[Pod]:
    """A pod that answers, with a Service, on each node of a cluster."""
    nodes = outside.names(cluster.objects("nodes"))
    image = _coredns(cluster)
    cluster.apply([_config(), *(obj for node in nodes for obj in (_pod(node, image), _service(node)))])
    until("pods on all nodes answer", lambda: len(_running(cluster)) == len(nodes))
    return _running(cluster)


def remove(cluster: Kubectl) -> None:
    """Take them away."""
    cluster.run("delete", "pods,services,configmaps", "--selector=app=probe", "--now")


def ask(pod: Pod, url: str) -> str:
    """What a GET from within the pod's network brings: the answer, or why there is none."""
    found = execute(pod.node, "crictl", "pods", "--name", f"^{pod.name}$", "--state", "ready", "-q").stdout.split()
    if not found:
        return f"no sandbox of pod {pod.name} on {pod.node}"
    containers = execute(pod.node, "crictl", "ps", "--pod", found[0], "-q").stdout.split()
    if not containers:
        return f"no container of pod {pod.name} on {pod.node}"
    pid = json.loads(execute(pod.node, "crictl", "inspect", containers[0]).stdout)["info"]["pid"]
    done = execute(pod.node, "sh", "-c", ASK, "sh", str(pid), url)
    return done.stdout if done.returncode == 0 else done.stderr


def _coredns(cluster: Kubectl) -> str:
    pods = cluster.objects("pods", "--selector=k8s-app=kube-dns")
    return str(pods[0]["spec"]["containers"][0]["image"])


def _running(cluster: Kubectl) -> list[Pod]:
    pods = cluster.objects("pods", "--selector=app=probe", "--field-selector=status.phase=Running")
    ready = [p for p in pods if outside.condition(p, "Ready") == "True"]
    return [Pod(p["metadata"]["name"], p["status"]["podIP"], p["spec"]["nodeName"]) for p in ready]


def _config() -> Object:
    labels = {"app": "probe"}
    metadata = {"name": "probe", "namespace": "default", "labels": labels}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"Corefile": COREFILE}}


def _pod(node: str, image: str) -> Object:
    container = {
        "name": "probe",
        "image": image,
        "args": ["-conf", "/etc/coredns/Corefile"],
        "readinessProbe": {"httpGet": {"path": "/health", "port": PORT}},
        "volumeMounts": [{"name": "config", "mountPath": "/etc/coredns"}],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"probe-{node}", "namespace": "default", "labels": {"app": "probe", "node": node}},
        "spec": {
            "nodeName": node,
            "tolerations": [{"operator": "Exists"}],
            "terminationGracePeriodSeconds": 1,
            "containers": [container],
            "volumes": [{"name": "config", "configMap": {"name": "probe"}}],
        },
    }


def _service(node: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": f"probe-{node}", "namespace": "default", "labels": {"app": "probe"}},
        "spec": {"selector": {"node": node}, "ports": [{"port": PORT}]},
    }
