"""Cluster API's providers: their manager images and their component manifests, as upstream's release makes
them.

`kubectl kustomize` of each provider's config/default, with the manager's image set to this version.
clusterctl's `${VARIABLE:=default}` and the cert-manager objects stay as they are: whoever installs them
deals with those.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bootstrapper.errors import MachineError
from hack.components.go_parts import command_purl, module_folder
from hack.components.parts import Part
from hack.components.tarball import layer_from_files

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hack.components.work import Work

CAPI = "sigs.k8s.io/cluster-api"
IMAGE = re.compile(r"^(\s+(?:- )?image: )(\S+):([\w.-]+)$", re.MULTILINE)
ALWAYS = re.compile(r"^(\s+(?:- )?imagePullPolicy: )Always$", re.MULTILINE)


@dataclass(frozen=True)
class Provider:
    """name as clusterctl has it; file: the title of its manifest; config: where it stands (module, folder);
    command: the manager; user: whom it runs as."""

    name: str
    file: str
    module: str
    folder: str
    command: str
    user: str = "65532"


PROVIDERS = (
    Provider("core/cluster-api", "core-components.yaml", CAPI, "core", "cluster-api-controller"),
    Provider(
        "bootstrap/kubeadm",
        "bootstrap-components.yaml",
        CAPI,
        "bootstrap/kubeadm",
        "kubeadm-bootstrap-controller",
    ),
    Provider(
        "control-plane/kubeadm",
        "control-plane-components.yaml",
        CAPI,
        "controlplane/kubeadm",
        "kubeadm-control-plane-controller",
    ),
    # Its manager opens the engine's socket, which is root's.
    Provider(
        "infrastructure/docker",
        "infrastructure-components.yaml",
        f"{CAPI}/test",
        "infrastructure/docker",
        "capd-manager",
        user="0",
    ),
)
#: clusterctl's own CRD: the inventory of installed providers.
INVENTORY = (
    "inventory/clusterctl",
    "clusterctl-api.yaml",
    "cmd/clusterctl/config/manifest/clusterctl-api.yaml",
)


def parts(versions: Mapping[str, str]) -> list[Part]:
    """One part with all providers."""
    here = Path(__file__)
    return [
        Part(
            name="providers",
            build=functools.partial(_build, versions=dict(versions)),
            inputs={"version": versions["cluster-api"]},
            sources=(here, here.with_name("tarball.py")),
            needs=("go/cluster-api", "go/kubernetes"),
            seconds=15,
        )
    ]


def released(manifest: str, version: str) -> tuple[str, str]:
    """The manifest with its one manager image at this version, pulled only if absent; and that image's full
    name.

    ValueError when it names no image or several.
    """
    names = {match[2] for match in IMAGE.finditer(manifest)}
    if len(names) != 1:
        raise ValueError(f"{len(names)} images in it instead of one: {', '.join(sorted(names))}")
    text = IMAGE.sub(rf"\g<1>\g<2>:{version}", manifest)
    return ALWAYS.sub(r"\g<1>IfNotPresent", text), f"{names.pop()}:{version}"


def _build(work: Work, *, versions: Mapping[str, str]) -> None:
    version = versions["cluster-api"]
    core = module_folder(CAPI)
    metadata = (core / "metadata.yaml").read_bytes()
    for provider in PROVIDERS:
        work.say(provider.name)
        _provider(work, provider, metadata, versions)
    name, title, path = INVENTORY
    files = {title: (core / path).read_bytes(), "metadata.yaml": metadata}
    work.layout.components(name, files, version=version, source=f"pkg:golang/{CAPI}@{version}#{path}")


def _provider(work: Work, provider: Provider, metadata: bytes, versions: Mapping[str, str]) -> None:
    version = versions["cluster-api"]
    config = module_folder(provider.module) / provider.folder / "config" / "default"
    kubectl = work.need("go/kubernetes") / "bin" / "kubectl"
    try:
        text, image = released(work.run(kubectl, "kustomize", config).decode(), version)
    except ValueError as e:
        raise MachineError(f"{provider.name}: the rendered {config}", str(e)) from e
    files = {provider.file: text.encode(), "metadata.yaml": metadata}
    source = f"pkg:golang/{provider.module}@{version}#{provider.folder}/config/default"
    work.layout.components(provider.name, files, version=version, source=source)
    _image(work, provider, image, versions)


def _image(work: Work, provider: Provider, image: str, versions: Mapping[str, str]) -> None:
    manager = work.need("go/cluster-api") / "bin" / provider.command
    layer = layer_from_files({"manager": manager}, work.scratch / f"{provider.command}.tar")
    config = {"Entrypoint": ["/manager"], "User": provider.user, "WorkingDir": "/"}
    source = command_purl(provider.command, versions)
    work.layout.image(image, [layer], config, version=versions["cluster-api"], source=source)
