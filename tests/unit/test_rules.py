"""The rules of the house: who may import whom, and that help stays quick. Read from the source, not from a run."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
IO_LIBRARIES = {"kubernetes", "docker", "boto3", "subprocess", "tenacity", "urllib3", "requests", "socket"}
HEAVY = {"kubernetes", "docker", "boto3", "jsonschema", "rich", "cryptography", "requests", "urllib3"}


def modules(package: str) -> list[Path]:
    """Every module of a package, generated and linked data left out."""
    return sorted(p for p in (ROOT / package).rglob("*.py") if "_manifests" not in p.parts)


def imports(path: Path) -> set[str]:
    """The dotted names that a module imports anywhere in it, as written, type-checking blocks included."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def top(name: str) -> str:
    """`bootstrapper.adapters.kube` -> `bootstrapper`."""
    return name.split(".")[0]


@pytest.mark.parametrize("path", modules("pivot"), ids=lambda p: p.stem)
def test_pivot_imports_the_standard_library_and_itself(path: Path) -> None:
    foreign = {top(n) for n in imports(path)} - set(sys.stdlib_module_names) - {"pivot"}
    assert not foreign


@pytest.mark.parametrize("path", modules("pivot"), ids=lambda p: p.stem)
def test_pivot_does_no_io(path: Path) -> None:
    assert not {top(n) for n in imports(path)} & {"socket", "subprocess", "urllib", "http", "requests"}


@pytest.mark.parametrize(
    "path",
    [p for p in modules("bootstrapper") if "adapters" not in p.parts],
    ids=lambda p: str(p.relative_to(ROOT)),
)
def test_only_adapters_reach_the_outside(path: Path) -> None:
    assert not {top(n) for n in imports(path)} & IO_LIBRARIES


@pytest.mark.parametrize(
    "path",
    [p for p in modules("bootstrapper") if not {"adapters", "commands"} & set(p.parts)],
    ids=lambda p: str(p.relative_to(ROOT)),
)
def test_nothing_but_the_commands_knows_the_adapters(path: Path) -> None:
    assert not {n for n in imports(path) if n.startswith("bootstrapper.adapters")}


@pytest.mark.parametrize(
    "path",
    [p for p in modules("bootstrapper") if p.name != "kind.py"],
    ids=lambda p: str(p.relative_to(ROOT)),
)
def test_nothing_but_the_assembly_knows_the_kind_backend(path: Path) -> None:
    if path.name != "assemble.py":
        assert "bootstrapper.adapters.kind" not in imports(path)


def cycles(package: str) -> list[str]:
    """Import cycles between the modules of a package, imports inside functions included."""
    graph = {}
    for path in modules(package):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        graph[name] = imports(path)
    edges = {name: {n for n in used if n in graph and n != name} for name, used in graph.items()}
    found, done = [], set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        if name in trail:
            found.append(" -> ".join([*trail[trail.index(name) :], name]))
        elif name not in done:
            for other in sorted(edges[name]):
                visit(other, (*trail, name))
            done.add(name)

    for name in sorted(edges):
        visit(name, ())
    return found


@pytest.mark.parametrize("package", ["pivot", "bootstrapper"])
def test_no_import_cycle(package: str) -> None:
    assert cycles(package) == []


def test_help_imports_nothing_heavy() -> None:
    code = f"import sys, bootstrapper.cli; print(sorted(set(sys.modules) & {HEAVY!r}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
