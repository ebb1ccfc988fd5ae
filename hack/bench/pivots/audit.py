"""What a kube-apiserver's audit log says about a run: requests by verb, and how long the copy took. Pure.

The log has one JSON object a line (`audit.k8s.io/v1` Event, level Metadata). It is the server's own evidence, the same
for every program: what was asked, by whom, when it came in and when it was answered.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

#: Who isn't measured: the benchmark when it makes and wipes fleets, and the garbage collector.
OTHERS = ("bench-keeper", "kube-controller-manager")
KEEPER = OTHERS[0]
#: What stands for the verb of a request that is answered as if it were done.
DRY_RUN = "dry run"
WRITES = ("create", "update", "patch", "delete", "deletecollection")


@dataclass(frozen=True)
class Seen:
    """One request that was answered; times in seconds since the epoch. `namespace` is empty where there is none."""

    verb: str
    resource: str
    namespace: str
    begin: float
    end: float


def read(lines: Iterable[str]) -> list[Seen]:
    """The requests of the program that is measured."""
    return [_seen(event) for line in lines if _is_measured(event := json.loads(line))]


def verbs(requests: Iterable[Seen]) -> dict[str, int]:
    """How many of each verb; what isn't about a resource (discovery) counts as `get`, and dry runs by themselves."""
    return dict(sorted(Counter(request.verb for request in requests).items()))


def copy_seconds(requests: Iterable[Seen], namespace: str) -> float:
    """From the first create in the namespace to the end of the last one; 0 when there is none."""
    return _span([r for r in _inside(requests, namespace) if r.verb == "create"])


def write_seconds(requests: Iterable[Seen], namespace: str) -> float:
    """From the first write in the namespace to the end of the last one; 0 when there is none."""
    return _span([r for r in _inside(requests, namespace) if r.verb in WRITES])


def _inside(requests: Iterable[Seen], namespace: str) -> list[Seen]:
    """What is about objects in the namespace; about the namespace itself not."""
    return [r for r in requests if r.namespace == namespace and r.resource != "namespaces"]


def _span(requests: list[Seen]) -> float:
    return max(r.end for r in requests) - min(r.begin for r in requests) if requests else 0.0


def _is_measured(event: Mapping[str, object]) -> bool:
    return event["stage"] == "ResponseComplete" and not str(event.get("userAgent", "")).startswith(OTHERS)


def _seen(event: Mapping[str, object]) -> Seen:
    about = event.get("objectRef")
    named: Mapping[str, str] = about if isinstance(about, dict) else {}
    begin, end = (_time(str(event[part])) for part in ("requestReceivedTimestamp", "stageTimestamp"))
    verb = DRY_RUN if "dryRun=All" in str(event["requestURI"]) else str(event["verb"])
    return Seen(verb, named.get("resource", ""), named.get("namespace", ""), begin, end)


def _time(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
