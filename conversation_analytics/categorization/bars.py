"""Counts as bars: an SVG picture in itself, without scripts or fonts of its own."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final, NamedTuple

_NAME: Final = 40  # characters of a name
_LINE, _LEFT, _BARS, _RIGHT = 22, 300, 360, 90  # pixels


class Bar(NamedTuple):
    """A bar, or a heading above some.

    Attributes:
        name: what is counted.
        size: how many; null for a heading.
        colour: of the bar, as in CSS.
    """

    name: str
    size: int | None
    colour: str = ""


def drawn(bars: Sequence[Bar], title: str) -> str:
    """Bars below each other, all on one scale.

    Args:
        bars: from top to bottom.
        title: what the picture shows, for those who cannot see it.
    """
    width, height = _LEFT + _BARS + _RIGHT, _LINE * (len(bars) + 1)
    longest = max([bar.size or 0 for bar in bars] + [1])
    lines = [
        '<svg xmlns="http://www.w3.org/2000/svg" font-family="sans-serif" font-size="13"',
        f'width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]
    for n, (name, size, colour) in enumerate(bars):
        top, text = _LINE // 2 + n * _LINE, escape(_short(name))
        if size is None:
            style = 'font-weight="bold" text-anchor="end"'
            lines.append(f'<text x="{_LEFT}" y="{top + 15}" {style}>{text}</text>')
            continue
        length = round(_BARS * size / longest, 1)
        lines += [
            f'<text x="{_LEFT - 8}" y="{top + 15}" text-anchor="end">{text}</text>',
            f'<rect x="{_LEFT}" y="{top + 3}" width="{length}" height="16" fill="{colour}"/>',
            f'<text x="{_LEFT + length + 6}" y="{top + 15}">{size:,}</text>',
        ]
    return "\n".join([*lines, "</svg>", ""])


def _short(name: str) -> str:
    return name if len(name) <= _NAME else f"{name[: _NAME - 1]}…"
