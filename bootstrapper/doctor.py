"""Whether a run can work here, told before anything is touched: facts in, findings out, all of them at once. Pure.

`adapters/` read the facts. A fact that can't be read is None and gives no finding: nothing is claimed about it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bootstrapper.config import ClusterRequest, ManagementCluster
from bootstrapper.world import Finding

GIB = 1 << 30
#: Memory in bytes that a machine takes, as measured: with Cluster API's controllers in it, and without.
CONTROLLERS_NODE = 1.0 * GIB
PLAIN_NODE = 0.5 * GIB
#: Disk in bytes that each machine's own containerd takes for what is loaded into it and runs in it.
NODE_DISK = 1.5 * GIB
#: Disk in bytes for the state folder: the journal, and programs of the bundle under their own names.
STATE_DISK = 0.25 * GIB
#: The Docker engine's API since 20.10 has what kind and the docker provider ask for.
LEAST_API = (1, 41)
#: Each node's systemd, kubelet and containerd watch files; with the kernel's default of 128 the third node's kubelet
#: dies of "too many open files" (kind, "Known issues").
LEAST_INOTIFY = 512
GOOD_INOTIFY = 1024
#: File handles of the load balancer: haproxy takes two a connection, and the bundle's allows 4000 connections.
LEAST_NOFILE = 8192
#: Kubelets throw pods out when less than this share of the disk is free (kubelet's default, imagefs.available).
LEAST_SHARE = 0.15
#: kubelet refuses cgroup v1 by default from this version on.
NO_CGROUP_V1 = (1, 35)


@dataclass(frozen=True)
class Disk:
    """A file system: a folder in it, free and total bytes."""

    path: str
    free: int
    total: int


@dataclass(frozen=True)
class Machine:
    """What this machine says. `memory`: bytes that programs can get now; `inotify`: fs.inotify.max_user_instances."""

    memory: int | None = None
    inotify: int | None = None
    state_disk: Disk | None = None


@dataclass(frozen=True)
class Engine:
    """What the container engine says, and what can be seen of its process when that runs on this machine.

    memory           bytes of the machine it runs on
    default_runtime  what makes its containers ("runc")
    sys_resource     whether its process may give CAP_SYS_RESOURCE away
    nofile           its hard limit of open files, which its containers inherit
    disk             where it keeps its data
    """

    api: tuple[int, int]
    memory: int
    cgroup: str = "v2"
    default_runtime: str = "runc"
    sys_resource: bool | None = None
    nofile: int | None = None
    disk: Disk | None = None


@dataclass(frozen=True)
class Present:
    """What an earlier, killed run left, which this one goes on with: it needs no second lot of anything.

    `nodes`: running machines of the cluster; `bootstrap`: whether the bootstrap cluster runs;
    `images`: whether the engine has the images.
    """

    nodes: int = 0
    bootstrap: bool = False
    images: bool = False


@dataclass(frozen=True)
class Names:
    """Containers by name, each with its cluster ("" for none), and which clusters are ours. `wanted`: names to be
    taken; `cluster`: the label under which a provider finds a cluster's machines."""

    in_use: Mapping[str, str]
    cluster: str
    wanted: Sequence[str]
    ours: frozenset[str] = field(default_factory=frozenset)


def machine(facts: Machine, here: int) -> list[Finding]:
    """What is unfit about this machine, whatever the provider. `here`: how many nodes run on it at the same time."""
    return [*_inotify(here, facts.inotify), *_disk("state folder", facts.state_disk, STATE_DISK)]


def engine(config: ClusterRequest, facts: Engine, here: Machine, present: Present, image_size: int) -> list[Finding]:
    """What is unfit about a container engine whose containers are to be the machines. `image_size`: bytes of the
    images that it has to load."""
    free = min(facts.memory, here.memory) if here.memory is not None else facts.memory
    return [
        *_api(facts.api),
        *_memory(memory_needed(config, present), free),
        *_disk("container engine", facts.disk, disk_needed(config, present, image_size)),
        *_share(facts.disk),
        *_capability(facts),
        *_nofile(facts.nofile),
        *_cgroup(config, facts.cgroup),
    ]


def bundle(config: ClusterRequest, missing: Sequence[str], versions: Sequence[str]) -> list[Finding]:
    """What a bundle lacks. `missing`: its absent blobs; `versions`: the Kubernetes versions it has machines for."""
    found = []
    if missing:
        listed = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
        found.append(Finding("bundle", f"it isn't complete: {listed}", "Make or copy it again.", whose="bundle"))
    if config.kubernetes_version not in versions:
        there = ", ".join(versions) or "none"
        text = f"Kubernetes {config.kubernetes_version} isn't in it; it has {there}"
        remedy = "Ask for one of these as kubernetesVersion, or name another bundle."
        found.append(Finding("bundle", text, remedy, whose="request"))
    return found


def names(facts: Names) -> list[Finding]:
    """Names that belong to others."""
    if facts.cluster in facts.ours:
        return []
    labelled = sorted(name for name, cluster in facts.in_use.items() if cluster == facts.cluster)
    others = sorted(name for name in facts.wanted if name in facts.in_use and name not in labelled)
    found = []
    if labelled:
        text = f"a cluster of this name is there that this state folder knows nothing of: {', '.join(labelled)}"
        remedy = "Choose another metadata.name: somebody may need it, from another state folder of this machine."
        found.append(Finding(f"cluster name {facts.cluster}", text, remedy))
    for name in others:
        remedy = f"Choose another metadata.name, or remove it ('docker rm -fv {name}')."
        found.append(Finding(f"container name {name}", "another container has it", remedy))
    return found


def nodes(config: ClusterRequest) -> int:
    """Machines of the cluster."""
    return config.control_plane.replicas + sum(pool.replicas for pool in config.workers)


def memory_needed(config: ClusterRequest, present: Present) -> int:
    """Bytes that a run still takes: its machines, the first with the controllers if it is to manage, and the
    bootstrap cluster."""
    first = CONTROLLERS_NODE if isinstance(config, ManagementCluster) else PLAIN_NODE
    there = first + (present.nodes - 1) * PLAIN_NODE if present.nodes else 0.0
    machines = max(0.0, first + (nodes(config) - 1) * PLAIN_NODE - there)
    return int(machines + (CONTROLLERS_NODE if needs_bootstrap(config, present) else 0))


def disk_needed(config: ClusterRequest, present: Present, image_size: int) -> int:
    """Bytes that a run still takes where the engine keeps its data: images packed and unpacked, and each machine's."""
    machines = max(0, nodes(config) - present.nodes) + (1 if needs_bootstrap(config, present) else 0)
    return int((0 if present.images else 2 * image_size) + machines * NODE_DISK)


def needs_bootstrap(config: ClusterRequest, present: Present) -> bool:
    """Whether a bootstrap cluster will be made here. Where machines are, one made them: it stands, or isn't needed any
    more; and the operator may have brought one."""
    makes_one = isinstance(config, ManagementCluster) and config.bootstrap.kubeconfig is None
    return makes_one and not present.bootstrap and present.nodes == 0


def _api(api: tuple[int, int]) -> list[Finding]:
    if api >= LEAST_API:
        return []
    have, least = (".".join(map(str, version)) for version in (api, LEAST_API))
    text = f"its API is {have}, {least} or later is needed"
    return [Finding("container engine", text, "Install Docker 20.10 or later.", whose="engine")]


def _memory(need: int, free: int) -> list[Finding]:
    if free >= need:
        return []
    text = f"{_gib(free)} are free, {_gib(need)} are needed"
    return [Finding("memory", text, "Stop other programs, ask for fewer machines, or use a larger machine.")]


def _disk(whose: str, disk: Disk | None, need: float) -> list[Finding]:
    if disk is None or disk.free >= need:
        return []
    text = f"{_gib(disk.free)} are free in {disk.path} ({whose}), {_gib(need)} are needed"
    return [Finding("disk", text, f"Free some space ('df {disk.path}').")]


def _share(disk: Disk | None) -> list[Finding]:
    if disk is None or disk.free >= disk.total * LEAST_SHARE:
        return []
    text = f"{disk.free * 100 // disk.total} % of {disk.path} are free; kubelets evict pods below {LEAST_SHARE:.0%}"
    return [Finding("disk", text, f"Free some space ('df {disk.path}').", blocks=False)]


def _inotify(count: int, instances: int | None) -> list[Finding]:
    if instances is None or instances >= LEAST_INOTIFY:
        return []
    text = f"fs.inotify.max_user_instances is {instances}: too low for {count} nodes at the same time"
    remedy = f"'sysctl -w fs.inotify.max_user_instances={GOOD_INOTIFY}' as root."
    return [Finding("inotify", text, remedy, blocks=count > 2)]


def _capability(facts: Engine) -> list[Finding]:
    if facts.sys_resource is not False or facts.default_runtime not in ("runc", "crun"):
        return []
    text = f"it has no CAP_SYS_RESOURCE to give, and its runtime {facts.default_runtime} insists: no node can start"
    remedy = "Give it a default-runtime that leaves the capability out (in a checkout: hack/engine start)."
    return [Finding("container engine", text, remedy)]


def _nofile(limit: int | None) -> list[Finding]:
    if limit is None or limit >= LEAST_NOFILE:
        return []
    text = f"its hard limit of open files is {limit}; the load balancer needs {LEAST_NOFILE}"
    return [Finding("container engine", text, f"Start it with 'ulimit -Hn {LEAST_NOFILE}' or more (LimitNOFILE).")]


def _cgroup(config: ClusterRequest, cgroup: str) -> list[Finding]:
    if cgroup != "v1" or config.template is None or _minor(config.kubernetes_version) < NO_CGROUP_V1:
        return []
    text = f"it has cgroup v1, which kubelet {config.kubernetes_version} refuses unless it is told otherwise"
    remedy = f"Set failCgroupV1: false in the KubeletConfiguration of {config.template}, or boot with cgroup v2."
    return [Finding("container engine", text, remedy, blocks=False)]


def _minor(version: str) -> tuple[int, int]:
    major, minor = version.removeprefix("v").split(".")[:2]
    return int(major), int(minor)


def _gib(size: float) -> str:
    return f"{size / GIB:.1f} GiB"
