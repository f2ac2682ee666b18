"""What the conversations of a day are about, as bars."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

import pyarrow as pa

from conversation_analytics.categorization.bars import Bar, drawn

_MOST: Final = 8
_NONE: Final = "none given"
_GREY: Final = "#bab0ac"
_COLOURS: Final = {
    "topics": "#4c78a8",
    "intent": "#f58518",
    "sentiment": "#54a24b",
    "language": "#b279a2",
}


def day_plot(summaries: pa.Table) -> str:
    """The topics, intents, sentiments and languages of a day's conversations, as SVG.

    Args:
        summaries: a table of `schemas.CATEGORY_SUMMARIES`.
    """
    bars = []
    for column, colour in _COLOURS.items():
        values = summaries[column].to_pylist()
        counts = Counter(_each(values))
        none = counts.pop(_NONE, 0)
        shown = counts.most_common(_MOST)
        bars.append(Bar(column, None))
        bars += [Bar(name, count, colour) for name, count in shown]
        if rest := sum(counts.values()) - sum(count for _, count in shown):
            bars.append(Bar(f"{len(counts) - len(shown)} others", rest, _GREY))
        if none:
            bars.append(Bar(_NONE, none, _GREY))
    return drawn(bars, f"Categories of {summaries.num_rows:,} conversations")


def _each(values: Iterable[list[str] | str | None]) -> Iterable[str]:
    for value in values:
        if isinstance(value, str):
            yield value
        else:
            yield from value or [_NONE]
