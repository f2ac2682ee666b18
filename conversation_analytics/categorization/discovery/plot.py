"""Found topics as bars: an SVG picture in itself, without scripts or fonts of its own."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final

from conversation_analytics.categorization.discovery.discover import Discovery

_MOST: Final = 30  # bars
_NAME: Final = 40  # characters of a name
_LINE, _LEFT, _BARS, _RIGHT = 22, 300, 360, 90  # pixels
_TOPIC, _OTHER = "#4c78a8", "#bab0ac"


def bars(discovery: Discovery) -> str:
    """The sizes of the largest topics, and of what is in none that is shown."""
    shown = discovery.topics[:_MOST]
    rows = [(topic.name, topic.size, _TOPIC) for topic in shown]
    if more := discovery.topics[_MOST:]:
        rows.append((f"{len(more)} smaller topics", sum(one.size for one in more), _OTHER))
    if discovery.hidden:
        hidden = f"{discovery.hidden} topics of too few users"
        rows.append((hidden, discovery.hidden_conversations, _OTHER))
    rows.append(("in no topic", discovery.unclustered, _OTHER))
    return _drawn(rows, discovery.conversations)


def _drawn(rows: Sequence[tuple[str, int, str]], total: int) -> str:
    width, height = _LEFT + _BARS + _RIGHT, _LINE * (len(rows) + 1)
    longest = max([size for _, size, _ in rows] + [1])
    lines = [
        '<svg xmlns="http://www.w3.org/2000/svg" font-family="sans-serif" font-size="13"',
        f'width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img">',
        f"<title>Topics found in {total:,} conversations</title>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]
    for n, (name, size, colour) in enumerate(rows):
        top, length = _LINE // 2 + n * _LINE, round(_BARS * size / longest, 1)
        lines += [
            f'<text x="{_LEFT - 8}" y="{top + 15}" text-anchor="end">{escape(_short(name))}</text>',
            f'<rect x="{_LEFT}" y="{top + 3}" width="{length}" height="16" fill="{colour}"/>',
            f'<text x="{_LEFT + length + 6}" y="{top + 15}">{size:,}</text>',
        ]
    return "\n".join([*lines, "</svg>", ""])


def _short(name: str) -> str:
    return name if len(name) <= _NAME else f"{name[: _NAME - 1]}…"
