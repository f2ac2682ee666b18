"""Words for what was found, for people."""

from __future__ import annotations


def words_of(reasons: dict[str, int]) -> str:
    """Reasons with their numbers of rows, for people."""
    return ", ".join(f"{count:,} {reason}" for reason, count in sorted(reasons.items()))
