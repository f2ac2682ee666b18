"""When people write: more by day than by night, more on Mondays than on Sundays."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from datetime import date

from conversation_analytics.generator.draws import Random, shares
from conversation_analytics.generator.texts import Language

_BY_LOCAL_HOUR = (
    8, 5, 3, 2, 2, 3, 8, 18, 36, 56, 66, 64, 54, 58, 62, 58, 52, 46, 44, 50, 56, 52, 36, 18,
)  # fmt: skip
_BY_WEEKDAY = (1.15, 1.08, 1.05, 1.04, 1.1, 0.82, 0.7)
_GROWTH = 0.5
_NOISE = 0.25


def day_quotas(random: Random, *, rows: int, days: int, start: date) -> list[int]:
    """Message rows of the conversations that start on each day; they add up to `rows`.

    Every day gets at least one if there are enough.
    """
    if rows < days:
        return [(n + 1) * rows // days - n * rows // days for n in range(days)]
    first_weekday = start.weekday()
    weights = [
        _BY_WEEKDAY[(first_weekday + n) % 7]
        * (1 + _GROWTH * n / days)
        * (1 + _NOISE * (random() - 0.5))
        for n in range(days)
    ]
    ends = [round(share * (rows - days)) for share in shares(weights)]
    return [1 + end - begin for begin, end in zip([0, *ends], ends, strict=False)]


class Rhythm:
    """The hours of the day, UTC, as the sum of what every language does at home."""

    def __init__(self, languages: Sequence[Language]) -> None:
        by_hour = [
            [x.share * _BY_LOCAL_HOUR[(hour + x.utc_offset) % 24] for x in languages]
            for hour in range(24)
        ]
        self._hours = shares([sum(weights) for weights in by_hour])
        self._languages = [shares(weights) for weights in by_hour]

    def second_of_day(self, share: float) -> int:
        """The second by which `share`, 0 to below 1, of a day's messages have been written."""
        hour = bisect_right(self._hours, share)
        begin = self._hours[hour - 1] if hour else 0.0
        within = (share - begin) / (self._hours[hour] - begin)
        return hour * 3600 + min(3599, int(within * 3600))

    def language_at(self, random: Random, second_of_day: int) -> int:
        """Position of the language of someone who writes at that time."""
        return bisect_right(self._languages[second_of_day // 3600], random())
