"""Drawings of the catalog as SVG for a page: tables with arrows between them, and months as bars.

Belongs here: where each box stands, and the SVG. Does not: which tables and arrows there are (``site``).

A drawing has the colours of its page by CSS classes, and its boxes are links, so it can be read and walked by keyboard.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

__all__ = ["Box", "bars", "graph"]

_CHARACTER, _PADDING = 7.3, 22
"""Pixels of a character in 12 px of a fixed-width font, and beside a name."""
_HEIGHT, _GAP, _BETWEEN = 30, 12, 46
_WAY = 6
"""Height of the place that an arrow has in a column which it passes."""
_SWEEPS = 8


@dataclass(frozen=True)
class Box:
    """A table in a drawing."""

    name: str
    link: str | None
    group: str
    """The CSS class that says what kind of table it is."""


@dataclass(frozen=True)
class _Slot:
    """Where a box stands, or where an arrow passes a column, in pixels."""

    left: float
    top: float
    width: float
    height: float

    @property
    def middle(self) -> float:
        return self.top + self.height / 2


def graph(boxes: Sequence[Box], arrows: Iterable[tuple[str, str]], label: str) -> str:
    """Boxes in columns from left to right, each to the right of all that it is made from.

    Args:
        boxes: every box, in the order in which those of a column stand where nothing else decides.
        arrows: names of boxes, from and to; without circles.
        label: the drawing's name for those who cannot see it.
    """
    known = {box.name: box for box in boxes}
    drawn = [(start, end) for start, end in arrows if start in known and end in known]
    columns, ways = _routed(_columns(boxes, drawn), drawn)
    steps = [step for way in ways for step in pairwise(way)]
    columns = _ordered(columns, steps)
    widths = [max(len(name) for name in column if name in known) * _CHARACTER + _PADDING for column in columns]
    left = [sum(widths[:place]) + place * _BETWEEN for place in range(len(columns))]
    heights = {name: _HEIGHT if name in known else _WAY for column in columns for name in column}
    tall = [sum(heights[name] + _GAP for name in column) - _GAP for column in columns]
    slots = {
        name: _Slot(left[place], top, widths[place], heights[name])
        for place, column in enumerate(columns)
        for name, top in zip(column, _tops(column, heights, (max(tall) - tall[place]) / 2), strict=True)
    }
    lines = [_arrow(way, slots) for way in ways]
    rectangles = [_box(known[name], slots[name]) for column in columns for name in column if name in known]
    width, height = left[-1] + widths[-1] + 2, max(tall) + 2
    return (
        f'<svg class="graph" role="group" aria-label="{escape(label)}" viewBox="-1 -1 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}">{"".join(lines)}{"".join(rectangles)}</svg>'
    )


def bars(values: Sequence[tuple[str, int]]) -> str:
    """A bar for each month, without axes: the numbers stand beside it in a table."""
    most = max((value for _, value in values), default=0)
    if not most:
        return ""
    rectangles = "".join(
        f'<rect x="{place * 10}" y="{60 - (tall := max(1.0, 60 * value / most)):.1f}" width="8" height="{tall:.1f}">'
        f"<title>{escape(label)}: {value:,}</title></rect>"
        for place, (label, value) in enumerate(values)
    )
    width = max(120, len(values) * 10)
    return (
        f'<svg class="bars" aria-hidden="true" viewBox="0 0 {width} 60" preserveAspectRatio="none">{rectangles}</svg>'
    )


def _columns(boxes: Sequence[Box], arrows: Sequence[tuple[str, str]]) -> list[list[str]]:
    """Names by column: as far left as what they are made from allows, and what is made from nothing beside its use."""
    before, after = _neighbours(arrows)
    depths: dict[str, int] = {}

    def depth(name: str) -> int:
        if name not in depths:
            depths[name] = max((depth(start) + 1 for start in before[name]), default=0)
        return depths[name]

    for box in boxes:
        depth(box.name)
    for box in boxes:
        if not before[box.name] and after[box.name]:
            depths[box.name] = min(depths[end] for end in after[box.name]) - 1
    columns: list[list[str]] = [[] for _ in range(max(depths.values(), default=0) + 1)]
    for box in boxes:
        columns[depths[box.name]].append(box.name)
    return [column for column in columns if column]


def _routed(
    columns: Sequence[Sequence[str]], arrows: Sequence[tuple[str, str]]
) -> tuple[list[list[str]], list[tuple[str, ...]]]:
    """The columns with a place for each arrow that passes them, and each arrow's way from box to box."""
    routed = [list(column) for column in columns]
    depths = {name: depth for depth, column in enumerate(columns) for name in column}
    ways = []
    for start, end in arrows:
        passed = range(depths[start] + 1, depths[end])
        for depth in passed:
            routed[depth].append(f"{start}>{end}>{depth}")
        ways.append((start, *(f"{start}>{end}>{depth}" for depth in passed), end))
    return routed, ways


def _ordered(columns: list[list[str]], arrows: Sequence[tuple[str, str]]) -> list[list[str]]:
    """The same, each column sorted by where its neighbours stand, to and fro, so that fewer arrows cross."""
    before, after = _neighbours(arrows)
    for sweep in range(_SWEEPS):
        beside = before if sweep % 2 == 0 else after
        places = {name: row / max(1, len(column) - 1) for column in columns for row, name in enumerate(column)}
        for column in columns if sweep % 2 == 0 else reversed(columns):
            column.sort(key=lambda name: _mean([places[other] for other in beside[name]], places[name]))
            places.update({name: row / max(1, len(column) - 1) for row, name in enumerate(column)})
    return columns


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _neighbours(arrows: Sequence[tuple[str, str]]) -> tuple[Mapping[str, list[str]], Mapping[str, list[str]]]:
    before: dict[str, list[str]] = defaultdict(list)
    after: dict[str, list[str]] = defaultdict(list)
    for start, end in arrows:
        before[end].append(start)
        after[start].append(end)
    return before, after


def _tops(column: Sequence[str], heights: Mapping[str, float], first: float) -> Iterator[float]:
    for name in column:
        yield first
        first += heights[name] + _GAP


def _arrow(way: Sequence[str], slots: Mapping[str, _Slot]) -> str:
    start, end = slots[way[0]], slots[way[-1]]
    x, y = start.left + start.width, start.middle
    path = [f"M{x:.0f} {y:.0f}"]
    for name in way[1:]:
        slot = slots[name]
        bend = (slot.left - x) / 2
        path.append(
            f"C{x + bend:.0f} {y:.0f} {slot.left - bend:.0f} {slot.middle:.0f} {slot.left:.0f} {slot.middle:.0f}"
        )
        x, y = slot.left + slot.width, slot.middle
        if slot is not end:
            path.append(f"H{x:.0f}")
    named = f'data-from="{escape(way[0])}" data-to="{escape(way[-1])}"'
    return f'<path class="arrow" {named} d="{"".join(path)}"/>'


def _box(box: Box, slot: _Slot) -> str:
    x, y = slot.left, slot.top
    inside = (
        f'<rect class="box-of" x="{x:.0f}" y="{y:.0f}" width="{slot.width:.0f}" height="{_HEIGHT}" rx="5"/>'
        f'<rect class="mark {box.group}" x="{x:.0f}" y="{y:.0f}" width="5" height="{_HEIGHT}" rx="2"/>'
        f'<text x="{x + 13:.0f}" y="{y + _HEIGHT / 2 + 4:.0f}">{escape(box.name)}</text>'
    )
    named = f'data-name="{escape(box.name)}"'
    return f'<a href="{escape(box.link)}" {named}>{inside}</a>' if box.link else f"<g {named}>{inside}</g>"
