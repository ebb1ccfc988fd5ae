"""The journal is evidence: whatever happened to it, what can be read is read and the rest is named by line."""

from __future__ import annotations

import pytest

from bootstrapper.journal import Entry, decode, encode, entry
from bootstrapper.step import Event


def an_entry(text: str = "no cluster yet", step: str = "bootstrap-cluster") -> Entry:
    return Entry("2026-01-02T03:04:05.678+00:00", "1a2b3c4d", step, "waiting", text, 1.25)


def test_an_event_becomes_a_line_and_comes_back() -> None:
    event = Event("bootstrap-cluster", "the bootstrap cluster runs", "waiting", "no cluster yet", 1.2512)
    made = entry("2026-01-02T03:04:05.678+00:00", "1a2b3c4d", event)
    assert made == an_entry()
    assert decode([encode(made)]) == ([made], [])


@pytest.mark.parametrize("text", ["two\nlines", "Grüße \u2028 \x85 \x1c", '"quoted"', ""])
def test_an_entry_is_one_line_whatever_it_says(text: str) -> None:
    line = encode(an_entry(text))
    assert line.count("\n") == 1
    assert line.endswith("\n")
    assert decode(line.split("\n")) == ([an_entry(text)], [])


def test_no_secret_is_kept() -> None:
    event = Event("control-plane", "", "waiting", "kubeadm join --token abcdef.0123456789abcdef failed", 0)
    assert "0123456789abcdef" not in encode(entry("", "", event))


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param('{"at": "2026-01-02', id="half an entry"),
        pytest.param("\x00\x00\x00", id="zeros, as a power cut leaves them"),
        pytest.param("[1, 2]", id="another shape"),
        pytest.param("5", id="a number"),
        pytest.param('{"at": "x", "colour": "red"}', id="unknown fields"),
    ],
)
def test_damaged_lines_are_named_and_spoil_no_other(damage: str) -> None:
    first, last = an_entry("first"), an_entry("last")
    assert decode([encode(first), damage, encode(last)]) == ([first, last], [2])


def test_an_empty_journal_is_no_damage() -> None:
    assert decode([]) == ([], [])
    assert decode([""]) == ([], [])
