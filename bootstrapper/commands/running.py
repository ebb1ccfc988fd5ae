"""What all commands share: a run with its progress, a result on stdout, a question."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence

import click

from bootstrapper import ui
from bootstrapper.adapters.clock import SystemClock
from bootstrapper.errors import Declined
from bootstrapper.settings import Settings
from bootstrapper.step import Event, Item, Runner


def run(settings: Settings, items: Sequence[Item], *note: Callable[[Event], None]) -> None:
    """Close every gap, with progress on stderr (JSON lines on stdout); `note` gets each event as well."""
    with ui.progress(as_json=settings.as_json, no_color=settings.no_color, verbose=settings.verbose) as progress:

        def report(event: Event) -> None:
            for listener in note:
                listener(event)
            progress.report(event)

        try:
            Runner(SystemClock(), report, settings.stall).run(items)
        except KeyboardInterrupt:
            progress.interrupted(" ".join(["bootstrapper", *sys.argv[1:]]))
            raise


def result(settings: Settings, document: object, text: str) -> None:
    """A result on stdout: the JSON document with --json, else the text."""
    click.echo(json.dumps(document, ensure_ascii=False, sort_keys=True) if settings.as_json else text)


def confirm(question: str, yes: bool) -> None:
    """Ask before something is destroyed.

    Raises:
        Declined: the answer is no, or there is nobody to ask and `yes` isn't set.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise Declined(f"{question} Nobody is there to answer", "", "Say --yes if you mean it.")
    if not click.confirm(question, err=True):
        raise Declined("nothing was done", "you said no")
