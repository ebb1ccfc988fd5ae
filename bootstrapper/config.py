"""What the operator asked for: read strictly, checked, then frozen.

`load` reads a config file (the format is schema.py's), `workload` takes a command line's words; both go
through the same checks and end in a `ClusterRequest`, which is all that rendering a cluster needs.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from bootstrapper import config_checks, document, manifests
from bootstrapper.config_checks import Asked, Finding, dotted
from bootstrapper.errors import ConfigError
from bootstrapper.request import (
    Backend,
    Bootstrap,
    ClusterRequest,
    ControlPlane,
    Infrastructure,
    ManagementCluster,
    Network,
    Provider,
    ProviderType,
    WorkerPool,
    WorkloadCluster,
)
from bootstrapper.schema import SCHEMA, with_defaults

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bootstrapper.document import Document, Where

__all__ = [
    "Backend",
    "Bootstrap",
    "ClusterRequest",
    "ControlPlane",
    "Infrastructure",
    "ManagementCluster",
    "Network",
    "Provider",
    "ProviderType",
    "WorkerPool",
    "WorkloadCluster",
    "check_version",
    "load",
    "parse",
    "workload",
]

_HINT = "`bootstrapper schema` prints every key with its meaning"
_KIND: str = SCHEMA["properties"]["kind"]["const"]
_API_VERSION: str = SCHEMA["properties"]["apiVersion"]["const"]
_FIRST_POOL = "md-0"


def load(path: Path | None, supported_versions: Sequence[str] = ()) -> ManagementCluster:
    """The request in this file; None is a request for the defaults.

    supported_versions: the first is taken where the file names no kubernetesVersion; by default the one of
    `manifests/versions.yaml`. Raises ConfigError with every finding at once.
    """
    if path is None:
        return parse(f"apiVersion: {_API_VERSION}\nkind: {_KIND}\n", "the defaults", supported_versions)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: can't be read", error.strerror or str(error)) from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigError(f"{path}:{line}: not UTF-8 text", str(error.reason)) from error
    return parse(text, str(path), supported_versions)


def parse(text: str, source: str, supported_versions: Sequence[str] = ()) -> ManagementCluster:
    """The request in this text; relative paths count from the folder of `source`. Raises ConfigError."""
    found = _only_document(text, source)
    base = Path(source).resolve().parent
    problems = [(where, f"key {where[-1]!r} stands there twice", line) for where, line in found.repeated]
    about = config_checks.findings(found.data, Asked(manifests.builtin_providers()))
    about += _missing_paths(found.data, base, skip={where for where, _ in about})
    problems += [(where, sentence, found.line(where)) for where, sentence in about]
    if problems:
        raise _config_error(source, [(line, sentence) for _, sentence, line in problems])
    return _management(with_defaults(found.data), base, source, supported_versions)


def workload(
    name: str,
    *,
    namespace: str = "default",
    kubernetes_version: str | None = None,
    control_plane: int = 1,
    workers: int = 0,
    provider: str = "docker",
    template: Path | None = None,
    supported_versions: Sequence[str] = (),
) -> WorkloadCluster:
    """The request that `cluster create NAME --control-plane N --workers N ...` stands for.

    Checked by the same rules as a file; a ConfigError names the option instead of file:line.
    """
    spec: dict[str, Any] = {
        "infrastructure": {"provider": provider},
        "controlPlane": {"replicas": control_plane},
        "workers": [{"name": _FIRST_POOL, "replicas": workers}] if workers else [],
        **({"kubernetesVersion": kubernetes_version} if kubernetes_version is not None else {}),
        **({"template": str(template)} if template else {}),
    }
    metadata = {"name": name, "namespace": namespace}
    data = {"apiVersion": _API_VERSION, "kind": _KIND, "metadata": metadata, "spec": spec}
    about = config_checks.findings(data, Asked(manifests.builtin_providers(), managing=False))
    about += _missing_paths(data, Path.cwd(), skip=set())
    if about:
        raise _command_line_error(name, about)
    return WorkloadCluster(**_common(with_defaults(data), Path.cwd(), f"cluster create {name}", supported_versions))


def check_version(request: ClusterRequest, available: Sequence[str]) -> None:
    """Raises ConfigError when the request's Kubernetes version isn't among those that are there."""
    version = request.kubernetes_version
    if version not in available:
        there = ", ".join(available) or "none"
        raise ConfigError(
            f"{request.source}: Kubernetes {version} isn't in the bundle",
            f"it has {there}",
            f"ask for one of these as kubernetesVersion, or name a bundle that has {version}",
        )


# building the frozen request from checked data


def _management(full: Any, base: Path, source: str, versions: Sequence[str]) -> ManagementCluster:
    spec = full["spec"]
    bootstrap = spec["bootstrap"]
    return ManagementCluster(
        **_common(full, base, source, versions),
        bootstrap=Bootstrap(bootstrap["backend"], _path(base, bootstrap.get("kubeconfig"))),
        bundle=_path(base, spec["components"].get("bundle")),
        providers=_providers(spec),
    )


def _common(full: Any, base: Path, source: str, versions: Sequence[str]) -> dict[str, Any]:
    spec, network = full["spec"], full["spec"]["network"]
    newest = versions[0] if versions else manifests.versions()["kubernetes"]
    return {
        "name": full["metadata"]["name"],
        "namespace": full["metadata"]["namespace"],
        "kubernetes_version": spec.get("kubernetesVersion", newest),
        "infrastructure": Infrastructure(spec["infrastructure"]["provider"].partition(":")[0]),
        "control_plane": ControlPlane(int(spec["controlPlane"]["replicas"])),
        "workers": tuple(WorkerPool(pool["name"], int(pool["replicas"])) for pool in spec["workers"]),
        "network": Network(network["pods"], network["services"], _path(base, network.get("cni"))),
        "template": _path(base, spec.get("template")),
        "variables": {name: _as_text(value) for name, value in spec["variables"].items()},
        "source": source,
    }


def _providers(spec: Any) -> tuple[Provider, ...]:
    chosen = spec["components"]["providers"]
    named: tuple[tuple[ProviderType, str], ...] = (
        ("core", chosen["core"]),
        ("bootstrap", chosen["bootstrap"]),
        ("control-plane", chosen["controlPlane"]),
        ("infrastructure", spec["infrastructure"]["provider"]),
    )
    parts = ((kind, text.partition(":")) for kind, text in named)
    return tuple(Provider(kind, name, version or None) for kind, (name, _, version) in parts)


def _as_text(value: Any) -> str:
    """A variable's value as it would stand in YAML."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _path(base: Path, text: str | None) -> Path | None:
    return None if text is None else (base / Path(text).expanduser()).resolve()


# reading and reporting


#: Keys that name something on this machine, and whether it is a folder.
_PATHS: tuple[tuple[Where, bool], ...] = (
    (("spec", "bootstrap", "kubeconfig"), False),
    (("spec", "network", "cni"), False),
    (("spec", "template"), False),
    (("spec", "components", "bundle"), True),
)


def _missing_paths(data: Any, base: Path, skip: set[Where]) -> list[Finding]:
    found: list[Finding] = []
    for where, folder in _PATHS:
        text = data
        for key in where:
            text = text.get(key) if isinstance(text, dict) else None
        path = _path(base, text) if isinstance(text, str) and where not in skip else None
        if path and not (path.is_dir() if folder else path.is_file()):
            found.append((where, f"{dotted(where)}: there is no {'folder' if folder else 'file'} {path}"))
    return found


def _only_document(text: str, source: str) -> Document:
    try:
        documents = [found for found in document.read(text) if found.data is not None]
    except document.UnreadableError as error:
        raise ConfigError(f"{source}:{error.line}: {error}", "", _HINT) from error
    if not documents:
        raise ConfigError(f"{source}:1: the file is empty", "", _HINT)
    if len(documents) > 1:
        raise ConfigError(f"{source}:{documents[1].line(())}: a second request; a file has one", "", _HINT)
    return documents[0]


def _config_error(source: str, findings: list[tuple[int, str]]) -> ConfigError:
    lines = [f"{source}:{line}: {sentence}" for line, sentence in sorted(findings)]
    if len(lines) == 1:
        return ConfigError(lines[0], "", _HINT)
    first = min(line for line, _ in findings)
    return ConfigError(f"{source}:{first}: {len(lines)} findings", "\n".join(["", *lines]), _HINT)


_OPTIONS: Mapping[str, str] = {
    "metadata.name": "NAME",
    "metadata.namespace": "--namespace",
    "spec.controlPlane.replicas": "--control-plane",
    "spec.workers[0].replicas": "--workers",
    "spec.kubernetesVersion": "--kubernetes-version",
    "spec.infrastructure.provider": "provider",
    "spec.template": "-f",
}


def _command_line_error(name: str, findings: list[Finding]) -> ConfigError:
    """The same sentences with the option's name where the key's path was."""
    lines = []
    for where, sentence in findings:
        key = dotted(where)
        lines.append(sentence.replace(key, _OPTIONS.get(key, key), 1))
    hint = "`bootstrapper cluster create --help` lists the options"
    if len(lines) == 1:
        return ConfigError(f"cluster {name}: {lines[0]}", "", hint)
    return ConfigError(f"cluster {name}: {len(lines)} findings", "\n".join(["", *lines]), hint)
