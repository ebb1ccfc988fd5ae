"""The command line of the components builder; see README.md beside it."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from bootstrapper.errors import BootstrapperError, RequestError
from hack.components import debian, go_parts, recipes
from hack.components.builder import Builder, assemble
from hack.components.progress import Progress
from hack.components.schedule import closure
from hack.components.store import Store

INTERRUPTED = 130


def main(argv: list[str]) -> int:
    """Returns the exit code; what went wrong is said on stderr."""
    progress = Progress()
    try:
        return _run(_arguments(argv), progress)
    except BootstrapperError as e:
        progress.line(f"error: {e}")
        if e.hint:
            progress.line(f"next: {e.hint}")
        return e.exit_code
    except KeyboardInterrupt:
        progress.line("interrupted; the same command goes on with the parts that are still to be made")
        return INTERRUPTED


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="hack/components/build",
        description="Makes every part of a bootstrap from Go modules and Debian packages: an OCI image layout. "
        "Stdout: its path.",
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="where the layout goes (default: bundle/ in the store)")
    parser.add_argument("--only", metavar="PART", help="make this part and what it needs; stdout: the part's folder")
    parser.add_argument("--list", action="store_true", help="say of each part whether it is there; make nothing")
    parser.add_argument("--tidy", action="store_true", help="write go.mod files that differ from versions.yaml anew")
    return parser.parse_args(argv)


def _run(arguments: argparse.Namespace, progress: Progress) -> int:
    if arguments.tidy:
        go_parts.tidy(recipes.versions())
        return 0
    if not arguments.list:
        debian.ensure({"gcc": ["gcc", "libc6-dev"]}, progress.line)
    parts = recipes.parts()
    if arguments.only:
        if arguments.only not in {p.name for p in parts}:
            raise RequestError(f"no part {arguments.only}", f"there are {', '.join(p.name for p in parts)}")
        parts = closure(parts, arguments.only)
    store = Store(_home())
    builder = Builder(store, progress, go_parts.platform(), parts)
    if arguments.list:
        return _list(builder)
    with store.locked(progress.line):
        store.clean()
        builder.run()
        print(_finish(builder, arguments, progress))
    return 0


def _finish(builder: Builder, arguments: argparse.Namespace, progress: Progress) -> Path:
    if arguments.only:
        return builder.made[arguments.only].folder
    bundle = (arguments.out or builder.store.bundle).absolute()
    if assemble(builder.made.values(), bundle, builder.platform):
        progress.line(f"the bundle is in {bundle}")
    for name, made in builder.made.items():
        builder.store.prune(name, made.folder)
    return bundle


def _list(builder: Builder) -> int:
    todo = builder.look()
    for part in builder.parts:
        print(f"{part.name:24} {todo.get(part.name) or 'there: ' + str(builder.made[part.name].folder)}")
    return 0


def _home() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("BOOTSTRAPPER_COMPONENTS") or Path(cache) / "bootstrapper" / "components").absolute()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
