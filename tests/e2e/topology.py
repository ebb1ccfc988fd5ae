"""A ClusterClass and a Cluster of it, whose machines are containers, as an operator's own YAML has them."""

from __future__ import annotations

from e2e.outside import Object

KUBELET = """\
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
failCgroupV1: false
"""
CORE, INFRA = "cluster.x-k8s.io", "infrastructure.cluster.x-k8s.io"
BOOTSTRAP, CONTROL_PLANE = "bootstrap.cluster.x-k8s.io", "controlplane.cluster.x-k8s.io"
CLASS = "containers"


def objects(name: str, namespace: str, version: str) -> list[Object]:
    """The namespace, the ClusterClass with its templates, and Cluster `name`: a control plane and a worker."""
    home: Object = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    made = [*_templates(version), _class(), _cluster(name, version)]
    return [home, *({**obj, "metadata": {**obj["metadata"], "namespace": namespace}} for obj in made)]


def _object(group: str, kind: str, name: str, spec: Object) -> Object:
    return {"apiVersion": f"{group}/v1beta2", "kind": kind, "metadata": {"name": name}, "spec": spec}


def _templates(version: str) -> list[Object]:
    machine = {"backend": {"docker": {"customImage": f"kindest/node:{version}"}}}
    patches = {"patches": {"directory": "/etc/kubernetes/patches"}}
    kubelet = {"path": "/etc/kubernetes/patches/kubeletconfiguration0+merge.yaml", "content": KUBELET}
    files = {"files": [{**kubelet, "owner": "root:root", "permissions": "0644"}]}
    names = {"clusterConfiguration": {"apiServer": {"certSANs": ["localhost", "127.0.0.1", "0.0.0.0"]}}}
    first = {**names, "initConfiguration": patches, "joinConfiguration": patches, **files}
    templates = {
        (INFRA, "DevClusterTemplate"): {"backend": {"docker": {}}},
        (INFRA, "DevMachineTemplate"): machine,
        (CONTROL_PLANE, "KubeadmControlPlaneTemplate"): {"kubeadmConfigSpec": first},
        (BOOTSTRAP, "KubeadmConfigTemplate"): {"joinConfiguration": patches, **files},
    }
    return [_object(*kind, CLASS, {"template": {"spec": spec}}) for kind, spec in templates.items()]


def _class() -> Object:
    def template(group: str, kind: str) -> Object:
        return {"templateRef": {"apiVersion": f"{group}/v1beta2", "kind": kind, "name": CLASS}}

    machine = template(INFRA, "DevMachineTemplate")
    worker = {
        "class": "worker",
        "bootstrap": template(BOOTSTRAP, "KubeadmConfigTemplate"),
        "infrastructure": machine,
    }
    control_plane = {**template(CONTROL_PLANE, "KubeadmControlPlaneTemplate"), "machineInfrastructure": machine}
    spec = {
        "infrastructure": template(INFRA, "DevClusterTemplate"),
        "controlPlane": control_plane,
        "workers": {"machineDeployments": [worker]},
    }
    return _object(CORE, "ClusterClass", CLASS, spec)


def _cluster(name: str, version: str) -> Object:
    pool = {"class": "worker", "name": "md-0", "replicas": 1}
    topology = {
        "classRef": {"name": CLASS},
        "version": version,
        "controlPlane": {"replicas": 1},
        "workers": {"machineDeployments": [pool]},
    }
    network = {
        "pods": {"cidrBlocks": ["10.247.0.0/16"]},
        "services": {"cidrBlocks": ["10.130.0.0/16"]},
        "serviceDomain": "cluster.local",
    }
    return _object(CORE, "Cluster", name, {"clusterNetwork": network, "topology": topology})
