"""Small providers, written by hand: as many kinds, webhooks and managers as the flow of `init` depends on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

CAPI = "cluster.x-k8s.io"
CONTROL_PLANE = "controlplane.cluster.x-k8s.io"
BOOTSTRAP = "bootstrap.cluster.x-k8s.io"
INFRASTRUCTURE = "infrastructure.cluster.x-k8s.io"
VERSION = "v1.14.2"

#: Artifact -> its namespace, its kinds by group, and whether it has a webhook.
PROVIDERS: dict[str, tuple[str, dict[str, tuple[str, ...]], bool]] = {
    "core/cluster-api": (
        "capi-system",
        {CAPI: ("Cluster", "ClusterClass", "Machine", "MachineSet", "MachineDeployment")},
        True,
    ),
    "bootstrap/kubeadm": ("cabpk-system", {BOOTSTRAP: ("KubeadmConfig", "KubeadmConfigTemplate")}, False),
    "control-plane/kubeadm": ("kcp-system", {CONTROL_PLANE: ("KubeadmControlPlane",)}, False),
    "infrastructure/docker": (
        "capd-system",
        {INFRASTRUCTURE: ("DevCluster", "DevMachine", "DevMachineTemplate")},
        True,
    ),
}

METADATA = """
releaseSeries:
- {major: 1, minor: 14, contract: v1beta2}
- {major: 1, minor: 10, contract: v1beta1}
"""

_MANAGER = """
apiVersion: v1
kind: Namespace
metadata: {name: NAMESPACE}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: manager, namespace: NAMESPACE, labels: {control-plane: manager}}
spec:
  replicas: 1
  selector: {matchLabels: {app: NAMESPACE}}
  template:
    metadata: {labels: {app: NAMESPACE}}
    spec: {containers: [{name: manager, image: "registry.test/NAMESPACE:v1"}]}
---
"""

_WEBHOOK = """
apiVersion: cert-manager.io/v1
kind: Issuer
metadata: {name: issuer, namespace: NAMESPACE}
spec: {selfSigned: {}}
---
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {name: serving, namespace: NAMESPACE}
spec: {secretName: webhook-cert, dnsNames: [webhook.NAMESPACE.svc], issuerRef: {name: issuer}}
---
apiVersion: v1
kind: Service
metadata: {name: webhook, namespace: NAMESPACE}
spec: {selector: {app: NAMESPACE}}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: NAMESPACE, annotations: {cert-manager.io/inject-ca-from: NAMESPACE/serving}}
webhooks:
- name: validation.NAMESPACE.test
  failurePolicy: Fail
  clientConfig: {service: {name: webhook, namespace: NAMESPACE, path: /v}}
  rules: [{apiGroups: [GROUP], resources: ["*"], operations: [CREATE, UPDATE]}]
---
"""


def definition(group: str, kind: str, version: str = "v1beta2") -> str:
    """A CRD as a release's file has it."""
    plural = f"{kind.lower()}s" if kind != "ClusterClass" else "clusterclasses"
    return f"""
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: {plural}.{group}, labels: {{{CAPI}/v1beta2: v1beta2}}}}
spec:
  group: {group}
  scope: Namespaced
  names: {{kind: {kind}, plural: {plural}}}
  versions: [{{name: {version}, served: true, storage: true, subresources: {{status: {{}}}}}}]
---
"""


def components(artifact: str) -> str:
    """The components file of a provider."""
    namespace, kinds, webhook = PROVIDERS[artifact]
    text = _MANAGER.replace("NAMESPACE", namespace)
    for group, names in kinds.items():
        text += "".join(definition(group, kind) for kind in names)
        text += _WEBHOOK.replace("NAMESPACE", namespace).replace("GROUP", group) if webhook else ""
    return text


class Bundle:
    """See `bootstrapper.world.Bundle`: read only, so nothing of it can be lost."""

    def version(self, kind: str, name: str) -> str:
        assert kind == "image" or name in PROVIDERS
        return VERSION

    def text(self, components_: str, file: str) -> str:
        if components_ == "inventory/clusterctl":
            return definition("clusterctl.cluster.x-k8s.io", "Provider", "v1alpha3")
        return METADATA if file == "metadata.yaml" else components(components_)

    def docker_archive(self, names: Sequence[str]) -> Iterator[bytes]:
        yield from (name.encode() for name in names)

    def missing(self) -> list[str]:
        return []
