"""A chart of horizontal bars as SVG text, for pages that show it without a program.

Belongs here: drawing. Does not: what is drawn.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

__all__ = ["chart"]

_LEFT, _WIDTH, _ROW, _TOP = 260, 760, 44, 40
_COLOURS = ("#1f6feb", "#8b949e")


def chart(title: str, bars: Mapping[str, tuple[float, float]]) -> str:
    """Two bars for each name: seconds, and CPU seconds."""
    longest = max(max(values) for values in bars.values())
    parts = [f'<text x="8" y="22" font-weight="bold">{escape(title)}</text>']
    for row, (name, values) in enumerate(bars.items()):
        y = _TOP + row * _ROW
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 22}" text-anchor="end">{escape(name)}</text>')
        for place, (value, colour) in enumerate(zip(values, _COLOURS, strict=True)):
            width = (_WIDTH - _LEFT - 70) * value / longest
            top = y + 4 + place * 16
            parts.append(f'<rect x="{_LEFT}" y="{top}" width="{width:.1f}" height="13" fill="{colour}"/>')
            parts.append(f'<text x="{_LEFT + width + 6:.1f}" y="{top + 11}" font-size="11">{value:,.1f}</text>')
    height = _TOP + len(bars) * _ROW + 8
    body = "\n  ".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" font-family="sans-serif" '
        f'font-size="13">\n  <rect width="{_WIDTH}" height="{height}" fill="white"/>\n  {body}\n</svg>\n'
    )
