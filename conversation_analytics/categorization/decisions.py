"""What is said of a text for a task: a label, or why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

Method = Literal["rule", "model", "llm", "human"]
Reason = Literal["below_threshold", "empty_text", "no_message", "too_short", "unmeasured_language"]

UNKNOWN: Final = "unknown"
"""The label of a text that none is said of."""


@dataclass(frozen=True, slots=True)
class Decision:
    """A label, or the honesty to give none.

    Attributes:
        label: the label; `UNKNOWN` or, of languages, ``und`` if there is none.
        confidence: probability that it is right, 0 to 1; of the likeliest label if none is given.
        method: who decided.
        reason: why no label is given; null if one is.
        details: what led there, as JSON can hold it.
    """

    label: str
    confidence: float
    method: Method
    reason: Reason | None = None
    details: Mapping[str, Any] | None = None

    @property
    def abstained(self) -> bool:
        """Whether no label is given."""
        return self.reason is not None
