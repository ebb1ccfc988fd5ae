"""Real API servers for tests: one etcd, and for each cluster a kube-apiserver and a kube-controller-manager of which
only the garbage collector and the namespace controller run. Everything on free loopback ports, in one folder.
"""

from __future__ import annotations

import base64
import contextlib
import secrets
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import yaml

from bootstrapper.adapters import kube
from bootstrapper.errors import LostContact
from bootstrapper.world import Cluster
from pivot.errors import PivotError
from pivot.ports import NAMESPACE, Kind

#: Seconds for a server to answer, on a loaded machine.
PATIENCE = 120.0
CONTROLLERS = "garbage-collector-controller,namespace-controller"
COMPONENTS = {
    "core/cluster-api": "core-components.yaml",
    "bootstrap/kubeadm": "bootstrap-components.yaml",
    "control-plane/kubeadm": "control-plane-components.yaml",
    "infrastructure/docker": "infrastructure-components.yaml",
    "inventory/clusterctl": "clusterctl-api.yaml",
}


def wait_until(holds: Callable[[], bool], what: str, seconds: float = PATIENCE) -> None:
    """Return when the condition holds; an assertion names what didn't come about."""
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.1)


@contextlib.contextmanager
def control_planes(folder: Path, binaries: Mapping[str, Path], names: tuple[str, ...]) -> Iterator[dict[str, Cluster]]:
    """The clusters of these names, stopped at the end, also on failure.

    `binaries`: etcd, kube-apiserver and kube-controller-manager by name.
    """
    with contextlib.ExitStack() as running:
        etcd = f"http://127.0.0.1:{_free_port()}"
        peer = f"http://127.0.0.1:{_free_port()}"
        arguments = ["--data-dir", str(folder / "etcd"), "--unsafe-no-fsync", "--log-level=error"]
        urls = [f"--{flag}-urls={etcd}" for flag in ("listen-client", "advertise-client")]
        peers = [
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
        ]
        _start(running, folder, "etcd", [str(binaries["etcd"]), *arguments, *urls, *peers])
        started = {name: _api_server(running, folder, binaries, name, etcd) for name in names}
        yield {name: _ready(running, folder, binaries, name, kubeconfig) for name, kubeconfig in started.items()}


def _api_server(running: contextlib.ExitStack, folder: Path, binaries: Mapping[str, Path], name: str, etcd: str) -> str:
    """Start a kube-apiserver; its kubeconfig."""
    port, token = _free_port(), secrets.token_hex(16)
    key, tokens = folder / "sa.key", folder / f"{name}.tokens"
    if not key.exists():
        subprocess.run(["openssl", "genrsa", "-out", str(key), "2048"], check=True, capture_output=True)
    tokens.touch(mode=0o600)
    tokens.write_text(f'{token},admin,admin,"system:masters"\n')
    flags = {
        "etcd-servers": etcd,
        "etcd-prefix": f"/{name}",
        "secure-port": port,
        "bind-address": "127.0.0.1",
        "cert-dir": folder / f"{name}-certificates",
        "token-auth-file": tokens,
        "authorization-mode": "RBAC",
        "disable-admission-plugins": "ServiceAccount",
        "service-account-issuer": "https://kubernetes.default.svc",
        "service-account-signing-key-file": key,
        "service-account-key-file": key,
        "service-cluster-ip-range": "10.0.0.0/24",
    }
    command = [str(binaries["kube-apiserver"]), *(f"--{flag}={text}" for flag, text in flags.items())]
    _start(running, folder, f"{name}-kube-apiserver", command)
    certificates = folder / f"{name}-certificates" / "apiserver.crt"
    wait_until(lambda: certificates.exists() and certificates.stat().st_size > 0, f"{certificates} is written")
    authority = base64.b64encode(certificates.read_bytes()).decode()
    cluster = {"server": f"https://127.0.0.1:{port}", "certificate-authority-data": authority}
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": name,
            "clusters": [{"name": name, "cluster": cluster}],
            "users": [{"name": name, "user": {"token": token}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        }
    )


def _ready(
    running: contextlib.ExitStack, folder: Path, binaries: Mapping[str, Path], name: str, kubeconfig: str
) -> Cluster:
    """Wait for the kube-apiserver, then start its kube-controller-manager."""
    cluster = kube.connect(kubeconfig, name)
    log = folder / f"{name}-kube-apiserver.log"
    wait_until(lambda: _answers(cluster), f"{name} is ready; see {log}")
    path = folder / f"{name}.kubeconfig"
    path.touch(mode=0o600)
    path.write_text(kubeconfig)
    flags = {
        "kubeconfig": path,
        "controllers": CONTROLLERS,
        "leader-elect": "false",
        "secure-port": _free_port(),
        "bind-address": "127.0.0.1",
        "cert-dir": folder / f"{name}-manager",
        "concurrent-gc-syncs": 5,
    }
    command = [str(binaries["kube-controller-manager"]), *(f"--{flag}={text}" for flag, text in flags.items())]
    _start(running, folder, f"{name}-kube-controller-manager", command)
    return cluster.patient(PATIENCE)


def _answers(cluster: Cluster) -> bool:
    """Ready, and its own namespaces are made."""
    try:
        cluster.alive()
        return all(cluster.get(NAMESPACE, None, name) for name in ("kube-system", "default"))
    except (LostContact, PivotError):
        return False


def install_crds(cluster: Cluster, texts: list[str]) -> None:
    """Every CRD of the components, labelled as clusterctl does, without conversion webhooks: nobody would answer."""
    crds = [o for text in texts for o in yaml.safe_load_all(text) if o and o["kind"] == "CustomResourceDefinition"]
    for crd in crds:
        crd["spec"].pop("conversion", None)
        crd["metadata"].setdefault("labels", {})["clusterctl.cluster.x-k8s.io"] = ""
        cluster.apply(crd)
    names = {crd["spec"]["names"]["kind"] for crd in crds}
    wait_until(lambda: names <= {k.kind for k in cluster.kinds() if _listed(cluster, k)}, "all CRDs are served")


def _listed(cluster: Cluster, kind: Kind) -> bool:
    try:
        list(cluster.list(kind))
    except PivotError:
        return False
    return True


def _start(running: contextlib.ExitStack, folder: Path, name: str, command: list[str]) -> None:
    log = running.enter_context((folder / f"{name}.log").open("wb"))
    process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=folder)
    running.callback(_stop, process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
