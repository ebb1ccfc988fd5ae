"""Seconds by objects as a small SVG, both axes logarithmic: what grows in proportion is a straight line. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from hack.bench.pivots.results import LATER, OURS, PEER, Row, Side

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 640, 400, 60, 20, 20, 50
COLORS: Mapping[Side, str] = {OURS: "#0b6e4f", LATER: "#6fb98f", PEER: "#c44536"}


def svg(table: Sequence[Row]) -> str:
    """The picture of all rows of ours and the peer; at least one is needed."""
    drawn = [row for row in table if row.side in COLORS]
    x = _Axis([row.objects for row in drawn], LEFT, WIDTH - RIGHT)
    y = _Axis([row.seconds for row in drawn], HEIGHT - BOTTOM, TOP)
    size = f'width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        *_grid(x, y),
        *(line for place, side in enumerate(COLORS) for line in _series(side, place, drawn, x, y)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


class _Axis:
    """Maps values to pixels, from a power of ten to a power of ten."""

    def __init__(self, values: Iterable[float], begin: float, end: float) -> None:
        logs = [math.log10(value) for value in values]
        self.low = math.floor(min(logs))
        self.high = max(math.ceil(max(logs)), self.low + 1)
        self._begin, self._step = begin, (end - begin) / (self.high - self.low)

    def at(self, value: float) -> float:
        """The pixel of a value."""
        return round(self._begin + (math.log10(value) - self.low) * self._step, 1)

    def ticks(self) -> list[float]:
        """Powers of ten."""
        return [10.0**power for power in range(self.low, self.high + 1)]


def _grid(x: _Axis, y: _Axis) -> Iterable[str]:
    for tick in x.ticks():
        at = x.at(tick)
        yield f'<path d="M{at} {TOP}V{HEIGHT - BOTTOM}" stroke="#ddd"/>'
        yield f'<text x="{at}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{tick:,.0f}</text>'
    for tick in y.ticks():
        at = y.at(tick)
        yield f'<path d="M{LEFT} {at}H{WIDTH - RIGHT}" stroke="#ddd"/>'
        yield f'<text x="{LEFT - 8}" y="{at + 4}" text-anchor="end">{tick:,g} s</text>'
    yield f'<text x="{(LEFT + WIDTH) / 2}" y="{HEIGHT - 12}" text-anchor="middle">objects</text>'


def _series(side: Side, place: int, table: Iterable[Row], x: _Axis, y: _Axis) -> Iterable[str]:
    points = [(x.at(row.objects), y.at(row.seconds)) for row in table if row.side == side]
    if not points:
        return
    color = COLORS[side]
    path = "L".join(f"{a} {b}" for a, b in points)
    yield f'<path d="M{path}" fill="none" stroke="{color}" stroke-width="2"/>'
    yield from (f'<circle cx="{a}" cy="{b}" r="3.5" fill="{color}"/>' for a, b in points)
    yield f'<text x="{LEFT + 12}" y="{TOP + 18 + 18 * place}" fill="{color}" font-weight="bold">{side}</text>'
