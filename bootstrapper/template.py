"""The Cluster API objects of one cluster: from a built-in template, or from the operator's own YAML. No I/O but the
template's files.

The steps are clusterctl's: replace variables in the text, read it as YAML, put every object into the cluster's
namespace. On top, what clusterctl leaves to the API server or to chance is checked here, before anything is touched.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from bootstrapper import capi, document, manifests
from bootstrapper.config_checks import STANDARD_VARIABLES, nearest
from bootstrapper.envsubst import names, substitute
from bootstrapper.errors import TemplateError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bootstrapper.request import ClusterRequest

__all__ = ["documents", "render", "standard_variables", "substitute"]

Object = dict[str, Any]

# The line itself isn't shown: a variable's value may be a secret.
_FILLED_IN = "lines count after variables were replaced; quote a variable whose value has ': ', '#' or a line break"

_CLUSTER_GROUP = "cluster.x-k8s.io"
_TAINT = "[{key: node-role.kubernetes.io/control-plane, effect: NoSchedule}]"


def render(
    request: ClusterRequest,
    environment: Mapping[str, str] | None = None,
    images: Mapping[str, str] | None = None,
) -> list[Object]:
    """The cluster's objects, in the template's order, each with a namespace.

    environment: used for what the operator's own template names, never for a built-in one; None: the process's.
    images: variables of the built-in templates that name images, such as NODE_IMAGE; each has a default there.
    Raises TemplateError.
    """
    if request.template:
        return _own(request, request.template, os.environ if environment is None else environment)
    return _builtin(request, images or {})


def standard_variables(request: ClusterRequest) -> dict[str, str]:
    """What every template may use: clusterctl's own five, and the network's ranges."""
    values = (
        request.name,
        request.namespace,
        request.kubernetes_version,
        str(request.control_plane.replicas),
        str(sum(pool.replicas for pool in request.workers)),
        request.network.pods,
        request.network.services,
    )
    return dict(zip(STANDARD_VARIABLES, values, strict=True))


def documents(text: str, source: str) -> list[Object]:
    """The objects in YAML text, empty documents left out. Raises TemplateError with every finding at once."""
    try:
        found = [doc for doc in document.read(text) if doc.data is not None]
    except document.UnreadableError as error:
        raise TemplateError(f"{source}:{error.line}: {error}", "", _FILLED_IN) from error
    problems = [problem for doc in found for problem in _not_an_object(doc)]
    _raise(source, problems)
    return [doc.data for doc in found]


def _builtin(request: ClusterRequest, images: Mapping[str, str]) -> list[Object]:
    provider = request.infrastructure.provider
    taints = "[]" if request.shares_control_plane else _TAINT
    common = {**images, **request.variables, **standard_variables(request), "CONTROL_PLANE_TAINTS": taints}
    pools = [
        {**common, "WORKER_POOL_NAME": pool.name, "WORKER_POOL_REPLICAS": str(pool.replicas)}
        for pool in request.workers
    ]
    files = [("cluster.yaml", common), *(("worker-pool.yaml", pool) for pool in pools)]
    objects: list[Object] = []
    for name, variables in files:
        text = _text(manifests.path("templates", provider, name))
        source = f"{provider}/{name}"
        objects += documents(substitute(text, variables, source), source)
    return _checked(objects, request, provider)


def _own(request: ClusterRequest, path: Path, environment: Mapping[str, str]) -> list[Object]:
    text, source = _text(path), str(path)
    used = names(text, source)
    unused = [name for name in request.variables if name not in used]
    if unused:
        what = f"{request.source}: {source} has no variable {unused[0]}{nearest(unused[0], sorted(used))}"
        raise TemplateError(what, "", "remove it from spec.variables, or use it in the template")
    outside = {name: environment[name] for name in used if name in environment}
    variables = {**outside, **request.variables, **standard_variables(request)}
    return _checked(documents(substitute(text, variables, source), source), request, source)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise TemplateError(f"{path}: can't be read", error.strerror or str(error)) from error
    except UnicodeDecodeError as error:
        raise TemplateError(f"{path}: not UTF-8 text", str(error.reason)) from error


# checks


def _not_an_object(doc: document.Document) -> list[tuple[int, str]]:
    found = [(line, f"key {where[-1]!r} stands there twice") for where, line in doc.repeated]
    data = doc.data
    if not isinstance(data, dict):
        return [(doc.line(()), "not a Kubernetes object: a mapping with apiVersion, kind, metadata.name")]
    metadata = data.get("metadata")
    named = metadata.get("name") if isinstance(metadata, dict) else None
    wanted = (("apiVersion", data.get("apiVersion")), ("kind", data.get("kind")), ("metadata.name", named))
    for key, value in wanted:
        if not isinstance(value, str) or not value:
            shown = f"is {value!r}, not text (quote it)" if value else "is missing"
            found.append((doc.line(tuple(key.split("."))), f"not a Kubernetes object: {key} {shown}"))
    return found


def _checked(objects: list[Object], request: ClusterRequest, source: str) -> list[Object]:
    """The same objects, in the request's namespace."""
    problems = [*_cluster_is_there(objects, request), *_namespaces(objects, request), *_twice(objects)]
    _raise(source, problems)
    return [_in_namespace(item, request.namespace) for item in objects]


def _cluster_is_there(objects: list[Object], request: ClusterRequest) -> list[str]:
    clusters = [item["metadata"]["name"] for item in objects if _is_cluster(item)]
    if len(clusters) != 1:
        count = f"{len(clusters)} Clusters ({', '.join(clusters)})" if clusters else "no Cluster"
        return [f"it has {count} of {_CLUSTER_GROUP}, not exactly one"]
    if clusters[0] != request.name:
        return [f"its Cluster is named {clusters[0]}, the request is for {request.name}: write ${{CLUSTER_NAME}}"]
    return []


def _is_cluster(item: Object) -> bool:
    return bool(item["kind"] == "Cluster" and item["apiVersion"].partition("/")[0] == _CLUSTER_GROUP)


def _namespaces(objects: list[Object], request: ClusterRequest) -> list[str]:
    wanted = request.namespace
    return [
        f"{_name(item)} is in namespace {item['metadata']['namespace']}, the cluster in {wanted}: write ${{NAMESPACE}}"
        for item in objects
        if item["metadata"].get("namespace", wanted) != wanted
    ]


def _twice(objects: list[Object]) -> list[str]:
    seen = [_name(item) for item in objects]
    return [f"{name} stands there twice" for name in dict.fromkeys(seen) if seen.count(name) > 1]


def _name(item: Object) -> str:
    return f"{item['kind']} {item['metadata']['name']}"


def _in_namespace(item: Object, namespace: str) -> Object:
    if item["kind"] in capi.CLUSTER_SCOPED:
        return item
    return {**item, "metadata": {**item["metadata"], "namespace": namespace}}


def _raise(source: str, problems: list[Any]) -> None:
    """TemplateError with every problem: a sentence, or a line and a sentence."""
    lines = [f"{source}:{p[0]}: {p[1]}" if isinstance(p, tuple) else f"{source}: {p}" for p in problems]
    if len(lines) == 1:
        raise TemplateError(lines[0])
    if lines:
        raise TemplateError(f"{source}: {len(lines)} findings", "\n".join(["", *lines]))
