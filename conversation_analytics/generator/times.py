"""Unix seconds as the text of an export, ``2024-01-01T10:00:00+00:00``."""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache

DAY_SECONDS = 86_400
_HOURS = tuple(f"T{hour:02d}:" for hour in range(24))
_REST = tuple(f"{second // 60:02d}:{second % 60:02d}+00:00" for second in range(3600))
_FIRST = date(1970, 1, 1)


def iso(second: int) -> str:
    """The UTC text of a Unix time in whole seconds."""
    day, rest = divmod(second, DAY_SECONDS)
    return _day(day) + _HOURS[rest // 3600] + _REST[rest % 3600]


@lru_cache(maxsize=1024)
def _day(number: int) -> str:
    return (_FIRST + timedelta(days=number)).isoformat()
