"""Controllers in an in-memory API server, acting as Kubernetes' and Cluster API's do, as far as `init` can see.

Each of Cluster API's acts while its provider's manager has a ready pod there, and not on what is paused.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator
from typing import Any

from init_api import CRD, SLICE, ApiServer
from init_components import BOOTSTRAP, CAPI, CONTROL_PLANE, INFRASTRUCTURE
from init_room import BALANCER, Room, kubeconfig
from init_room import CONTROL_PLANE as PLANE_ROLE
from init_room import WORKER as WORKER_ROLE

from bootstrapper.world import Object
from pivot.ports import POD, SECRET, Kind

Name = tuple[str, str, str, str]
CLUSTER_LABEL, PLANE_LABEL = "cluster.x-k8s.io/cluster-name", "cluster.x-k8s.io/control-plane"
CORE, BOOT, PLANES, INFRA = "cluster-api", "bootstrap-kubeadm", "control-plane-kubeadm", "infrastructure-docker"
FINALIZER = "cluster.x-k8s.io/finalizer"


class Kubernetes:
    """CRDs are established, Deployments get pods, Services get endpoints. `has_images` says whether a pod can start."""

    def __init__(self, server: ApiServer, has_images: Callable[[set[str]], bool]) -> None:
        self.server, self.has_images = server, has_images

    def act(self) -> None:
        for name, body in list(self.server.objects.items()):
            if name[:2] == (CRD.group, CRD.kind):
                body["status"] = {"conditions": [{"type": "Established", "status": "True"}]}
            elif name[1] == "Deployment":
                self._deployment(name, body)
        for name, body in list(self.server.objects.items()):
            if name[1] == "Service" and "spec" in body:
                self._slice(name, body["spec"]["selector"])

    def _deployment(self, name: Name, body: Object) -> None:
        pod = ("", "Pod", name[2], f"{name[3]}-0")
        wanted, template = body["spec"]["replicas"], body["spec"]["template"]
        images = {container["image"] for container in template["spec"]["containers"]}
        ready = pod in self.server.objects and self.has_images(images)
        if wanted and pod not in self.server.objects:
            metadata = {"name": pod[3], "namespace": pod[2], "labels": template["metadata"]["labels"]}
            self.server.put(POD, {"metadata": metadata})
        elif not wanted:
            self.server.remove(pod)
        elif ready:
            self.server.objects[pod]["status"] = {"ready": True}
        count = wanted if ready else 0
        counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), count)
        body["status"] = {"observedGeneration": body["metadata"]["generation"], **counts}

    def _slice(self, name: Name, selector: dict[str, str]) -> None:
        pods = [b for n, b in self.server.objects.items() if n[1] == "Pod" and n[2] == name[2]]
        ready = [p for p in pods if selector.items() <= p["metadata"]["labels"].items() and p.get("status")]
        key = (SLICE.group, SLICE.kind, name[2], name[3])
        if ready and key not in self.server.objects:
            labels = {"kubernetes.io/service-name": name[3]}
            metadata = {"name": name[3], "namespace": name[2], "labels": labels}
            self.server.put(SLICE, {"metadata": metadata, "endpoints": [{"conditions": {"ready": True}}]})
        elif not ready:
            self.server.objects.pop(key, None)


class ClusterApi:
    """The providers' controllers in one API server; the machines that they make are in the room."""

    def __init__(self, server: ApiServer, room: Room) -> None:
        self.server, self.room = server, room

    def act(self) -> None:
        for body in list(self._of("Cluster")):
            self._reconcile(body)

    def runs(self, provider: str) -> bool:
        """Whether the manager of a provider acts here."""
        for name, body in self.server.objects.items():
            labels = body["metadata"].get("labels") or {}
            if name[1] == "Deployment" and labels.get("cluster.x-k8s.io/provider") == provider:
                pod = self.server.objects.get(("", "Pod", name[2], f"{name[3]}-0"), {})
                return bool(pod.get("status"))
        return False

    def _reconcile(self, cluster: Object) -> None:
        name, paused = cluster["metadata"]["name"], bool(cluster["spec"].get("paused"))
        if self.runs(CORE):
            self._show_pause(cluster, paused)
        if paused:
            return
        if "deletionTimestamp" in cluster["metadata"]:
            self._delete(cluster)
            return
        for provider, work in (
            (CORE, self._adopt),
            (INFRA, self._infrastructure),
            (PLANES, self._control_plane),
            (CORE, self._pools),
            (BOOT, self._bootstrap_data),
            (INFRA, self._containers),
            (CORE, self._machines),
            (CORE, self._status),
        ):
            if self.runs(provider) and self._key(cluster) in self.server.objects:
                work(name, self.server.objects[self._key(cluster)])

    def _show_pause(self, cluster: Object, paused: bool) -> None:
        """Every object of a Cluster shows whether it is paused; other conditions stay."""
        for body in (cluster, *self._belonging(cluster["metadata"]["name"])):
            if body["kind"].endswith(("Template", "Secret")):
                continue
            _condition(body, "Paused", paused)

    def _adopt(self, name: str, cluster: Object) -> None:
        """What a Cluster refers to gets it as its owner: that is how it is found by a pivot."""
        self._edit(cluster, lambda b: b["metadata"].update(finalizers=[FINALIZER]))
        spec = cluster["spec"]
        found = [self._get(ref["kind"], ref["name"]) for ref in (spec["infrastructureRef"], spec["controlPlaneRef"])]
        plane = self._plane(cluster)
        templates = [plane["spec"]["machineTemplate"]["spec"]["infrastructureRef"]] if plane else []
        pools = [b for b in self._of("MachineDeployment") if b["spec"]["clusterName"] == name]
        for pool in pools:
            spec = pool["spec"]["template"]["spec"]
            templates += [spec["infrastructureRef"], spec["bootstrap"]["configRef"]]
        for body in (*found, *pools, *(self._get(ref["kind"], ref["name"]) for ref in templates)):
            if body and not body["metadata"].get("ownerReferences"):
                self._edit(body, lambda b: b["metadata"].update(**_owned(cluster, name, b)))

    def _infrastructure(self, name: str, cluster: Object) -> None:
        """A load balancer, and its address as the control plane's endpoint."""
        body = self._get("DevCluster", cluster["spec"]["infrastructureRef"]["name"])
        if body and "node-image" in self.room.engine_images:
            self.room.make(f"{name}-lb", name, BALANCER)
            self._edit(body, lambda b: b["metadata"].update(finalizers=[FINALIZER]))
            self._edit(cluster, lambda b: b["spec"].update(controlPlaneEndpoint={"host": f"{name}-lb", "port": 6443}))

    def _control_plane(self, name: str, cluster: Object) -> None:
        """Secrets first, then one machine after another; the kubeconfig when the endpoint is known."""
        plane = self._plane(cluster)
        if plane is None or "controlPlaneEndpoint" not in cluster["spec"]:
            return
        self._secret(f"{name}-ca", plane, name, {"tls.key": "a2V5"})
        self._secret(f"{name}-kubeconfig", plane, name, {"value": b64encode(kubeconfig(name).encode()).decode()})
        machines = self._machines_of(plane)
        ready = [m for m in machines if _is_ready(m)]
        if len(machines) < plane["spec"]["replicas"] and len(ready) == len(machines):
            self._machine(plane, f"{name}-control-plane", name, {PLANE_LABEL: ""})
        elif len(machines) > plane["spec"]["replicas"]:
            self._remove(machines[-1])
        self._count(plane, machines, ready)

    def _pools(self, name: str, cluster: Object) -> None:
        for pool in [b for b in self._of("MachineDeployment") if b["spec"]["clusterName"] == name]:
            title, wanted = pool["metadata"]["name"], pool["spec"]["replicas"]
            metadata = {"name": f"{title}-set", "namespace": self._space(pool), **_owned(pool, name, {})}
            self._make("MachineSet", {"metadata": metadata, "spec": {"clusterName": name}})
            machine_set = self._get("MachineSet", f"{title}-set")
            assert machine_set
            machines = self._machines_of(machine_set)
            if len(machines) < wanted and self._get("Secret", f"{name}-kubeconfig"):
                self._machine(machine_set, title, name, {"cluster.x-k8s.io/deployment-name": title})
            elif len(machines) > wanted:
                self._remove(machines[-1])
            self._count(pool, machines, [m for m in machines if _is_ready(m)])

    def _machine(self, owner: Object, prefix: str, cluster: str, labels: dict[str, str]) -> None:
        """A Machine with a name that nobody ever had."""
        name = f"{prefix}-{next(self.room.numbers)}"
        metadata = {"name": name, "namespace": self._space(owner), **_owned(owner, cluster, {}, **labels)}
        made = self._make(
            "Machine", {"metadata": {**metadata, "finalizers": [FINALIZER]}, "spec": {"clusterName": cluster}}
        )
        below = {"name": name, "namespace": self._space(owner), **_owned(made, cluster, {}, **labels)}
        self._make("KubeadmConfig", {"metadata": below, "spec": {"format": "cloud-config"}})
        self._make("DevMachine", {"metadata": {**below, "finalizers": [FINALIZER]}, "spec": {"backend": "docker"}})

    def _bootstrap_data(self, name: str, cluster: Object) -> None:
        for config in [b for b in self._of("KubeadmConfig") if _cluster_of(b) == name]:
            self._secret(config["metadata"]["name"], config, name, {"value": "Ym9vdA=="})

    def _containers(self, name: str, cluster: Object) -> None:
        for body in [b for b in self._of("DevMachine") if _cluster_of(b) == name]:
            title = body["metadata"]["name"]
            if "deletionTimestamp" in body["metadata"]:
                self.room.remove(title)
                self._edit(body, lambda b: b["metadata"].update(finalizers=[]))
            elif self._get("Secret", title):
                role = PLANE_ROLE if PLANE_LABEL in body["metadata"]["labels"] else WORKER_ROLE
                self.room.make(title, name, role)

    def _machines(self, name: str, cluster: Object) -> None:
        """Each Machine with its Node: conditions here, labels there."""
        there = self.room.servers.get(name)
        for body in [b for b in self._of("Machine") if _cluster_of(b) == name]:
            title = body["metadata"]["name"]
            if "deletionTimestamp" in body["metadata"]:
                self._machine_leaves(body, title)
                continue
            node = there.objects.get(("", "Node", "", title)) if there and there.up else None
            ready = bool(node and node["status"]["conditions"][0]["status"] == "True")
            _condition(body, "Ready", ready, "* Node isn't ready")
            if node:
                body["status"]["nodeRef"] = {"name": title}
                wanted = {k: t for k, t in body["metadata"]["labels"].items() if k.startswith("node.cluster.x-k8s.io/")}
                node["metadata"]["labels"].update(wanted)

    def _machine_leaves(self, machine: Object, name: str) -> None:
        below = self._get("DevMachine", name)
        if below:
            self._remove(below)
        else:
            self._edit(machine, lambda b: b["metadata"].update(finalizers=[]))

    def _status(self, name: str, cluster: Object) -> None:
        plane = self._plane(cluster)
        machines = [b for b in self._of("Machine") if _cluster_of(b) == name]
        pools = [b for b in self._of("MachineDeployment") if b["spec"]["clusterName"] == name]
        wanted = sum(b["spec"]["replicas"] for b in (*pools, *([plane] if plane else [])))
        ready = [m for m in machines if _is_ready(m)]
        whole = bool(plane) and len(ready) == len(machines) == wanted
        _condition(cluster, "Available", whole, f"* {len(ready)} of {wanted} machines are ready")

    def _delete(self, cluster: Object) -> None:
        """What hangs below goes first, the load balancer after the machines, the Cluster last."""
        name = cluster["metadata"]["name"]
        if self.runs(INFRA):
            self._containers(name, cluster)
        if self.runs(CORE):
            self._machines(name, cluster)
        left = [b for b in self._belonging(name) if b["kind"] in ("Machine", "DevMachine")]
        for body in [b for b in self._belonging(name) if b["kind"] in ("MachineDeployment", "KubeadmControlPlane")]:
            self._remove(body)
        if not left:
            self.room.remove(f"{name}-lb")
            for body in self._belonging(name):
                self._edit(body, lambda b: b["metadata"].update(finalizers=[]))
            self._edit(cluster, lambda b: b["metadata"].update(finalizers=[]))

    # -- how

    def _of(self, kind: str) -> Iterator[Object]:
        yield from [body for name, body in self.server.objects.items() if name[1] == kind]

    def _belonging(self, cluster: str) -> list[Object]:
        return [
            body
            for name, body in self.server.objects.items()
            if name[0].endswith("x-k8s.io") and _cluster_of(body) == cluster
        ]

    def _machines_of(self, owner: Object) -> list[Object]:
        uid = owner["metadata"]["uid"]
        found = [m for m in self._of("Machine") if "deletionTimestamp" not in m["metadata"]]
        return [m for m in found if m["metadata"]["ownerReferences"][0]["uid"] == uid]

    def _plane(self, cluster: Object) -> Object | None:
        return self._get("KubeadmControlPlane", cluster["spec"]["controlPlaneRef"]["name"])

    def _get(self, kind: str, name: str) -> Object | None:
        return next((body for body in self._of(kind) if body["metadata"]["name"] == name), None)

    def _key(self, body: Object) -> Name:
        metadata = body["metadata"]
        return body["apiVersion"].rpartition("/")[0], body["kind"], metadata.get("namespace", ""), metadata["name"]

    def _space(self, body: Object) -> str:
        return str(body["metadata"]["namespace"])

    def _edit(self, body: Object, change: Callable[[Object], Any]) -> None:
        if self._key(body) in self.server.objects:
            self.server.edit(self._key(body), change)

    def _remove(self, body: Object) -> None:
        self.server.remove(self._key(body))

    def _make(self, kind: str, body: Object) -> Object:
        found = self._get(kind, body["metadata"]["name"])
        groups = {"KubeadmConfig": BOOTSTRAP, "DevMachine": INFRASTRUCTURE, "KubeadmControlPlane": CONTROL_PLANE}
        wanted = groups.get(kind, CAPI)
        known = next(k for k in self.server._served() if (k.group, k.kind) == (wanted, kind))
        return found or self.server.put(known, body)

    def _secret(self, name: str, owner: Object, cluster: str, data: dict[str, str]) -> None:
        if self._get("Secret", name) is None:
            metadata = {"name": name, "namespace": self._space(owner), **_owned(owner, cluster, {})}
            self.server.put(SECRET, {"metadata": metadata, "type": "cluster.x-k8s.io/secret", "data": data})

    def _count(self, body: Object, machines: list[Object], ready: list[Object]) -> None:
        status = body.setdefault("status", {})
        status |= {"observedGeneration": body["metadata"]["generation"]}
        status |= {"replicas": len(machines), "readyReplicas": len(ready), "availableReplicas": len(ready)}


def _condition(body: Object, kind: str, so: bool, message: str = "") -> None:
    conditions = body.setdefault("status", {}).setdefault("conditions", [])
    conditions[:] = [c for c in conditions if c["type"] != kind]
    generation = body["metadata"].get("generation", 1)
    found = {"type": kind, "status": str(so), "observedGeneration": generation, "reason": "Told"}
    conditions.append({**found, "message": "" if so else message})


def _is_ready(machine: Object) -> bool:
    conditions = machine.get("status", {}).get("conditions", [])
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def _cluster_of(body: Object) -> str | None:
    found: str | None = (body["metadata"].get("labels") or {}).get(CLUSTER_LABEL)
    return found


def _owned(owner: Object, cluster: str, body: Object, **labels: str) -> Object:
    """The metadata of what belongs to a cluster and has an owner."""
    reference = {part: owner[part] for part in ("apiVersion", "kind")}
    reference |= {"name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"], "controller": True}
    old = (body.get("metadata") or {}).get("labels") or {}
    return {"ownerReferences": [reference], "labels": {**old, CLUSTER_LABEL: cluster, **labels}}


__all__ = ["ClusterApi", "Kind", "Kubernetes"]
