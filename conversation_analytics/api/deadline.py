"""How long an answer may still take."""

from __future__ import annotations

import time

from conversation_analytics.api.problems import Problem


class Deadline:
    """A moment by which an answer must be there.

    Args:
        seconds: from now.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds until then, 0 when it has passed."""
        return max(0.0, self._end - time.monotonic())

    def check(self) -> None:
        """Give up if it has passed.

        Raises:
            Problem: it has.
        """
        if not self.left:
            raise self.missed()

    def missed(self) -> Problem:
        """The answer of who was too slow."""
        return Problem(
            "timeout",
            f"It was not ready within {self._seconds:g} seconds: ask for fewer days or rows, or "
            "again later.",
        )
