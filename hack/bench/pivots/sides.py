"""One run of each program, from a fresh fleet to the proof that all of it moved."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bootstrapper.errors import StepError
from hack.bench.pivots import audit, copies, fleet, watched
from hack.bench.pivots.bare import APPLY, MERGE, Request, as_bytes, side_by_side
from hack.bench.pivots.fleet import Object, Wish
from hack.bench.pivots.results import BARE, LATER, OURS, PEER, Run, Side
from hack.bench.pivots.servers import Pair, Server
from hack.bench.pivots.watched import Measured

#: The command of the same virtual environment.
PROGRAM = Path(sys.executable).with_name("bootstrapper")


@dataclass
class Bench:
    """Runs the programs on one pair of servers, each in a namespace of its own that is wiped afterwards.

    `new_namespace`: the target doesn't have it beforehand, so it can't be asked there what it would take.
    `written` keeps, by size, what the last run of ours left in the target: the bare client sends it again.
    """

    pair: Pair
    clusterctl: Path
    scratch: Path
    new_namespace: bool
    written: dict[int, list[Object]] = field(default_factory=dict, init=False)
    _runs: int = field(default=0, init=False)

    def run(self, side: Side, clusters: int, number: int) -> Run:
        """One run with so many Clusters.

        Raises:
            StepError: a program failed, or something isn't where it should be afterwards.
        """
        self._runs += 1
        namespace = f"fleet-{self._runs:03}"
        for server in (self.pair.source,) if self.new_namespace and side != BARE else self.pair.both:
            server.namespace(namespace)
        measured = (self._bare if side == BARE else self._moved)(side, clusters, number, namespace)
        for server in self.pair.both:
            server.wipe(namespace)
        return measured

    def _moved(self, side: Side, clusters: int, number: int, namespace: str) -> Run:
        make(self.pair.source, namespace, clusters)
        objects, load = clusters * fleet.PER_CLUSTER, os.getloadavg()[0]
        for server in self.pair.both:
            server.mark()
        measured = self._peer(namespace) if side == PEER else self._ours(side, namespace)
        asked = {server.name: server.since() for server in self.pair.both}
        self._check(namespace, objects, objects if side == LATER else 0)
        if side == OURS:
            self.written[objects] = _items(self.pair.target, namespace)
        requests = {name: audit.verbs(seen) for name, seen in asked.items()}
        copied = audit.copy_seconds(asked[self.pair.target.name], namespace)
        return Run(side, objects, number, measured.seconds, copied, requests, measured.memory, load)

    def _ours(self, side: Side, namespace: str) -> Measured:
        mode = "destroyed-later" if side == LATER else "keep"
        options = [f"--namespace={namespace}", f"--source={mode}", "--yes", "--json"]
        with tempfile.TemporaryDirectory(dir=self.scratch) as folder:
            environment = {"XDG_STATE_HOME": folder}
            return watched.run([str(PROGRAM), "pivot", *self._kubeconfigs(), *options], environment, self._log(side))

    def _peer(self, namespace: str) -> Measured:
        # Neither the operator's own files nor a look for a newer clusterctl.
        environment = {"XDG_CONFIG_HOME": str(self.scratch), "CLUSTERCTL_DISABLE_VERSIONCHECK": "true"}
        command = [str(self.clusterctl), "move", *self._kubeconfigs(), f"--namespace={namespace}"]
        return watched.run(command, environment, self._log(PEER))

    def _bare(self, side: Side, clusters: int, number: int, namespace: str) -> Run:
        """Creates first, then the patches that restore managedFields, each as fast as it goes."""
        objects, target = clusters * fleet.PER_CLUSTER, self.pair.target
        items = self.written[objects]
        owners = [target.keeper.do(request) for request in copies.stand_ins(items, namespace)]
        creates = copies.creates(items, namespace, {owner["kind"]: owner for owner in owners})
        load = os.getloadavg()[0]
        target.mark()
        target.measured.all(creates)
        target.measured.all(copies.restores(items, namespace))
        asked = target.since()
        self._check(namespace, objects + len(owners), 0)
        copied, wrote = audit.copy_seconds(asked, namespace), audit.write_seconds(asked, namespace)
        return Run(side, objects, number, wrote, copied, {target.name: audit.verbs(asked)}, 0, load)

    def _kubeconfigs(self) -> Sequence[str]:
        return f"--kubeconfig={self.pair.source.kubeconfig}", f"--to-kubeconfig={self.pair.target.kubeconfig}"

    def _log(self, side: Side) -> Path:
        return self.scratch / f"{self._runs:03}-{side.replace(' ', '-').replace(',', '')}.log"

    def _check(self, namespace: str, in_target: int, in_source: int) -> None:
        """A run that moved nothing would be the fastest."""
        wanted = {self.pair.source.name: in_source, self.pair.target.name: in_target}
        found = {server.name: server.count(namespace) for server in self.pair.both}
        if found != wanted:
            raise StepError(f"objects in {namespace}: {found}", f"there should be {wanted}")


def make(server: Server, namespace: str, clusters: int) -> None:
    """A fleet of so many Clusters, side by side."""
    side_by_side(range(clusters), lambda number: _make(server, namespace, fleet.cluster(number)))


def _make(server: Server, namespace: str, wishes: Sequence[Wish]) -> None:
    made: list[Object] = []
    for wish in wishes:
        body = fleet.placed(wish, namespace, made[wish.owner] if wish.owner is not None else None)
        made.append(server.keeper.do(_request(wish, namespace, body)))
        if wish.status:
            path = wish.resource.path(namespace, body["metadata"]["name"])
            server.keeper.do(Request("PATCH", f"{path}/status", as_bytes({"status": wish.status}), MERGE))


def _request(wish: Wish, namespace: str, body: Object) -> Request:
    if not wish.applied:
        path = f"{wish.resource.path(namespace)}?fieldManager={wish.manager}"
        return Request("POST", path, as_bytes(body))
    path = f"{wish.resource.path(namespace, body['metadata']['name'])}?fieldManager={wish.manager}"
    return Request("PATCH", path, as_bytes(body), APPLY)


def _items(server: Server, namespace: str) -> list[Object]:
    """Every object of the fleet, with its kind."""
    return [
        {**item, "apiVersion": resource.api_version, "kind": resource.kind}
        for resource in fleet.RESOURCES
        for item in server.keeper.pages(resource.path(namespace))
    ]
