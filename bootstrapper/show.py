"""Results as text for people: tables, trees, plans, findings. Each function returns the text; cli.py prints it."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bootstrapper.redact import redact

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType
    from rich.tree import Tree

    from bootstrapper.step import Step
    from bootstrapper.world import Finding

#: Columns of a text that goes to no terminal: nothing is cut off there.
UNBOUND = 10_000


@dataclass(frozen=True)
class Node:
    """A line of a tree. `ok`: True is so, False isn't, None can't be told or needn't be; `text` says why."""

    title: str
    ok: bool | None = None
    text: str = ""
    children: tuple[Node, ...] = ()


def table(headers: Sequence[str], rows: Sequence[Sequence[str]], *, color: bool = False) -> str:
    """Columns as wide as their widest cell, headers in capitals as kubectl has them."""
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for header in headers:
        grid.add_column(Text(header.upper(), style="bold"), no_wrap=True)
    for row in rows:
        grid.add_row(*(Text(redact(cell)) for cell in row))
    return _text(grid, color)


def tree(root: Node, *, color: bool = False) -> str:
    """What is and isn't ready, and why."""
    return _text(_branch(root), color)


def plan(gaps: Sequence[tuple[Step, str | None]]) -> str:
    """What a run would do now: each step with its gap, or that nothing is to be done."""
    lines = []
    for step, gap in gaps:
        lines.append(f"  {'to do' if gap else 'so':<6} {step.title}" + (f": {redact(gap)}" if gap else ""))
    count = sum(1 for _, gap in gaps if gap)
    lines.append(f"{count} of {len(gaps)} steps are to be done" if count else "nothing is to be done")
    return "\n".join(lines)


def findings(found: Sequence[Finding]) -> str:
    """Every finding with its remedy, the ones that block first."""
    if not found:
        return "no findings: this machine is fit"
    lines = []
    for finding in sorted(found, key=lambda f: not f.blocks):
        word = "blocks" if finding.blocks else "note"
        lines += [f"  {word:<7} {finding.subject}: {redact(finding.text)}", f"          -> {finding.remedy}"]
    return "\n".join(lines)


def _branch(node: Node) -> Tree:
    from rich.text import Text
    from rich.tree import Tree

    mark, style = {True: ("ready", "green"), False: ("waits", "bold yellow"), None: ("", "")}[node.ok]
    label = Text(node.title)
    if mark:
        label.append(f"  {mark}", style=style)
    if node.text:
        label.append(f"  {redact(node.text)}")
    branch = Tree(label, guide_style="dim")
    branch.children = [_branch(child) for child in node.children]
    return branch


def _text(renderable: RenderableType, color: bool) -> str:
    from rich.console import Console

    out = io.StringIO()
    console = Console(file=out, width=UNBOUND, force_terminal=color, no_color=not color, highlight=False)
    console.print(renderable, soft_wrap=True)
    return "\n".join(text.rstrip() for text in out.getvalue().rstrip("\n").split("\n"))
