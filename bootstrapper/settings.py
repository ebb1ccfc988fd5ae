"""What the options that every command has say."""

from __future__ import annotations

from dataclasses import dataclass

#: Seconds without any change after which a wait ends.
STALL = 600


@dataclass(frozen=True)
class Settings:
    """`no_color` only adds to what the terminal and NO_COLOR say. `stall` in seconds."""

    as_json: bool = False
    no_color: bool = False
    verbose: bool = False
    stall: float = STALL
