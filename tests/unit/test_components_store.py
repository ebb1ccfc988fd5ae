"""The store and the builder, on parts of a few bytes: made once, made again on a change, whole or not at all."""

from __future__ import annotations

import io
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bootstrapper.adapters.layout import Layout
from bootstrapper.errors import MachineError
from hack.components import work as works
from hack.components.builder import Builder, assemble
from hack.components.parts import Part
from hack.components.progress import Progress
from hack.components.store import Store, mounted_below

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hack.components.work import Work

PLATFORM = "linux/amd64"


@pytest.fixture(autouse=True)
def _not_stopping() -> Iterator[None]:
    yield
    works._stopping.clear()


def writing(name: str, content: str, seen: list[str]) -> Callable[[Work], None]:
    def build(work: Work) -> None:
        seen.append(name)
        file = work.out / name
        file.write_text(content)
        work.layout.binary(file, version="v1", source="pkg:generic/x")

    return build


def two_parts(seen: list[str], version: str = "v1", content: str = "base") -> list[Part]:
    base = Part("base", writing("base", content, seen), inputs={"version": version})
    return [Part("top", writing("top", "top", seen), needs=("base",)), base]


def run(root: Path, parts: list[Part]) -> Builder:
    builder = Builder(Store(root), Progress(io.StringIO()), PLATFORM, parts)
    builder.run()
    return builder


def test_a_second_run_makes_nothing(tmp_path: Path) -> None:
    seen: list[str] = []
    run(tmp_path, two_parts(seen))
    run(tmp_path, two_parts(seen))
    assert seen == ["base", "top"]


def test_a_changed_input_is_told_and_stops_at_an_unchanged_result(tmp_path: Path) -> None:
    seen: list[str] = []
    run(tmp_path, two_parts(seen))
    later = Builder(Store(tmp_path), Progress(io.StringIO()), PLATFORM, two_parts(seen, "v2"))
    assert later.look() == {"base": "changed: version v1 -> v2", "top": "when base comes out changed"}
    later.run()
    assert seen == ["base", "top", "base"]
    run(tmp_path, two_parts(seen, "v3", "another base"))
    assert seen == ["base", "top", "base", "base", "top"]


def test_a_failure_publishes_nothing_and_the_next_run_goes_on(tmp_path: Path) -> None:
    seen: list[str] = []

    def fail(work: Work) -> None:
        work.run("sh", "-c", "echo half > half; echo the reason >&2; exit 7", cwd=work.out)

    base, top = two_parts(seen)[1], Part("top", fail, needs=("base",))
    with pytest.raises(MachineError, match=r"(?s)top: `sh .* ended with 7.*the reason"):
        run(tmp_path, [base, top])
    works._stopping.clear()
    store = Store(tmp_path)
    assert store.last("top") is None
    assert store.last("base") is not None
    run(tmp_path, two_parts(seen))
    assert seen == ["base", "top"]
    assert not (store.last("top") or pytest.fail("top isn't there")).folder.joinpath("half").exists()


def test_a_failure_ends_what_runs_beside_it(tmp_path: Path) -> None:
    started = threading.Event()

    def fail(work: Work) -> None:
        assert started.wait(30)
        raise MachineError("no")

    def long(work: Work) -> None:
        started.set()
        work.run("sleep", "600")

    parts = [Part("bad", fail), Part("long", long, lane="fetch")]
    with pytest.raises(MachineError, match=r"^no$"):
        run(tmp_path, parts)


KILLED = """
import io, sys
from pathlib import Path
from hack.components.builder import Builder
from hack.components.parts import Part
from hack.components.progress import Progress
from hack.components.store import Store

def build(work):
    (work.out / "half").write_text("half")
    work.run("sh", "-c", 'echo $$ > "$1"; exec sleep 600', "sh", sys.argv[2])

Builder(Store(Path(sys.argv[1])), Progress(io.StringIO()), "linux/amd64", [Part("base", build)]).run()
"""


def wait_for(found: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not found():
        assert time.monotonic() < deadline, "it didn't happen"
        time.sleep(0.02)


def test_a_killed_builder_leaves_no_command_and_no_half_part(tmp_path: Path) -> None:
    root, pid = tmp_path / "root", tmp_path / "pid"
    command = [sys.executable, "-c", KILLED, str(root), str(pid)]
    first = subprocess.Popen(command, cwd=Path(__file__).parents[2])
    wait_for(lambda: pid.is_file() and pid.read_text().strip() != "")
    first.kill()
    first.wait()
    command_line = Path("/proc") / pid.read_text().strip() / "cmdline"
    wait_for(lambda: not command_line.exists() or not command_line.read_bytes())
    store = Store(root)
    assert store.last("base") is None
    store.clean()
    seen: list[str] = []
    made = run(root, two_parts(seen)).made["base"]
    assert seen == ["base", "top"]
    assert not (made.folder / "half").exists()


def test_the_bundle_is_all_parts_and_is_written_once(tmp_path: Path) -> None:
    builder = run(tmp_path, two_parts([]))
    assert assemble(builder.made.values(), tmp_path / "bundle", PLATFORM)
    assert not assemble(builder.made.values(), tmp_path / "bundle", PLATFORM)
    layout = Layout.open(tmp_path / "bundle")
    assert [a.name for a in layout.artifacts] == ["base", "top"]
    layout.binary("top").unlink()
    assert assemble(builder.made.values(), tmp_path / "bundle", PLATFORM)
    assert layout.binary("top").read_text() == "top"


def test_pruning_keeps_the_current_one_and_the_one_before(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for version in ("v1", "v2", "v3"):
        builder = run(tmp_path, two_parts([], version, version))
        store.prune("base", builder.made["base"].folder)
    assert len(list((tmp_path / "store" / "base").iterdir())) == 2
    seen: list[str] = []
    run(tmp_path, two_parts(seen, "v2", "v2"))
    assert seen == []


def test_a_second_builder_waits_and_names_the_first(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from hack.components.store import Store\n"
        "with Store(Path(sys.argv[1])).locked(print): print('mine', flush=True); sys.stdin.read()"
    )
    first = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert first.stdout is not None
    assert first.stdout.readline() == "mine\n"

    def tell(text: str) -> None:
        said.append(text)
        first.kill()  # the lock goes with the process, however it ends

    said: list[str] = []
    with Store(tmp_path).locked(tell):
        pass
    first.communicate()
    assert len(said) == 1
    assert f"process {first.pid}" in said[0]


def test_mounts_below_a_folder_are_found_with_their_escapes() -> None:
    mounts = ["proc /proc proc rw 0 0", "proc /a/work\\040x/proc proc rw 0 0", "t /a/work t rw 0 0", "t /a/workers t"]
    assert mounted_below("/a/work", mounts) == ["/a/work"]
    assert mounted_below("/a/work x", mounts) == ["/a/work x/proc"]
