"""The page in docs/: what was measured, on what, how, and what came out. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hack.bench.pivots import fleet, results
from hack.bench.pivots.results import Run

NAME, PLOT = "pivot-bench.md", "pivot-bench.svg"


@dataclass(frozen=True)
class Machine:
    """Where it ran: cores, bytes of memory, the day, and the versions of what took part."""

    cores: int
    memory: int
    day: str
    versions: Mapping[str, str]


def page(runs: Sequence[Run], machine: Machine, new_namespace: bool) -> str:
    """The whole page, in Markdown. `new_namespace`: the target didn't have the fleet's namespace beforehand."""
    there = "doesn't have the namespace" if new_namespace else "has the namespace, empty,"
    versions = ", ".join(f"{name} {version}" for name, version in sorted(machine.versions.items()))
    loads = [run.load for run in runs]
    return f"""# How fast a pivot is

Made by `hack/bench/pivot`; don't edit it. {machine.day}; {versions}; {machine.cores} cores shared by programs and
servers, {machine.memory / (1 << 30):.0f} GiB of memory, load average {min(loads):.1f} to {max(loads):.1f} before a run.

{results.as_markdown(runs)}
![seconds by objects]({PLOT})

## What was measured

* Two kube-apiservers on one etcd (without fsync), each with its garbage collector and Cluster API's CRDs; no provider's
  managers, so nobody waits for them, and no webhooks.
* Each run moves a new fleet in a namespace of its own: Clusters of {fleet.PER_CLUSTER} objects with owners, finalizers,
  server-side-apply managers and Secrets. The target {there} beforehand. Everything is wiped
  afterwards. A run counts only if all objects are in the target and none (with `--source destroyed-later`: all) in the
  source. The programs take turns; the table has medians.
* *seconds* is the whole process from start to end, as somebody types it: `bootstrapper pivot --yes --json`,
  `clusterctl move`. Both delete from the source, but for the rows that say otherwise.
* *objects/s in the copy*: from the first create that the target's kube-apiserver got to its answer to the last one.
* *requests*, an object, with all reads and discovery: counted from the audit logs of the two kube-apiservers.
* *MiB* is the process's peak of resident memory.
* The *bare client* sends the bodies that ours wrote, 32 at once, with no look, plan or order before and nothing but an
  HTTP library: first the creates (its objects/s), then the patches that restore managedFields (its seconds are both).
"""
