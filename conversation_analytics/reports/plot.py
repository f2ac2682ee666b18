"""What a report tells of its period, as bars."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from conversation_analytics.categorization.bars import Bar, drawn

_MOST: Final = 8
_GREY: Final = "#bab0ac"
_COLOURS: Final = {
    "topic": "#4c78a8",
    "intent": "#f58518",
    "sentiment": "#54a24b",
    "language": "#b279a2",
    "channel": "#72b7b2",
}


def day_plot(document: Mapping[str, Any]) -> str:
    """The conversations of a period by topic, intent, sentiment, language and channel, as SVG.

    Args:
        document: the report, as in `report.json`.
    """
    found = document.get("breakdowns") or {}
    bars = [
        bar
        for dimension, colour in _COLOURS.items()
        for bar in [Bar(dimension, None), *_bars(found.get(dimension) or [], colour)]
    ]
    counts = [
        f"{document['metrics'].get(name) or 0:,} {name}" for name in ("conversations", "messages")
    ]
    return drawn(bars, f"{document['key']}: {', '.join(counts)}")


def _bars(entries: Iterable[Mapping[str, Any]], colour: str) -> list[Bar]:
    """The values with the most conversations, and one bar for all others."""
    counts = {str(one["value"]): int(one["metrics"].get("conversations") or 0) for one in entries}
    sizes = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    shown, rest = sizes[:_MOST], sizes[_MOST:]
    bars = [Bar(name, count, colour) for name, count in shown if count]
    if others := sum(count for _, count in rest):
        bars.append(Bar(f"{len(rest)} others", others, _GREY))
    return bars
