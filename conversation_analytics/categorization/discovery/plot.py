"""Found topics as bars."""

from __future__ import annotations

from typing import Final

from conversation_analytics.categorization.bars import Bar, drawn
from conversation_analytics.categorization.discovery.discover import Discovery

_MOST: Final = 30  # bars
_TOPIC, _OTHER = "#4c78a8", "#bab0ac"


def bars(discovery: Discovery) -> str:
    """The sizes of the largest topics, and of what is in none that is shown, as SVG."""
    rows = [Bar(topic.name, topic.size, _TOPIC) for topic in discovery.topics[:_MOST]]
    if more := discovery.topics[_MOST:]:
        name = f"{len(more)} smaller topics"
        rows.append(Bar(name, sum(one.size for one in more), _OTHER))
    if discovery.hidden:
        name = f"{discovery.hidden} topics of too few users"
        rows.append(Bar(name, discovery.hidden_conversations, _OTHER))
    rows.append(Bar("in no topic", discovery.unclustered, _OTHER))
    return drawn(rows, f"Topics found in {discovery.conversations:,} conversations")
