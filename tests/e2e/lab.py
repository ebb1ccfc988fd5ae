"""One management cluster of ours with a state folder of its own: nobody else's clusters are touched."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bootstrapper.adapters import assemble
from bootstrapper.adapters.layout import Layout
from e2e import command, outside
from e2e.command import Done, Running
from e2e.outside import Engine, Kubectl

REQUEST = """\
apiVersion: bootstrapper/v1alpha1
kind: ManagementCluster
metadata:
  name: {name}
spec:
  controlPlane: {{replicas: 1}}
  workers: [{{name: md-0, replicas: {workers}}}]
  variables: {{CLUSTER_TOPOLOGY: "true"}}
"""


@dataclass
class Lab:
    """`folder` is thrown away by whoever made it. `clusters`: names under which containers are ours."""

    folder: Path
    name: str = "e2e"
    workers: int = 1
    before: Engine = field(default_factory=Engine.now)

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)
        self.request = self.folder / "cluster.yaml"
        self.request.write_text(REQUEST.format(name=self.name, workers=self.workers), encoding="utf-8")
        self.second = f"{self.name}-two"
        self.bootstrap = f"{self.name}-bootstrap"

    @property
    def state(self) -> Path:
        """The management cluster's state folder."""
        return self.folder / "state" / "bootstrapper" / self.name

    def env(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """The command's environment."""
        return {**os.environ, "XDG_STATE_HOME": str(self.folder / "state"), "NO_COLOR": "1", **(more or {})}

    def run(self, *args: str, env: Mapping[str, str] | None = None) -> Done:
        """A command from its start to its end."""
        return command.run(args, self.env(env))

    def start(self, *args: str, env: Mapping[str, str] | None = None) -> Running:
        """A command under way."""
        return Running([*args, "--json"], self.env(env), Path(tempfile.mkdtemp(dir=self.folder)))

    def init(self, *args: str, env: Mapping[str, str] | None = None) -> Running:
        """`init` under way."""
        return self.start("init", "-f", str(self.request), *args, env=env)

    def kubectl(self, *kubeconfig: str) -> Kubectl:
        """A cluster by the command that prints its kubeconfig; by default the management cluster."""
        program = Layout.open(assemble.bundle_folder()).executable("kubectl", self.folder / "programs")
        done = self.run(*(kubeconfig or ("kubeconfig", self.name))).must()
        file = self.folder / f"kubeconfig-{'-'.join(kubeconfig)}"
        file.touch(mode=0o600)
        file.write_text(done.out, encoding="utf-8")
        return Kubectl(program, file)

    def left(self) -> list[str]:
        """What is there of us: containers, volumes and networks of the engine, the state folder."""
        ours = [c for name in (self.name, self.bootstrap, self.second) for c in outside.containers(name)]
        state = [f"state folder {self.state}"] if self.state.exists() else []
        return [f"container {c.name}" for c in ours] + self.before.added() + state

    def sweep(self) -> None:
        """Take away what a test that failed, or a run of the tests that was killed, left behind."""
        for name in (self.second, self.name, self.bootstrap):
            for found in outside.containers(name):
                outside.docker("rm", "-fv", found.name)
