"""The config file as one JSON Schema (draft 2020-12): `bootstrapper schema` prints it, config.py reads by it.

Each leaf's `title` is a noun phrase: a message says "'1.36' is not " + title. Rules between two values
(ranges that overlap, names that get too long together) can't be said in a schema; config.py has them.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

Schema = dict[str, Any]

# RFC 1123 label. `(?!\n)` because `$` also matches before a line's end.
_LABEL = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$(?!\n)"
_RANGE = r"^[0-9]{1,3}(\.[0-9]{1,3}){3}/[0-9]{1,2}$(?!\n)"
_VERSION = r"v[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?"
_LABEL_TITLE = "a DNS label (a-z, 0-9 and '-', a letter or digit at both ends, at most 63)"


def _object(description: str, properties: Schema, required: tuple[str, ...] = ()) -> Schema:
    found: Schema = {
        "type": "object",
        "description": description,
        "properties": properties,
        "additionalProperties": False,
    }
    return {**found, "required": list(required)} if required else {**found, "default": {}}


def _text(title: str, description: str, **more: Any) -> Schema:
    return {"type": "string", "title": title, "description": description, **more}


def _label(description: str, **more: Any) -> Schema:
    return _text(_LABEL_TITLE, description, pattern=_LABEL, maxLength=63, **more)


def _path(description: str, example: str) -> Schema:
    note = " A relative path counts from the config file's folder."
    return _text("a path", description + note, minLength=1, examples=[example])


def _range(description: str, default: str) -> Schema:
    return _text("an IPv4 range", description, pattern=_RANGE, default=default)


def _provider(description: str, **more: Any) -> Schema:
    """clusterctl's way to name one: NAME, or NAME:VERSION."""
    return _text(
        "a provider's name, or NAME:VERSION",
        description + " Without a version: the bundle's.",
        pattern=rf"^[a-z0-9]([a-z0-9-]*[a-z0-9])?(:{_VERSION})?$(?!\n)",
        **more,
    )


_BOOTSTRAP = _object(
    "The throw-away cluster that makes the first real one.",
    {
        "backend": _text(
            "a bootstrap backend",
            "kind: a new kind cluster on this machine's container engine. existing: a cluster of yours.",
            enum=["kind", "existing"],
            default="kind",
        ),
        "kubeconfig": _path("The existing cluster's kubeconfig (backend existing only).", "./kubeconfig"),
    },
)

_INFRASTRUCTURE = _object(
    "Where machines come from.",
    {"provider": _provider("An infrastructure provider that follows clusterctl's contract.", default="docker")},
)

_CONTROL_PLANE = _object(
    "The machines that run the API server and etcd.",
    {
        "replicas": {
            "type": "integer",
            "title": "1, 3 or 5 (etcd needs a majority: an even number adds a machine and no safety)",
            "description": "Number of control plane machines.",
            "enum": [1, 3, 5],
            "default": 1,
        }
    },
)

_WORKERS: Schema = {
    "type": "array",
    "title": "a list of worker pools",
    "description": "Pools of machines that run what isn't the control plane. Without one, it runs that too.",
    "default": [],
    "items": _object(
        "One pool: a MachineDeployment of this name behind the cluster's.",
        {
            "name": _label("Name, unique in this cluster.", examples=["md-0"]),
            "replicas": {
                "type": "integer",
                "title": "a number of machines from 0 to 1000",
                "description": "Number of machines.",
                "minimum": 0,
                "maximum": 1000,
                "default": 1,
            },
        },
        required=("name",),
    ),
}

_NETWORK = _object(
    "Addresses inside the cluster.",
    {
        "pods": _range("Addresses of pods; each machine gets a /24 of it.", "10.245.0.0/16"),
        "services": _range("Addresses of services.", "10.128.0.0/16"),
        "cni": _path("A CNI plugin's manifest, instead of the built-in pod network.", "./cni.yaml"),
    },
)

_PROVIDERS = _object(
    "The other Cluster API providers to install.",
    {
        "core": _provider("The core provider.", default="cluster-api"),
        "bootstrap": _provider("Makes a machine a node.", default="kubeadm"),
        "controlPlane": _provider("Manages control planes.", default="kubeadm"),
    },
)

_COMPONENTS = _object(
    "What is installed, and from where.",
    {"bundle": _path("The bundle's folder.", "./bundle"), "providers": _PROVIDERS},
)

_VARIABLES: Schema = {
    "type": "object",
    "title": "a mapping of variables",
    "description": "Values for the variables of `template`. They win over the environment's.",
    "default": {},
    "propertyNames": {
        "title": "a variable's name (letters, digits, '_')",
        "pattern": r"^[A-Za-z_][A-Za-z0-9_]*$",
    },
    "additionalProperties": {"type": ["string", "number", "boolean"], "title": "text, a number or a boolean"},
}

_SPEC = _object(
    "What to make.",
    {
        "kubernetesVersion": _text(
            "a version of the form vX.Y.Z",
            "Kubernetes on every machine of the cluster. Without it: the one this release was made with.",
            pattern=rf"^{_VERSION}$(?!\n)",
            examples=["v1.36.3"],
        ),
        "bootstrap": _BOOTSTRAP,
        "infrastructure": _INFRASTRUCTURE,
        "controlPlane": _CONTROL_PLANE,
        "workers": _WORKERS,
        "network": _NETWORK,
        "template": _path(
            "Own Cluster API objects instead of the built-in ones, with clusterctl's ${VAR:=default}.",
            "./cluster.yaml",
        ),
        "variables": _VARIABLES,
        "components": _COMPONENTS,
    },
)

_METADATA = _object(
    "The management cluster's name.",
    {
        "name": _label("Name of the Cluster object; machines and containers are named after it.", default="mgmt"),
        "namespace": _label("Namespace of the Cluster object.", default="default"),
    },
)

SCHEMA: Schema = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "a management cluster",
    **_object(
        "What `bootstrapper init -f FILE` is asked for.",
        {
            "apiVersion": _text("an API version", "Version of this format.", const="bootstrapper/v1alpha1"),
            "kind": _text("a kind", "Kind of request.", const="ManagementCluster"),
            "metadata": _METADATA,
            "spec": _SPEC,
        },
        required=("apiVersion", "kind"),
    ),
}


def with_defaults(data: Any, schema: Schema = SCHEMA) -> Any:
    """A copy of data with the schema's default wherever a key is absent; what doesn't fit stays as it is."""
    if isinstance(data, dict):
        filled = {
            key: deepcopy(sub["default"])
            for key, sub in schema.get("properties", {}).items()
            if "default" in sub and key not in data
        }
        subs = schema.get("properties", {})
        return {key: with_defaults(value, subs.get(key, {})) for key, value in {**data, **filled}.items()}
    if isinstance(data, list):
        return [with_defaults(item, schema.get("items", {})) for item in data]
    return data
