"""A machine's own words and what they mean. The lines are as kubelet, kubeadm, haproxy and the
docker provider print them.
"""

from __future__ import annotations

from typing import Any

import pytest

from bootstrapper import diagnose
from bootstrapper.step import Cause

PORT_IN_USE = """\
Running boostrap command [ /bin/sh -c echo started > /run/x && kubeadm init --config /run/kubeadm/kubeadm.yaml ]
ERROR: exited with status: 1, [init] Using Kubernetes version: v1.36.3
STDOUT: [init] Using Kubernetes version: v1.36.3
STDERR:
  * error execution phase preflight: [preflight] Some fatal errors occurred:
  * \t[ERROR Port-6443]: Port 6443 is in use
  * \t[ERROR Port-10250]: Port 10250 is in use
  * [preflight] If you know what you are doing, you can make a check non-fatal with `--ignore-preflight-errors=...`
  * To see the stack trace of this error execute with --v=5 or higher"""
CONTROL_PLANE_DOWN = """\
STDERR:
  * error execution phase wait-control-plane: failed while waiting for the control plane to start: kube-apiserver \
check failed at https://172.18.0.4:6443/livez
  * To see the stack trace of this error execute with --v=5 or higher"""
TOKEN = "error execution phase preflight: couldn't use token abcdef.0123456789abcdef"


@pytest.mark.parametrize(
    ("printed", "meaning"),
    [
        pytest.param(PORT_IN_USE, "kubeadm failed: port 6443 is in use; port 10250 is in use", id="ports in use"),
        pytest.param(
            CONTROL_PLANE_DOWN,
            "kubeadm failed in its phase wait-control-plane: failed while waiting for the control plane to start: "
            "kube-apiserver check failed at https://172.18.0.4:6443/livez",
            id="control plane doesn't start",
        ),
        pytest.param(
            CONTROL_PLANE_DOWN + "\nkubelet is configured to not run on a host using cgroup v1. cgroup v1 support is",
            "kubeadm failed in its phase wait-control-plane: kubelet refuses to run: this machine has cgroup v1",
            id="the cause goes before the consequence",
        ),
        pytest.param(
            "ERROR: exited with status: 137, [init] Using",
            "the machine was killed while kubeadm ran (exit code 137)",
            id="killed",
        ),
        pytest.param(
            "ERROR: error creating container exec: Error response from daemon: No such container: 0af6",
            "the machine went away while kubeadm ran",
            id="removed",
        ),
        pytest.param("[init] Using Kubernetes version: v1.36.3", None, id="under way"),
        pytest.param("", None, id="nothing said"),
    ],
)
def test_kubeadm(printed: str, meaning: str | None) -> None:
    words = diagnose.kubeadm(printed)
    assert (words.text if words else None) == meaning
    if words:
        assert words.hopeless
        assert "make it again" in words.hint


def test_no_secret_of_kubeadm_gets_through() -> None:
    words = diagnose.kubeadm(TOKEN)
    assert words
    assert "0123456789abcdef" not in words.text


@pytest.mark.parametrize(
    ("printed", "meaning", "hopeless"),
    [
        pytest.param(
            'E1123 run.go:74] "command failed" err="failed to validate kubelet configuration: kubelet is configured to '
            'not run on a host using cgroup v1. cgroup v1 support is unsupported"',
            "kubelet refuses to run: this machine has cgroup v1",
            True,
            id="cgroup v1",
        ),
        pytest.param(
            'err="failed to run Kubelet: running with swap on is not supported, please disable swap or set --fail"',
            "kubelet refuses to run: swap is on",
            True,
            id="swap",
        ),
        pytest.param(
            'E1123 "Unable to read config path" err="failed to create inotify: too many open files"',
            "too many inotify instances are in use on this machine",
            False,
            id="inotify",
        ),
        pytest.param("write /var/lib/x: no space left on device", "its disk is full", False, id="disk full"),
        pytest.param(
            'err="failed to create shim task: OCI runtime: unable to apply caps: operation not permitted"',
            "containers can't get the capabilities they ask for",
            True,
            id="capabilities",
        ),
        pytest.param(
            "runc create failed: error during container init: write /proc/self/oom_score_adj: permission denied",
            "containers can't set their oom_score_adj: this machine lacks CAP_SYS_RESOURCE",
            False,
            id="oom score",
        ),
        pytest.param(
            r'E1123 "Failed to pull image" err="failed to pull image \"images.example/pause:3.10.2\": dial tcp"',
            "image images.example/pause:3.10.2 isn't on the machine and can't be pulled",
            False,
            id="image",
        ),
        pytest.param(
            "tls: failed to verify certificate: x509: certificate is valid for 10.128.0.1, 172.18.0.5, not 172.18.0.8",
            "the API server's certificate isn't for its address 172.18.0.8: the machine was stopped and has another "
            "one now",
            False,
            id="another address",
        ),
        pytest.param(
            "x509: certificate has expired or is not yet valid: current time",
            "a certificate isn't valid now: the clock is wrong, or it has expired",
            False,
            id="clock",
        ),
        pytest.param(
            'E1123 run.go:74] "command failed" err="failed to run Kubelet: unable to load bootstrap kubeconfig"',
            "kubelet can't run: unable to load bootstrap kubeconfig",
            False,
            id="kubelet's own last words",
        ),
        pytest.param(
            '"Unable to register node with API server" err="dial tcp 172.18.0.3:6443: connect: connection refused"',
            None,
            False,
            id="an API server that isn't there yet is normal",
        ),
        pytest.param(
            'E1123 "Unable to register mirror pod because node is not registered yet" err="node \\"a\\" not found"',
            None,
            False,
            id="a node that isn't registered yet is normal",
        ),
        pytest.param(
            'E1123 container_manager_linux.go:592] "Failed to ensure process in container with oom score" '
            'err="failed to apply oom score -999 to PID 534: write /proc/534/oom_score_adj: permission denied"',
            None,
            False,
            id="kubelet does without an oom score of its own",
        ),
    ],
)
def test_kubelet(printed: str, meaning: str | None, hopeless: bool) -> None:
    words = diagnose.kubelet(f"I1123 something before\n{printed}\nI1123 something after\n")
    assert (words.text if words else None) == meaning
    if words:
        assert words.hopeless is hopeless
        assert words.hint


def test_what_is_said_last_counts() -> None:
    pulls = "\n".join(f'failed to pull image "example/{name}:v1"' for name in "abc")
    words = diagnose.kubelet(pulls)
    assert words
    assert words.text.startswith("image example/c:v1 ")


@pytest.mark.parametrize(
    ("printed", "known"),
    [
        ("[ALERT] (1) : [haproxy.main()] Cannot raise FD limit to 200035, limit is 20000.", True),
        ("[WARNING] (30) : Server kube-apiservers/a is DOWN, reason: Layer4 connection problem", False),
        ("[ALERT] (30) : backend 'kube-apiservers' has no server available!", False),
    ],
)
def test_the_load_balancer(printed: str, known: bool) -> None:
    assert (diagnose.balancer(printed) is not None) is known


def a_machine(status: str, reason: str, message: str) -> dict[str, Any]:
    condition = {"type": "BootstrapCompleted", "status": status, "reason": reason, "message": message}
    return {
        "kind": "DevMachine",
        "metadata": {"namespace": "default", "name": "mgmt-x7k2p"},
        "status": {"conditions": [{"type": "Ready", "status": "False"}, condition]},
    }


@pytest.mark.parametrize(
    ("machine", "meaning"),
    [
        pytest.param(
            a_machine("False", "Failed", PORT_IN_USE),
            "kubeadm failed: port 6443 is in use; port 10250 is in use",
            id="failed",
        ),
        pytest.param(
            a_machine("False", "Failed", "Running boostrap command [ a ]\nERROR: exited with status: 3"),
            "its bootstrap failed: Running boostrap command [ a ] ERROR: exited with status: 3",
            id="failed with words that aren't known",
        ),
        pytest.param(
            a_machine("False", "NotCompleted", "Running boostrap command [ a ] failed: context deadline exceeded"),
            "its bootstrap failed: Running boostrap command [ a ] failed: context deadline exceeded",
            id="took too long",
        ),
        pytest.param(a_machine("False", "NotReady", "Running boostrap command [ a ] (3 of 9)"), None, id="under way"),
        pytest.param(a_machine("True", "Completed", ""), None, id="succeeded"),
        pytest.param({"kind": "DevMachine", "metadata": {"name": "a"}}, None, id="no status yet"),
    ],
)
def test_a_bootstrap_that_failed_for_good(machine: dict[str, Any], meaning: str | None) -> None:
    cause = diagnose.bootstrap_failure(machine)
    assert (cause.text if cause else None) == meaning
    if cause:
        assert isinstance(cause, Cause)
        assert (cause.object, cause.hopeless) == ("DevMachine default/mgmt-x7k2p", True)


@pytest.mark.parametrize(
    ("code", "out_of_memory", "why"),
    [
        (137, True, "it was killed: it ran out of memory"),
        (137, False, "it was killed (SIGKILL)"),
        (143, False, "it was told to stop (SIGTERM)"),
        (0, False, "it ended"),
        (3, False, "it ended with exit code 3"),
    ],
)
def test_why_a_container_stopped(code: int, out_of_memory: bool, why: str) -> None:
    assert diagnose.stopped(code, out_of_memory=out_of_memory) == why
