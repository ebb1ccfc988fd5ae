"""`${VAR}` in templates, as clusterctl replaces it before the text is read as YAML. Pure.

clusterctl v1.14 (`cmd/clusterctl/client/yamlprocessor`) uses github.com/drone/envsubst v2, which is not a shell:

| written | becomes |
| --- | --- |
| `${VAR}`, `${ VAR }` | the value; a variable without one is an error |
| `${VAR:=word}` `${VAR=word}` `${VAR:-word}` | the value; the word when it is absent or empty (it may hold `${...}`) |
| `${VAR^}` `${VAR^^}` `${VAR,}` `${VAR,,}` `${#VAR}` | upper and lower case, length |
| `${VAR:1}` `${VAR:1:3}` `${VAR#text}` `${VAR%text}` | a part; the start or end removed |
| `${VAR/a/b}` `${VAR//a/b}` `${VAR/#a/b}` `${VAR/%a/b}` | a replacement |
| `$$` | `$`, so `$${VAR}` leaves `${VAR}` to a script on the machine |
| `$VAR`, `$(command)`, a lone `$` | stays as it is |

Stricter than clusterctl where it would write a wrong value in silence: `${VAR:?word}` and `${VAR:+word}`, which it
takes for `:-`; a variable without a value inside a word, or at a second place that has no word of its own; a pattern
(`*`, `?`, `[`) after `#` and `%`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from bootstrapper.errors import TemplateError

_KEEP = "write $${...} for what a script on the machine is to see as ${...}"


@dataclass(frozen=True)
class _Use:
    """One `${...}`: `function` is what follows the name ("", ":=", "^^", ...), `args` its texts."""

    name: str
    function: str
    args: tuple[str, ...]
    word: tuple[_Node, ...]
    line: int


_Node = str | _Use


def substitute(text: str, variables: Mapping[str, str], source: str) -> str:
    """The text with every `${...}` replaced; `source` names it in messages.

    Values go in as they are: one with a line break or a `#` changes what YAML sees, as with clusterctl. Raises
    TemplateError for all variables without a value at once, or for the first `${...}` that isn't understood.
    """
    missing: dict[str, list[int]] = {}
    result = "".join(_evaluate(node, variables, missing) for node in _Parser(text, source).nodes())
    if missing:
        raise _missing_error(missing, source)
    return result


def names(text: str, source: str) -> set[str]:
    """Every variable that the text names, needed or not. Raises TemplateError as substitute does."""
    return set(_names(_Parser(text, source).nodes()))


def _names(nodes: tuple[_Node, ...]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, _Use):
            yield node.name
            yield from _names(node.word)


def _evaluate(node: _Node, variables: Mapping[str, str], missing: dict[str, list[int]]) -> str:
    if isinstance(node, str):
        return node
    value = variables.get(node.name)
    if node.function in _DEFAULTS and node.word:
        return value or "".join(_evaluate(part, variables, missing) for part in node.word)
    if value is None:
        missing.setdefault(node.name, []).append(node.line)
        return ""
    return _FUNCTIONS[node.function](value, *node.args)


def _missing_error(missing: Mapping[str, list[int]], source: str) -> TemplateError:
    hint = "give each a value under spec.variables, in the environment, or a default as ${VAR:=default}"
    first = min(line for lines in missing.values() for line in lines)
    if len(missing) == 1:
        return TemplateError(f"{source}:{first}: variable {next(iter(missing))} has no value", "", hint)
    listed = ", ".join(f"{name} (line {', '.join(map(str, missing[name]))})" for name in sorted(missing))
    return TemplateError(f"{source}:{first}: {len(missing)} variables have no value", listed, hint)


# parsing


_DEFAULTS = (":=", ":-", "=")
_OPENING = re.compile(r"\$\$|\$\{")
_NAME = re.compile(r"\s*(\w+)")
_END = re.compile(r"\s*\}")
_DEFAULT = re.compile(r":=|:-|=")
_WORD = re.compile(r"\$\{|[^}]")
#: Functions whose arguments are plain text, each to its closing brace.
_PLAIN = (
    re.compile(r"(,,|,|\^\^|\^)\}"),
    re.compile(r"(:)(-?\d+)\}"),
    re.compile(r"(:)(-?\d+):(\d+)\}"),
    re.compile(r"(##|#|%%|%)([^}*?\[\\$]+)\}"),
    re.compile(r"(//|/#|/%|/)([^/}\\$]+)/([^}\\$]*)\}"),
)
_LENGTH = re.compile(r"#(\w+)\}")


class _Parser:
    """Reads the text from front to back; `_at` is the next character."""

    def __init__(self, text: str, source: str) -> None:
        self._text, self._source, self._at = text, source, 0

    def nodes(self) -> tuple[_Node, ...]:
        found: list[_Node] = []
        while opening := _OPENING.search(self._text, self._at):
            found.append(self._text[self._at : opening.start()])
            self._at = opening.end()
            found.append("$" if opening[0] == "$$" else self._use())
        return (*found, self._text[self._at :])

    def _use(self) -> _Use:
        """What follows an opening `${`."""
        start = self._at - 2
        line = self._text.count("\n", 0, start) + 1
        if length := self._take(_LENGTH):
            return _Use(length[1], "length", (), (), line)
        name = self._take(_NAME)
        if not name:
            raise self._error(start, line)
        if self._take(_END):
            return _Use(name[1], "", (), (), line)
        if default := self._take(_DEFAULT):
            return _Use(name[1], default[0], (), self._word(start, line), line)
        plain = next(filter(None, map(self._take, _PLAIN)), None)
        if not plain:
            raise self._error(start, line)
        return _Use(name[1], plain[1], tuple(plain.groups()[1:]), (), line)

    def _word(self, start: int, line: int) -> tuple[_Node, ...]:
        """A default: text and `${...}` up to the closing brace. `$$` has no meaning in it."""
        found: list[_Node] = []
        while part := self._take(_WORD):
            found.append(self._use() if part[0] == "${" else part[0])
        if not self._text.startswith("}", self._at):
            raise self._error(start, line)
        self._at += 1
        return tuple(found)

    def _take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        match = pattern.match(self._text, self._at)
        if match:
            self._at = match.end()
        return match

    def _error(self, start: int, line: int) -> TemplateError:
        shown = self._text[start : start + 40].splitlines()[0]
        if not shown.endswith("}"):
            shown = shown.partition("}")[0] + ("}" if "}" in shown else "")
        what = f"{self._source}:{line}: {shown} isn't understood"
        return TemplateError(what, "clusterctl's variables are ${VAR}, ${VAR:=default} and a few more", _KEEP)


# functions


def _part(value: str, start: str, length: str = "") -> str:
    """Counts from the end when start is negative."""
    first = int(start) if int(start) >= 0 else max(0, len(value) + int(start))
    return value[first : first + int(length)] if length else value[first:]


def _replace_start(value: str, old: str, new: str) -> str:
    return new + value.removeprefix(old) if value.startswith(old) else value


def _replace_end(value: str, old: str, new: str) -> str:
    return value.removesuffix(old) + new if value.endswith(old) else value


_FUNCTIONS: Mapping[str, Callable[..., str]] = {
    "": lambda value: value,
    **dict.fromkeys(_DEFAULTS, lambda value: value),
    "length": lambda value: str(len(value.encode())),
    "^": lambda value: value[:1].upper() + value[1:],
    "^^": str.upper,
    ",": lambda value: value[:1].lower() + value[1:],
    ",,": str.lower,
    ":": _part,
    "#": str.removeprefix,
    "##": str.removeprefix,
    "%": str.removesuffix,
    "%%": str.removesuffix,
    "/": lambda value, old, new: value.replace(old, new, 1),
    "//": str.replace,
    "/#": _replace_start,
    "/%": _replace_end,
}
