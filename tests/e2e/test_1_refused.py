"""What is refused before anything is touched: each with its exit code, the thing's name, the cause and what to do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bootstrapper.adapters import assemble
from e2e import command, outside
from e2e.command import Done
from e2e.lab import Lab

HEAD = "apiVersion: bootstrapper/v1alpha1\nkind: ManagementCluster\n"


def asked(lab: Lab, text: str) -> Done:
    """`init` with this request."""
    lab.request.write_text(text, encoding="utf-8")
    return lab.run("init", "-f", str(lab.request))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(
            f"{HEAD}spec:\n  controlPlane: {{replica: 1}}\n",
            ("cluster.yaml:4", "replica", "did you mean 'replicas'?"),
            id="unknown key",
        ),
        pytest.param(
            HEAD.replace("v1alpha1", "v1beta9"), ("cluster.yaml:1", "bootstrapper/v1alpha1"), id="wrong version"
        ),
        pytest.param(
            f"{HEAD}spec: {{kubernetesVersion: v1.2.3}}\n",
            ("v1.2.3", "v1.36."),
            id="Kubernetes that isn't in the parts",
        ),
        pytest.param(
            f"{HEAD}spec:\n  network: {{pods: 10.0.0.0/16, services: 10.0.0.0/16}}\n",
            ("cluster.yaml:4", "overlap", "10.0.0.0/16"),
            id="overlapping ranges",
        ),
        pytest.param(f"{HEAD}metadata: {{name: My_Cluster}}\n", ("cluster.yaml:3", "My_Cluster"), id="not a DNS label"),
    ],
)
def test_a_bad_request(scratch: Lab, text: str, words: tuple[str, ...]) -> None:
    asked(scratch, text).must(21).says(*words)


def test_no_request_file(scratch: Lab) -> None:
    scratch.run("init", "-f", "/no/such/file.yaml").must(21).says("/no/such/file.yaml", "No such file")


def test_an_option_that_isnt_known(scratch: Lab) -> None:
    scratch.run("init", "--fats").must(2).says("--fats")


def test_the_engine_is_absent(scratch: Lab) -> None:
    nowhere = {"DOCKER_HOST": f"unix://{scratch.folder}/no.sock"}
    done = scratch.run("init", "-f", str(scratch.request), env=nowhere)
    done.must(31).says("container engine", "nothing listens on its socket", "hack/engine start")


def test_too_little_memory(scratch: Lab) -> None:
    named = f"metadata: {{name: {scratch.name}}}\n"
    asked(scratch, f"{HEAD}{named}spec:\n  workers: [{{name: md-0, replicas: 250}}]\n").must(32).says(
        "memory", "GiB are free", "127.0 GiB are needed", "ask for fewer machines"
    )


def on_a_disk(lab: Lab, size: str, before: str, *args: str) -> Done:
    """A command whose state folder lies on a file system of this size. `before`: what the shell does there first."""
    state = lab.folder / "small"
    state.mkdir()
    prepare = f'mount -t tmpfs -o size={size} small "$0" && cd "$0" && {before} && cd / && exec "$@"'
    own_mounts = ["unshare", "--mount", "sh", "-ec", prepare, str(state)]
    return command.run(args, lab.env({"XDG_STATE_HOME": str(state)}), own_mounts)


def test_too_little_disk(scratch: Lab) -> None:
    done = on_a_disk(scratch, "1m", "true", "init", "-f", str(scratch.request))
    done.must(32).says("disk", "GiB are needed", "Free some space", "df ")


@pytest.mark.parametrize("room", [0, 1, 2], ids=["nothing", "a folder", "a file in it"])
def test_a_full_disk(scratch: Lab, room: int) -> None:
    """A tmpfs counts in pages; the first of them go to the folders, the next to the lock, then comes the journal."""
    fill = f"dd if=/dev/zero of=filler bs=4096 count={64 - room} status=none"
    done = on_a_disk(scratch, "256k", fill, "init", "-f", str(scratch.request))
    done.must(32).says("Free some space", "df ")


def test_a_half_written_journal(scratch: Lab) -> None:
    """It is closed, nothing is believed, and the next words stand on lines of their own."""
    scratch.state.mkdir(parents=True)
    journal = scratch.state / "journal.jsonl"
    journal.write_bytes(b'{"at": "2026-01-01T00:00:00Z", "step": "farewell", "kind": "clo\xc3')
    nowhere = {"DOCKER_HOST": f"unix://{scratch.folder}/no.sock"}
    scratch.run("init", "-f", str(scratch.request), env=nowhere).must(31).says("container engine")
    first, *rest = journal.read_bytes().splitlines()
    assert first.endswith(b"clo\xc3")
    assert [json.loads(line)["kind"] for line in rest][-1] == "failed"


def parts_without(folder: Path, kind: str, name: str) -> Path:
    """The bundle, but for one artifact that its lock doesn't name."""
    whole = assemble.bundle_folder()
    lock = json.loads((whole / "bundle.json").read_bytes())
    kept = [a for a in lock["artifacts"] if not (a["kind"] == kind and name in a["name"])]
    assert len(kept) == len(lock["artifacts"]) - 1
    folder.mkdir()
    (folder / "blobs").symlink_to(whole / "blobs")
    (folder / "bundle.json").write_text(json.dumps({**lock, "artifacts": kept}))
    return folder


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("image", "/capd-manager:"),
        ("image", "kindest/haproxy:"),
        ("binary", "kind"),
        ("components", "control-plane/kubeadm"),
    ],
)
def test_a_part_is_missing(scratch: Lab, kind: str, name: str) -> None:
    bundle = parts_without(scratch.folder / "parts", kind, name)
    done = scratch.run("init", "-f", str(scratch.request), "--bundle", str(bundle))
    done.must(50).says(f"no {kind} ", name.strip("/:"), "hack/components/build")
    assert outside.containers(scratch.bootstrap) == [], "something was made though it couldn't be finished"


def test_bytes_of_a_part_are_missing(scratch: Lab) -> None:
    whole, bundle = assemble.bundle_folder(), scratch.folder / "parts"
    lock = json.loads((whole / "bundle.json").read_bytes())
    image = next(a for a in lock["artifacts"] if a["name"].startswith("kindest/haproxy:"))
    blobs = bundle / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    for blob in (whole / "blobs" / "sha256").iterdir():
        (blobs / blob.name).symlink_to(blob)
    (blobs / image["files"][-1]["digest"].removeprefix("sha256:")).unlink()
    (bundle / "bundle.json").write_text(json.dumps(lock))
    done = scratch.run("init", "-f", str(scratch.request), "--bundle", str(bundle))
    done.must(50).says("isn't complete", "kindest/haproxy")


def test_no_parts_at_all(scratch: Lab) -> None:
    done = scratch.run("init", "-f", str(scratch.request), "--bundle", str(scratch.folder))
    done.must(50).says("bundle.json", "hack/components/build")


@pytest.mark.parametrize("words", [("destroy", "e2e-none"), ("cluster", "delete", "x", "-m", "e2e-none")])
def test_nothing_is_destroyed_that_isnt_there(scratch: Lab, words: tuple[str, ...]) -> None:
    done = scratch.run(*words)
    assert done.code in (0, 23), str(done)
    done.says()


def test_a_management_cluster_that_isnt_known(scratch: Lab) -> None:
    scratch.run("status", "e2e-none").must(23).says("e2e-none", "bootstrapper init")
