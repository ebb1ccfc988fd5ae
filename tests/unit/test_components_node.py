"""The node image: choosing the mirror, cleaning, what is packed; the unit that keeps routes, on fake commands."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from bootstrapper.errors import MachineError
from hack.components import node_base, node_image

ROUTES = node_image.NODE / "rootfs/usr/local/lib/bootstrapper/node-routes"
FAKES = {
    # curl: the list of nodes as the unit's jq would print it, or nothing, and a failure
    "curl": 'test -f "$FAKE/nodes" && cat "$FAKE/nodes"',
    "jq": "cat",
    "ip": 'if [ "$*" = "-4 route show proto 201" ]; then cat "$FAKE/routes"; else echo "ip $*" >> "$FAKE/done"; fi',
    "iptables-restore": 'sed "s/^/restore: /" >> "$FAKE/done"',
    "iptables": "exit 0",
}


@pytest.fixture
def node(tmp_path: Path) -> Path:
    """A folder with fake commands in bin/, the routes that are there in `routes`, what was done in `done`."""
    (tmp_path / "bin").mkdir()
    for name, body in FAKES.items():
        (tmp_path / "bin" / name).write_text(f"#!/bin/bash\n{body}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    (tmp_path / "routes").write_text("")
    (tmp_path / "done").write_text("")
    return tmp_path


def agree(node: Path) -> int:
    """Runs the unit's `agree` on node `me`, whose CNI configuration goes to `conf`."""
    script = f'source "{ROUTES}"; CONF="$FAKE/conf"; get() {{ curl; }}; agree'
    env = {"PATH": f"{node / 'bin'}:{os.environ['PATH']}", "FAKE": str(node), "HOSTNAME": "me"}
    return subprocess.run(["bash", "-c", script], env=env, check=False).returncode


def done(node: Path, word: str) -> list[str]:
    return [line for line in (node / "done").read_text().splitlines() if line.startswith(word)]


def test_one_route_for_each_other_node(node: Path) -> None:
    (node / "nodes").write_text("me\t10.0.0.0/24\t172.18.0.2\nyou\t10.0.1.0/24\t172.18.0.3\n")

    assert agree(node) == 0

    assert done(node, "ip") == ["ip route replace 10.0.1.0/24 via 172.18.0.3 proto 201"]
    assert '"subnet": "10.0.0.0/24"' in (node / "conf").read_text()


def test_pods_reach_each_other_under_their_own_address_and_the_world_under_the_nodes(node: Path) -> None:
    (node / "nodes").write_text("me\t10.0.0.0/24\t172.18.0.2\nyou\t10.0.1.0/24\t172.18.0.3\n")

    agree(node)

    rules = done(node, "restore: -A")
    assert [r.split("NODE-ROUTES ")[1] for r in rules] == [
        "-d 10.0.0.0/24 -j RETURN",
        "-d 10.0.1.0/24 -j RETURN",
        "-d 224.0.0.0/4 -j RETURN",
        "-j MASQUERADE",
    ]


def test_the_route_of_a_node_that_went_away_is_removed(node: Path) -> None:
    (node / "nodes").write_text("me\t10.0.0.0/24\t172.18.0.2\n")
    (node / "routes").write_text("10.0.1.0/24 via 172.18.0.3 dev eth0\n")

    assert agree(node) == 0

    assert done(node, "ip") == ["ip route del 10.0.1.0/24 proto 201"]


def test_a_node_without_an_address_yet_keeps_the_route_it_had(node: Path) -> None:
    (node / "nodes").write_text("me\t10.0.0.0/24\t172.18.0.2\nyou\t10.0.1.0/24\t\n")
    (node / "routes").write_text("10.0.1.0/24 via 172.18.0.3 dev eth0\n")

    assert agree(node) == 0

    assert done(node, "ip") == []


@pytest.mark.parametrize("nodes", [None, "", "you\t10.0.1.0/24\t172.18.0.3\n"])
def test_without_a_list_that_has_this_node_nothing_is_touched(node: Path, nodes: str | None) -> None:
    if nodes is not None:
        (node / "nodes").write_text(nodes)
    (node / "routes").write_text("10.0.9.0/24 via 172.18.0.9 dev eth0\n")

    assert agree(node) != 0

    assert done(node, "") == []
    assert not (node / "conf").exists()


def test_the_mirror_is_that_of_debians_own_archive() -> None:
    targets = "Other|http://other/\nDebian-Security|http://security/\nDebian|http://mirror/debian/\n"

    assert node_base.pick_mirror(targets) == "http://mirror/debian/"


def test_without_a_mirror_the_error_says_where_to_look() -> None:
    with pytest.raises(MachineError, match="no mirror"):
        node_base.pick_mirror("Other|http://other/\n")


def test_cleaning_leaves_no_identity_and_no_unit_for_real_machines(tmp_path: Path) -> None:
    (tmp_path / "etc/systemd/system").mkdir(parents=True)
    (tmp_path / "etc/machine-id").write_text("0123")
    (tmp_path / "var/log").mkdir(parents=True)
    (tmp_path / "var/log/dpkg.log").write_text("today")
    wants = tmp_path / "usr/lib/systemd/system/multi-user.target.wants"
    wants.mkdir(parents=True)
    (wants / "getty.target").touch()

    node_base.clean(tmp_path)

    assert not (tmp_path / "etc/machine-id").exists()
    assert list((tmp_path / "var/log").iterdir()) == []
    assert not wants.exists()
    assert (tmp_path / "etc/systemd/system/systemd-udevd.service").readlink() == Path("/dev/null")


@pytest.mark.parametrize(
    ("path", "packed"),
    [
        ("var", True),
        ("var/lib", True),
        ("var/lib/containerd", True),
        ("var/lib/containerd/io.containerd.metadata.v1.bolt/meta.db", True),
        ("var/lib/containerd/tmpmounts", False),
        ("var/lib/dpkg", False),
        ("var/lib/containerd-other", False),
        ("etc", False),
    ],
)
def test_the_stores_layer_holds_the_store_alone(path: str, packed: bool) -> None:
    assert node_image._in_store(path) is packed
