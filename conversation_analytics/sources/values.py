"""One source value as one of ours, or a clear refusal.

Sources hold what people and programs once typed into them. What can only mean one thing is
read; what could mean two is refused, because a wrong guess would be wrong silently.
"""

from __future__ import annotations

import contextlib
import re
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson
from dateutil import parser

from conversation_analytics.partitions import to_micros

_ROLES = {
    "user": ("user", "human", "customer", "client", "visitor", "end_user", "contact"),
    "assistant": ("assistant", "bot", "ai", "chatbot", "model", "llm"),
    "agent": ("agent", "operator", "support", "staff", "human_agent", "admin"),
    "system": ("system", "developer"),
    "tool": ("tool", "function"),
}
ROLE_OF = {alias: role for role, aliases in _ROLES.items() for alias in aliases}
_RATINGS = {
    "like": 1.0,
    "up": 1.0,
    "positive": 1.0,
    "dislike": -1.0,
    "down": -1.0,
    "negative": -1.0,
}
_TRUE = ("true", "t", "yes", "y", "1")
_FALSE = ("false", "f", "no", "n", "0", "")
_MONEY_LIMIT = Decimal(10) ** 12
_MONEY_STEP = Decimal("0.00000001")
_PLAIN_DIGITS = 40
_SHOWN = 80


class Unusable(Exception):
    """A row cannot be used: the reason quarantine files it under, and what exactly was wrong."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


def shown(value: Any) -> str:
    """A value for a message, cut to a readable length."""
    text = repr(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def wrong_type(name: str, value: Any, wanted: str) -> Unusable:
    """The refusal of a value of an unusable type."""
    return Unusable("wrong_type", f"{name} is {shown(value)}, not {wanted}")


def identity(value: Any, name: str) -> str | None:
    """An id as text: strings as they are, whole numbers without a fraction; null if blank."""
    if isinstance(value, str):
        return value if value.strip() else None
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong_type(name, value, "an id")
    if isinstance(value, float):
        if not value.is_integer():
            raise wrong_type(name, value, "an id")
        value = int(value)
    return str(value)


def text(value: Any, name: str) -> str | None:
    """Text, or a number or truth value as text."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    raise wrong_type(name, value, "text")


def content(value: Any, name: str) -> str:
    """What was said: text, or the text parts of a list of content parts; null is empty."""
    if isinstance(value, list):
        parts = [p.get("text") if isinstance(p, dict) else p for p in value]
        if not all(part is None or isinstance(part, str) for part in parts):
            raise wrong_type(name, value, "text")
        return "\n".join(part for part in parts if part)
    return text(value, name) or ""


def role(value: Any, name: str) -> str:
    """One of our roles."""
    found = ROLE_OF.get(value.strip().lower()) if isinstance(value, str) else None
    if found is None:
        raise wrong_type(name, value, f"a role ({', '.join(ROLE_OF)})")
    return found


def real(value: Any, name: str) -> float | None:
    """A finite number that is not negative."""
    if value is None or value == "":
        return None
    try:
        number = None if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = None
    if number is None or not 0 <= number < float("inf"):
        raise wrong_type(name, value, "a number of at least 0")
    return number


def count(value: Any, name: str) -> int | None:
    """A whole number that is not negative."""
    if type(value) is int:
        if 0 <= value < 2**63:
            return value
    elif value is None or value == "":
        return None
    else:
        number = real(value, name)
        if number is not None and number.is_integer() and number < 2**63:
            return int(number)
    raise wrong_type(name, value, "a whole number of at least 0")


def money(value: Any, name: str) -> Decimal | None:
    """An amount of at least 0, rounded to eight places."""
    if value is None or value == "":
        return None
    try:
        amount = None if isinstance(value, bool) else Decimal(str(value))
    except InvalidOperation:
        amount = None
    if amount is not None and amount.is_finite() and 0 <= amount < _MONEY_LIMIT:
        rounded = amount.quantize(_MONEY_STEP)
        if rounded < _MONEY_LIMIT:
            return rounded
    raise wrong_type(name, value, f"an amount from 0 to below {_MONEY_LIMIT:,}")


def plain_decimal(value: Any) -> Any:
    """A decimal number in the one way of writing it: no exponent, no zeros at its end.

    So an amount is the same text whether its source gives it as 0.001 or "0.0010". Whatever is
    no number of ordinary size stays as it is.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return value
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return value
    if not amount.is_finite() or not (amount == 0 or abs(amount.adjusted()) < _PLAIN_DIGITS):
        return value
    if amount == 0:
        return "0"
    written = f"{amount:f}"
    return written.rstrip("0").rstrip(".") if "." in written else written


def json_object(value: Any, name: str) -> dict[str, Any]:
    """A JSON column as an object, whether it comes decoded or as text; null is empty."""
    if isinstance(value, dict):
        return value
    if value is None or value == "":
        return {}
    found = opened(value)
    if not isinstance(found, dict):
        raise wrong_type(name, value, "a JSON object")
    return found


def opened(value: Any) -> Any:
    """The object that JSON text holds; any other value as it is."""
    if isinstance(value, str) and value.lstrip()[:1] == "{":
        with contextlib.suppress(orjson.JSONDecodeError):  # other text, which stays text
            return orjson.loads(value)
    return value


def flag(value: Any, name: str) -> bool:
    """A truth value; null is false."""
    if value is None or isinstance(value, bool):
        return bool(value)
    word = str(value).strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise wrong_type(name, value, "true or false")


def feedback(value: Any, name: str) -> float | None:
    """A score from -1 to 1, or a thumb as one."""
    if value is None or value == "":
        return None
    word = value.strip().lower() if isinstance(value, str) else value
    if isinstance(word, str) and word in _RATINGS:
        return _RATINGS[word]
    try:
        score = None if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        score = None
    if score is None or not -1 <= score <= 1:
        raise wrong_type(name, value, "a score from -1 to 1, or like or dislike")
    return score


def instant(value: Any, name: str) -> int | None:
    """A time as microseconds since 1970; null if absent.

    Read are ISO 8601 in its common variants, Unix times in seconds, milliseconds, microseconds
    or nanoseconds (told apart by size), and dates with the month as a word, such as RFC 2822.
    Without an offset a time is UTC. Dates such as 01/02/2024 are refused as ambiguous.

    Raises:
        Unusable: `bad_time`.
    """
    if isinstance(value, str):
        if not value.strip():
            return None
        if (
            len(value) > 8 and value[:9].isdecimal()
        ):  # Unix times, some of which would pass as dates without dashes
            return _other_text(value.strip(), name)
        try:
            return _micros(datetime.fromisoformat(value))
        except ValueError:
            return _other_text(value.strip(), name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:  # noqa: PLR0124 - NaN
        raise _bad_time(name, value)
    return _unix(value, name)


def _micros(moment: datetime) -> int:
    micros = to_micros(moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment)
    if not _EARLIEST <= micros <= _LATEST:
        raise ValueError("in UTC it is outside the years 1 to 9999")
    return micros


def _bad_time(name: str, value: Any) -> Unusable:
    return Unusable("bad_time", f"{name} is {shown(value)}, which is no readable time")


def _unix(number: float, name: str) -> int:
    size = abs(number)
    for limit, micros_each in ((1e11, 1_000_000), (1e14, 1_000), (1e17, 1)):
        if size < limit:
            micros = round(number * micros_each)
            break
    else:
        micros = int(number) // 1_000 if size < 1e19 else _LATEST + 1
    if not _EARLIEST <= micros <= _LATEST:
        raise _bad_time(name, number)
    return micros


_UNIX_TEXT = re.compile(r"-?\d{9,19}(\.\d+)?")
_YEAR_FIRST = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})")
_HAS_MONTH_NAME = re.compile(
    r"(?i)\b(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\b.*\b\d{4}\b"
    r"|\b\d{4}\b.*\b(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\b"
)
_EARLIEST = to_micros(datetime.min.replace(tzinfo=UTC))
_LATEST = to_micros(datetime.max.replace(tzinfo=UTC))
_DEFAULTS = (datetime(2000, 1, 1), datetime(2001, 12, 28))  # noqa: DTZ001 - filled in, then compared


def _other_text(value: str, name: str) -> int:
    """A time in text that is not plain ISO 8601."""
    if _UNIX_TEXT.fullmatch(value):
        return _unix(float(value) if "." in value else int(value), name)
    year_first = _YEAR_FIRST.match(value)
    if not (year_first or _HAS_MONTH_NAME.search(value)):
        raise _bad_time(name, value)
    try:
        # The parser fills what is missing from a default day: two of them show if it did.
        one, other = (
            parser.parse(value, default=default, tzinfos=_known_zone) for default in _DEFAULTS
        )
        # It would also take 2024-13-05 for the 13th of May.
        swapped = year_first and (one.month, one.day) != tuple(map(int, year_first.groups()[1:]))
        if one == other and not swapped:
            return _micros(one)
    except (ValueError, OverflowError) as error:
        raise _bad_time(name, value) from error
    raise _bad_time(name, value)


def _known_zone(name: str | None, offset: int | None) -> int | None:
    """The offset of a zone in a date; an abbreviation such as IST has several, so none is taken."""
    if offset is None and name is not None:
        raise ValueError(f"time zone {name} is ambiguous")
    return offset
