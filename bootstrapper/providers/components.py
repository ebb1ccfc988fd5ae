"""A provider, from the files of its release: `*-components.yaml` and `metadata.yaml`.

What is done to the objects is what clusterctl does (cluster-api v1.14,
`cmd/clusterctl/client/repository/components.go`): variables replaced in the text, every namespaced object in the
provider's namespace, two labels on each object, and one `Provider` object as the inventory's entry. So `clusterctl
upgrade`, `delete` and `move` find what they expect.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from bootstrapper import capi
from bootstrapper.envsubst import substitute
from bootstrapper.errors import BundleError
from bootstrapper.providers import releases
from bootstrapper.providers.webhooks import client_configs

Object = dict[str, Any]

#: On every object that clusterctl manages, and on the entries of its inventory.
LABEL = "clusterctl.cluster.x-k8s.io"
CORE_LABEL = "clusterctl.cluster.x-k8s.io/core"
PROVIDER_LABEL = "cluster.x-k8s.io/provider"
INVENTORY_VERSION = "clusterctl.cluster.x-k8s.io/v1alpha3"

#: Our word for a provider's type (the first part of its artifact's name, `control-plane/kubeadm`): clusterctl's word.
TYPES: Mapping[str, str] = {
    "core": "CoreProvider",
    "bootstrap": "BootstrapProvider",
    "control-plane": "ControlPlaneProvider",
    "infrastructure": "InfrastructureProvider",
    "ipam": "IPAMProvider",
    "runtime-extension": "RuntimeExtensionProvider",
    "addon": "AddonProvider",
}
#: Variables with another default than the components file's: ClusterClasses are to work.
VARIABLES: Mapping[str, str] = {"CLUSTER_TOPOLOGY": "true"}

_REBUILD = "take the components file and metadata.yaml of one release, unchanged"


@dataclass(frozen=True)
class Provider:
    """One provider at one version.

    type       a key of TYPES
    name       as clusterctl has it, without the type: "kubeadm"
    version    "v1.14.2"
    contract   the Cluster API contract that this version implements: "v1beta2"
    series     contract by release series, newest first: {"1.14": "v1beta2", ...}
    namespace  where its manager runs
    objects    what its release brings, labelled; cert-manager's objects among them
    """

    type: str
    name: str
    version: str
    contract: str
    series: Mapping[str, str]
    namespace: str
    objects: tuple[Object, ...]

    @property
    def label(self) -> str:
        """What clusterctl calls it: "infrastructure-docker"; a core provider goes by its name alone."""
        return label(self.type, self.name)

    def inventory(self) -> Object:
        """Its entry in clusterctl's inventory. To be written when everything else of it is."""
        return {
            "apiVersion": INVENTORY_VERSION,
            "kind": "Provider",
            "metadata": {
                "name": self.label,
                "namespace": self.namespace,
                "labels": {**_labels(self.label), CORE_LABEL: "inventory"},
            },
            "providerName": self.name,
            "type": TYPES[self.type],
            "version": self.version,
            "watchedNamespace": "",
        }


def label(kind: str, name: str) -> str:
    """The value of a provider's label; `kind` is a key of TYPES."""
    return name if kind == "core" else f"{kind}-{name}"


def read(kind: str, name: str, version: str, components: str, metadata: str, variables: Mapping[str, str]) -> Provider:
    """The provider in a release's two files, given as text.

    kind is a key of TYPES; variables win over VARIABLES. Raises TemplateError: a variable without a value;
    BundleError: a file isn't what it should be, or doesn't know this version.
    """
    title = label(kind, name)
    text = substitute(components, {**VARIABLES, **variables}, f"{title}'s components")
    objects = parse(text, f"{title}'s components")
    namespace = _namespace(title, objects)
    series = releases.series(metadata, title)
    contract = releases.implemented(version, series, title)
    placed = tuple(_labelled(_placed(obj, namespace), _labels(title)) for obj in objects)
    return Provider(kind, name, version, contract, series, namespace, placed)


def inventory_definition(text: str) -> list[Object]:
    """The CRD of clusterctl's inventory (`clusterctl-api.yaml`), labelled as clusterctl does. Raises BundleError."""
    return [_labelled(obj, {CORE_LABEL: "inventory"}) for obj in parse(text, "clusterctl's inventory")]


def parse(text: str, source: str) -> list[Object]:
    """The Kubernetes objects in YAML text; `source` names it in messages. Raises BundleError."""
    try:
        found = [obj for obj in yaml.load_all(text, _Loader) if obj is not None]
    except yaml.YAMLError as error:
        raise BundleError(f"{source}: not YAML", " ".join(str(error).split()), _REBUILD) from error
    for obj in found:
        if not isinstance(obj, dict) or not obj.get("kind") or not obj.get("metadata", {}).get("name"):
            raise BundleError(f"{source}: not Kubernetes objects", "one has no kind and name", _REBUILD)
    return found


def images(objects: Iterable[Object]) -> list[str]:
    """Every image that the objects' containers name, sorted, each once."""
    return sorted({c["image"] for obj in objects for c in _containers(obj) if "image" in c})


class _Loader(yaml.CSafeLoader):
    """libyaml's (a core provider is a megabyte), without dates: an API server knows none."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML's own class attribute
        first: [(tag, pattern) for tag, pattern in rules if tag != "tag:yaml.org,2002:timestamp"]
        for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def _labels(title: str) -> dict[str, str]:
    return {LABEL: "", PROVIDER_LABEL: title}


def _namespace(title: str, objects: Sequence[Object]) -> str:
    names = [obj["metadata"]["name"] for obj in objects if obj["kind"] == "Namespace"]
    if len(names) != 1:
        why = f"it has {len(names)} Namespaces, clusterctl's contract asks for one"
        raise BundleError(f"{title}'s components", why, _REBUILD)
    return str(names[0])


def _labelled(obj: Object, labels: Mapping[str, str]) -> Object:
    metadata = obj["metadata"]
    return {**obj, "metadata": {**metadata, "labels": {**metadata.get("labels", {}), **labels}}}


def _placed(obj: Object, namespace: str) -> Object:
    """The object in the provider's namespace, with what it refers to there. Changes `obj`, which is ours alone."""
    if obj["kind"] not in capi.CLUSTER_SCOPED:
        obj["metadata"]["namespace"] = namespace
    services = [config["service"] for _, config in client_configs(obj) if "service" in config]
    for reference in (*obj.get("subjects", ()), *services):
        if reference.get("namespace"):
            reference["namespace"] = namespace
    return obj


def _containers(obj: Object) -> list[Object]:
    """Of a workload, init containers among them; a CronJob's template lies one level deeper."""
    spec = obj.get("spec", {})
    if obj["kind"] == "CronJob":
        spec = spec["jobTemplate"]["spec"]
    template = obj if obj["kind"] == "Pod" else spec.get("template", {})
    pod = template.get("spec", {}) if isinstance(template, dict) else {}
    return [*pod.get("initContainers", ()), *pod.get("containers", ())] if isinstance(pod, dict) else []
