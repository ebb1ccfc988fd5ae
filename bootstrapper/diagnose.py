"""What a machine's own words mean: kubeadm's, kubelet's and haproxy's lines as plain words and a next step. Pure.

Where the words come from with the docker provider: it keeps the end of a failed bootstrap command (kubeadm's output) in
the DevMachine's condition BootstrapCompleted, reason Failed, and never repeats the command (Cluster API,
test/infrastructure/docker, dockermachine_backend.go). kubelet's are in the journal of the node container.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from bootstrapper.redact import redact
from bootstrapper.step import Cause

ANEW = (
    "Remove the cluster ('bootstrapper destroy NAME', or 'bootstrapper cluster delete NAME' for a workload cluster), "
    "then make it again."
)
#: Characters of a machine's own line that stand in a message.
LONGEST = 400


@dataclass(frozen=True)
class Words:
    """What a line means, what to do about it, and whether waiting can't heal it."""

    text: str
    hint: str = ""
    hopeless: bool = False


@dataclass(frozen=True)
class Pattern:
    """A line that is known. Groups of `line` stand in `text` as {name}."""

    line: re.Pattern[str]
    text: str
    hint: str = ""
    hopeless: bool = False


def _pattern(line: str, text: str, hint: str = "", *, hopeless: bool = False) -> Pattern:
    return Pattern(re.compile(line), text, hint, hopeless)


#: The first that matches is taken: causes before their consequences.
KUBELET = (
    _pattern(
        r"kubelet is configured to not run on a host using cgroup v1",
        "kubelet refuses to run: this machine has cgroup v1",
        "Set failCgroupV1: false in the KubeletConfiguration of your template, or boot with cgroup v2.",
        hopeless=True,
    ),
    _pattern(
        r"running with swap on is not supported",
        "kubelet refuses to run: swap is on",
        "Turn it off ('swapoff -a'), or set failSwapOn: false in the KubeletConfiguration of your template.",
        hopeless=True,
    ),
    _pattern(
        r"(inotify_init|inotify|fsnotify)[^\n]*too many open files",
        "too many inotify instances are in use on this machine",
        "Raise the limit: 'sysctl -w fs.inotify.max_user_instances=1024'.",
    ),
    _pattern(
        r"no space left on device",
        "its disk is full",
        "Free some space where the container engine keeps its data ('docker system df').",
    ),
    _pattern(
        r"unable to apply caps|can't apply caps",
        "containers can't get the capabilities they ask for",
        "This machine lacks CAP_SYS_RESOURCE: start the engine with a runtime that leaves it out (hack/engine start).",
        hopeless=True,
    ),
    _pattern(
        # Not what kubelet says of its own process: that one goes on.
        r"create failed[^\n]*oom_score_adj[^\n]*(permission denied|operation not permitted)",
        "containers can't set their oom_score_adj: this machine lacks CAP_SYS_RESOURCE",
        "Set restrict_oom_score_adj = true in the containerd configuration of the node image.",
    ),
    _pattern(
        r"(?:failed to pull|pulling) image \\*\"(?P<image>[^\"\\]+)\\*\"",
        "image {image} isn't on the machine and can't be pulled",
        "See whether the bundle has it: 'bootstrapper bundle show'.",
    ),
    _pattern(
        r"x509: certificate is valid for [^\n]*?, not (?P<address>[0-9a-fA-F.:]+)",
        "the API server's certificate isn't for its address {address}: the machine was stopped and has another one now",
        ANEW,
    ),
    _pattern(
        r"x509: certificate has expired or is not yet valid",
        "a certificate isn't valid now: the clock is wrong, or it has expired",
        "Compare the clocks: 'date'.",
    ),
    _pattern(
        r"failed to run Kubelet: (?P<why>[^\n\"]+)",
        "kubelet can't run: {why}",
        "Read on in its log: 'docker exec CONTAINER journalctl -u kubelet'.",
    ),
)

BALANCER = (
    _pattern(
        r"(Cannot raise FD limit|cannot raise fd limit|FD limit \(\d+\) too low|can't allocate|cannot allocate)",
        "the load balancer can't get the file handles that it asks for",
        "Raise the engine's limit of open files (LimitNOFILE, or 'ulimit -Hn' where dockerd is started).",
        hopeless=True,
    ),
)

#: kubeadm's preflight checks (kubeadm, app/preflight: `[ERROR Name]: sentence`).
_PREFLIGHT = re.compile(r"\[ERROR [^\]]+\]: *(?P<why>[^\n]+)")
_PHASE = re.compile(r"error execution phase (?P<phase>[\w/-]+): *(?P<why>[^\n]*)")
_KILLED = re.compile(r"exited with status: 137\b")
_GONE = re.compile(r"(?P<why>No such container|is not running|exited with status: 126)")


def kubelet(printed: str) -> Words | None:
    """What kubelet's log says, None when nothing in it is known."""
    return _first(KUBELET, printed)


def balancer(printed: str) -> Words | None:
    """What the load balancer's log says, None when nothing in it is known."""
    return _first(BALANCER, printed)


def kubeadm(printed: str) -> Words | None:
    """What kubeadm's output says, None when it doesn't say that it failed. kubeadm isn't run twice: no hope."""
    preflight = list(dict.fromkeys(found["why"].strip() for found in _PREFLIGHT.finditer(printed)))
    if preflight:
        said = "; ".join(why[0].lower() + why[1:] for why in preflight)
        return Words(f"kubeadm failed: {_short(said)}", f"Put that right. {ANEW}", hopeless=True)
    known = _first(KUBELET, printed)
    phase = _PHASE.search(printed)
    if phase:
        why = known.text if known else phase["why"] or "it says no more"
        return Words(f"kubeadm failed in its phase {phase['phase']}: {_short(why)}", ANEW, hopeless=True)
    if _KILLED.search(printed):
        return Words("the machine was killed while kubeadm ran (exit code 137)", ANEW, hopeless=True)
    if _GONE.search(printed):
        return Words("the machine went away while kubeadm ran", ANEW, hopeless=True)
    return None


def bootstrap_failure(machine: dict[str, Any]) -> Cause | None:
    """What an infrastructure machine's object (DevMachine) says about a bootstrap that failed for good.

    None while it is under way, has succeeded, or can't be told.
    """
    conditions = machine.get("status", {}).get("conditions", [])
    found = next((c for c in conditions if c["type"] == "BootstrapCompleted" and c["status"] == "False"), None)
    if found is None:
        return None
    message = found.get("message", "")
    ended = found.get("reason") == "Failed" or ") failed: " in message or "] failed: " in message
    if not ended:
        return None
    metadata = machine["metadata"]
    words = kubeadm(message) or Words(f"its bootstrap failed: {_short(message)}", ANEW, hopeless=True)
    return Cause(
        f"{machine['kind']} {metadata.get('namespace', 'default')}/{metadata['name']}", words.text, words.hint, True
    )


def stopped(exit_code: int, *, out_of_memory: bool) -> str:
    """Why a container isn't running, from its exit code (128 + number of the signal, as shells have it)."""
    if out_of_memory:
        return "it was killed: it ran out of memory"
    names = {
        137: "it was killed (SIGKILL)",
        143: "it was told to stop (SIGTERM)",
        130: "it was told to stop",
        0: "it ended",
    }
    return names.get(exit_code, f"it ended with exit code {exit_code}")


def _first(patterns: tuple[Pattern, ...], printed: str) -> Words | None:
    for pattern in patterns:
        matches = list(pattern.line.finditer(printed))
        if matches:  # the last one: what it says now
            groups = {name: _short(value or "") for name, value in matches[-1].groupdict().items()}
            return Words(pattern.text.format(**groups), pattern.hint, pattern.hopeless)
    return None


def _short(text: str) -> str:
    said = " ".join(redact(text).split())
    return said if len(said) <= LONGEST else said[: LONGEST - 1] + "…"
