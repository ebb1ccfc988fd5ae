"""YAML files as plain data that still knows its lines, read the way Kubernetes reads them.

Two of YAML 1.1's habits would change what an operator wrote before an API server sees it, so they are off:
`2026-01-31` stays text (no date) and `8080:59` stays text (no base-60 number). A key given twice, which
YAML libraries accept in silence, is reported.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import yaml

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Where a value is: ("spec", "workers", 0, "name").
Where = tuple[str | int, ...]


class UnreadableError(ValueError):
    """The text isn't YAML: `line` counts from 1."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(problem)
        self.line = line


@dataclass(frozen=True)
class Document:
    """One YAML document.

    data      dict, list, str, int, float, bool or None
    lines     line of each key and list item, counted from 1; () is the document's first line
    repeated  keys that stand twice in one mapping, each with the line of the second; the first one counts
    """

    data: Any
    lines: Mapping[Where, int]
    repeated: tuple[tuple[Where, int], ...]

    def line(self, where: Where) -> int:
        """The line of this value, or of the nearest mapping around it that was written down."""
        while where not in self.lines:
            where = where[:-1]
        return self.lines[where]


class _Loader(yaml.SafeLoader):
    """SafeLoader without dates and base-60 numbers."""


_INT = "tag:yaml.org,2002:int"
_FLOAT = "tag:yaml.org,2002:float"
_LEFT_OUT = ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:value", _INT, _FLOAT)
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in rules if tag not in _LEFT_OUT]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_NUMBER_STARTS = list("-+.0123456789")
_RESOLVERS = (
    (_FLOAT, r"^[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?$"),
    (_INT, r"^[-+]?(?:0b[01]+|0x[0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)$"),
)
for _tag, _pattern in _RESOLVERS:
    _Loader.add_implicit_resolver(_tag, re.compile(_pattern), _NUMBER_STARTS)


def read(text: str) -> list[Document]:
    """Every document in the text; an empty one has `data` None. Raises UnreadableError."""
    found = []
    try:
        loader = _Loader(text)
        while loader.check_node():
            found.append(_Reader(loader).read(cast("yaml.Node", loader.get_node())))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise UnreadableError(mark.line + 1 if mark else 1, _problem(error)) from error
    except yaml.YAMLError as error:
        raise UnreadableError(1, str(error).splitlines()[0]) from error
    return found


def _problem(error: yaml.MarkedYAMLError) -> str:
    """PyYAML's words, except where they hide the most frequent slip."""
    problem = error.problem or "not YAML"
    if "'\\t'" in problem:
        return "a tab where YAML wants spaces"
    return f"{problem} ({error.context})" if error.context else problem


_Pair = tuple[yaml.Node, yaml.Node]
_MERGE = "tag:yaml.org,2002:merge"


class _Reader:
    """Turns one node tree into data and remembers the lines on the way."""

    def __init__(self, loader: _Loader) -> None:
        self._loader = loader
        self._lines: dict[Where, int] = {}
        self._repeated: list[tuple[Where, int]] = []
        self._open: list[yaml.Node] = []

    def read(self, node: yaml.Node) -> Document:
        self._lines[()] = node.start_mark.line + 1
        return Document(self._value(node, ()), self._lines, tuple(self._repeated))

    def _value(self, node: yaml.Node, where: Where) -> Any:
        if isinstance(node, yaml.ScalarNode):
            return self._loader.construct_object(node)
        if any(node is outer for outer in self._open):
            raise UnreadableError(node.start_mark.line + 1, "an alias that contains itself")
        self._open.append(node)
        data = self._list(node, where) if isinstance(node, yaml.SequenceNode) else self._dict(node, where)
        self._open.pop()
        return data

    def _list(self, node: yaml.SequenceNode, where: Where) -> list[Any]:
        for number, item in enumerate(node.value):
            self._lines[(*where, number)] = item.start_mark.line + 1
        return [self._value(item, (*where, number)) for number, item in enumerate(node.value)]

    def _dict(self, node: yaml.Node, where: Where) -> dict[str, Any]:
        data: dict[str, Any] = {}
        own, merged = self._pairs(node)
        for key_node, value in own:
            name, line = _key(key_node)
            if name in data:
                self._repeated.append(((*where, name), line))
            else:
                self._add(data, (*where, name), line, value)
        for key_node, value in merged:
            name, line = _key(key_node)
            if name not in data:
                self._add(data, (*where, name), line, value)
        return data

    def _add(self, data: dict[str, Any], where: Where, line: int, value: yaml.Node) -> None:
        self._lines[where] = line
        data[str(where[-1])] = self._value(value, where)

    def _pairs(self, node: yaml.Node) -> tuple[list[_Pair], list[_Pair]]:
        """The mapping's own pairs, and those that a merge key (`<<`) brings, the stronger ones first."""
        own = [pair for pair in node.value if pair[0].tag != _MERGE]
        if len(own) == len(node.value):
            return own, []
        self._loader.flatten_mapping(cast("yaml.MappingNode", node))
        return own, node.value[: len(node.value) - len(own)][::-1]


def _key(node: yaml.Node) -> tuple[str, int]:
    line = node.start_mark.line + 1
    if not isinstance(node, yaml.ScalarNode):
        raise UnreadableError(line, "a key that is a list or a mapping")
    return str(node.value), line
