#!/usr/bin/env python3
"""An OCI runtime that asks runc for everything but CAP_SYS_RESOURCE.

`docker run --privileged` asks for every capability. A machine whose own bounding set lacks CAP_SYS_RESOURCE can't
give it, and runc refuses: "unable to apply caps". Before runc reads it, the capability is taken out of the container's
`config.json` (in the folder `--bundle` names) and out of the file that `exec --process` names (OCI runtime-spec,
config.json, "process.capabilities").
"""

import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

CAPABILITY = "CAP_SYS_RESOURCE"


def specifications(argv: Sequence[str]) -> Iterator[Path]:
    """The JSON files with capabilities that this command line of runc (without its name) refers to."""
    for flags, inside in ((("--bundle", "-b"), "config.json"), (("--process", "-p"), "")):
        for i, word in enumerate(argv):
            name, equals, value = word.partition("=")
            if name in flags and (equals or i + 1 < len(argv)):
                yield Path(value if equals else argv[i + 1], inside)


def without(specification: dict[str, Any]) -> dict[str, Any]:
    """A container's (`process` below the top) or an exec's (process at the top) specification, less the capability."""
    process = specification.get("process", specification)
    sets = process.get("capabilities") or {}
    for name, capabilities in sets.items():
        sets[name] = [c for c in capabilities or [] if c != CAPABILITY]
    return specification


def main() -> None:
    if {"create", "run", "exec"} & set(sys.argv[1:]):
        for path in specifications(sys.argv[1:]):
            if path.is_file():
                path.write_text(json.dumps(without(json.loads(path.read_text()))))
    os.execvp("runc", ["runc", *sys.argv[1:]])


if __name__ == "__main__":
    main()
