"""Which commands are built from which Go modules, and the go.mod of each group.

`go install module@version` refuses modules with `replace` directives, which most of these have. So each
group has a small module of ours in go/<group>/ that requires the upstream modules, repeats their replaces
with released versions and names the commands as tools. Its go.sum is committed, so every module's bytes are
checked; its go.mod is written by `hack/components/build --tidy` from manifests/versions.yaml, the one place
where versions stand, and `disagreement` refuses a go.mod that says anything else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

GO_VERSION = "1.26.0"


@dataclass(frozen=True)
class Group:
    """Commands that are built together.

    name      folder below go/, and with `go/` before it the part
    versions  module path -> key in versions.yaml
    mains     name of the command -> package
    replaces  modules to be taken at the version under this key instead of from a folder
    stamp     linker flags: the package variable -> value; `{version}`, `{major}`, `{minor}` are filled in
    seconds   how long a cold build takes on 2 cores
    """

    name: str
    versions: Mapping[str, str]
    mains: Mapping[str, str]
    replaces: Mapping[str, str]
    stamp: Mapping[str, str]
    seconds: float


def _stamp(package: str) -> dict[str, str]:
    return {
        f"{package}.gitVersion": "{version}",
        f"{package}.gitMajor": "{major}",
        f"{package}.gitMinor": "{minor}",
        f"{package}.gitTreeState": "clean",
        f"{package}.gitCommit": "{version}",
    }


KUBERNETES = (
    "kube-apiserver",
    "kube-controller-manager",
    "kube-proxy",
    "kube-scheduler",
    "kubeadm",
    "kubectl",
    "kubelet",
)
CAPI = "sigs.k8s.io/cluster-api"

GROUPS = (
    Group(
        name="kubernetes",
        versions={"k8s.io/kubernetes": "kubernetes"},
        mains={name: f"k8s.io/kubernetes/cmd/{name}" for name in KUBERNETES},
        replaces={},  # all that upstream requires at v0.0.0: see `staging`
        # kubeadm compares its own version with the cluster's, and misbehaves without one.
        stamp=_stamp("k8s.io/component-base/version"),
        seconds=500,
    ),
    Group(
        name="cluster-api",
        versions={CAPI: "cluster-api", f"{CAPI}/test": "cluster-api"},
        mains={
            "cluster-api-controller": f"{CAPI}/core",
            "kubeadm-bootstrap-controller": f"{CAPI}/bootstrap/kubeadm",
            "kubeadm-control-plane-controller": f"{CAPI}/controlplane/kubeadm",
            "capd-manager": f"{CAPI}/test/infrastructure/docker",
            "clusterctl": f"{CAPI}/cmd/clusterctl",
        },
        replaces={CAPI: "cluster-api", f"{CAPI}/api": "cluster-api"},
        stamp=_stamp(f"{CAPI}/version"),
        seconds=300,
    ),
    Group(
        name="etcd",
        versions={"go.etcd.io/etcd/server/v3": "etcd", "go.etcd.io/etcd/etcdctl/v3": "etcd"},
        mains={"etcd": "go.etcd.io/etcd/server/v3", "etcdctl": "go.etcd.io/etcd/etcdctl/v3"},
        replaces={},
        stamp={},
        seconds=50,
    ),
    Group(
        name="coredns",
        versions={"github.com/coredns/coredns": "coredns"},
        mains={"coredns": "github.com/coredns/coredns"},
        replaces={},
        stamp={"github.com/coredns/coredns/coremain.GitCommit": "{version}"},
        seconds=180,
    ),
    Group(
        name="cri-tools",
        versions={"sigs.k8s.io/cri-tools": "cri-tools"},
        mains={"crictl": "sigs.k8s.io/cri-tools/cmd/crictl"},
        replaces={},
        stamp={"sigs.k8s.io/cri-tools/pkg/version.Version": "{version}"},
        seconds=60,
    ),
    Group(
        name="kind",
        versions={"sigs.k8s.io/kind": "kind"},
        mains={"kind": "sigs.k8s.io/kind"},
        replaces={},
        stamp={},
        seconds=20,
    ),
)


def ldflags(group: Group, version: str) -> str:
    """The linker's flags: no symbol table, no build id (it would depend on the build's folders), the
    stamps."""
    major, minor = version.removeprefix("v").split(".")[:2]
    stamps = [f"-X {k}={v.format(version=version, major=major, minor=minor)}" for k, v in group.stamp.items()]
    return " ".join(["-s -w -buildid=", *stamps])


def staging(upstream: str) -> list[str]:
    """The modules that upstream's go.mod (its text) requires at exactly v0.0.0: it replaces them by its own
    folders, and publishes them as v0.MINOR.PATCH."""
    return re.findall(r"^\t?(?:require )?(\S+) v0\.0\.0$", upstream, re.MULTILINE)


def replacements(group: Group, versions: Mapping[str, str], staged: Sequence[str]) -> dict[str, str]:
    """Module -> version for the replace directives."""
    found = {module: versions[key] for module, key in group.replaces.items()}
    if staged:
        found |= {module: "v0." + versions[group.name].split(".", 1)[1] for module in staged}
    return found


def go_mod(group: Group, versions: Mapping[str, str], staged: Sequence[str]) -> str:
    """The text of go.mod before `go mod tidy` adds the indirect requirements."""
    tools = [f"\t{package}\n" for package in sorted(group.mains.values())]
    requires = [f"\t{module} {versions[key]}\n" for module, key in sorted(group.versions.items())]
    replaces = [f"\t{m} => {m} {v}\n" for m, v in sorted(replacements(group, versions, staged).items())]
    blocks = [("tool", tools), ("require", requires), ("replace", replaces)]
    body = "".join(f"\n{word} (\n{''.join(lines)})\n" for word, lines in blocks if lines)
    return f"module components/{group.name}\n\ngo {GO_VERSION}\n{body}"


def disagreement(group: Group, versions: Mapping[str, str], text: str) -> str:
    """How the committed go.mod (its text) differs from versions.yaml, or an empty string."""
    for module, key in group.versions.items():
        found = re.search(rf"^\t?(?:require )?{re.escape(module)} (\S+)", text, re.MULTILINE)
        if not found or found[1] != versions[key]:
            return f"{module} is {found[1] if found else 'absent'} there, {versions[key]} in versions.yaml"
    return ""
