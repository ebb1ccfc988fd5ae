"""Keys of parts: what changes them, what doesn't, and how a change is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hack.components.parts import Part, digest_of, key_of, own_inputs, why, with_needs

if TYPE_CHECKING:
    from pathlib import Path

    from hack.components.work import Work


def nothing(work: Work) -> None:
    raise AssertionError("not to be built here")


def a_part(source: Path, **changes: str) -> Part:
    return Part("go/x", nothing, inputs={"version": "v1", **changes}, sources=(source,), needs=("base",))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.py"
    path.write_text("one")
    return path


def key(part: Part, base: str = "b1") -> str:
    return key_of(part, with_needs(part, own_inputs(part), {"base": base}))


def test_the_same_inputs_give_the_same_key(source: Path) -> None:
    before = key(a_part(source))
    source.touch()
    assert key(a_part(source)) == before


@pytest.mark.parametrize("change", ["version", "more", "source", "mode", "need", "name"])
def test_every_kind_of_input_changes_the_key(source: Path, change: str) -> None:
    before = key(a_part(source))
    part, base = a_part(source), "b1"
    match change:
        case "version":
            part = a_part(source, version="v2")
        case "more":
            part = a_part(source, flags="-s")
        case "source":
            source.write_text("two")
        case "mode":
            source.chmod(0o755)
        case "need":
            base = "b2"
        case "name":
            part = Part("go/y", nothing, inputs=part.inputs, sources=part.sources, needs=part.needs)
    assert key(part, base) != before


def test_a_folder_is_its_files_and_their_paths(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "a").write_text("a")
    before = digest_of(folder)
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "a.pyc").write_text("x")
    assert digest_of(folder) == before
    (folder / "sub" / "a").rename(folder / "sub" / "b")
    assert digest_of(folder) != before


def test_why_names_short_values_and_hides_digests() -> None:
    old = {"version": "v1", "file x.py": "a" * 64, "same": "s"}
    new = {"version": "v2", "file x.py": "b" * 64, "same": "s"}
    assert why(old, new) == "changed: file x.py, version v1 -> v2"
    assert why(None, new) == "missing"
    assert why(new, new) == "was removed"
    assert why({}, {"flags": "-s"}) == "changed: flags"
