"""Words and numbers of the dashboard, for people."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import orjson

from conversation_analytics.reports import wording
from conversation_analytics.reports.page import numbers

_LANGUAGES: Final = {
    "ar": "Arabic", "bg": "Bulgarian", "bn": "Bengali", "cs": "Czech", "da": "Danish",
    "de": "German", "el": "Greek", "en": "English", "es": "Spanish", "et": "Estonian",
    "fa": "Persian", "fi": "Finnish", "fr": "French", "gu": "Gujarati", "he": "Hebrew",
    "hi": "Hindi", "hr": "Croatian", "hu": "Hungarian", "id": "Indonesian", "it": "Italian",
    "ja": "Japanese", "km": "Khmer", "kn": "Kannada", "ko": "Korean", "lo": "Lao",
    "lt": "Lithuanian", "lv": "Latvian", "ml": "Malayalam", "mr": "Marathi", "ms": "Malay",
    "my": "Burmese", "ne": "Nepali", "nl": "Dutch", "no": "Norwegian", "pa": "Punjabi",
    "pl": "Polish", "pt": "Portuguese", "ro": "Romanian", "ru": "Russian", "si": "Sinhala",
    "sk": "Slovak", "sl": "Slovenian", "sq": "Albanian", "sr": "Serbian", "sv": "Swedish",
    "sw": "Swahili", "ta": "Tamil", "te": "Telugu", "th": "Thai", "tl": "Tagalog",
    "tr": "Turkish", "uk": "Ukrainian", "ur": "Urdu", "vi": "Vietnamese", "zh": "Chinese",
    "und": "undetermined",
}  # fmt: skip


def language(code: str) -> str:
    """A language's English name; its code where it has none here."""
    return _LANGUAGES.get(code.partition("-")[0].lower(), code)


def plain(dimension: str, value: str) -> str:
    """A value as people say it; names of the taxonomy without underscores."""
    if dimension == "language":
        return language(value)
    if dimension in ("topic", "main_topic", "intent"):
        return value.replace("_", " ")
    return value


def number(value: float | None) -> str:
    """A count; a dash for nothing."""
    return wording.NOTHING if value is None else f"{value:,}"


def percent(value: float | None) -> str:
    """A share as whole percent; a dash for nothing."""
    return wording.NOTHING if value is None else f"{100 * value:.0f} %"


def moment(value: datetime | None, *, zone: ZoneInfo) -> str:
    """A time on the local clock, such as ``15 Jan 2024, 03:10``; a dash for none."""
    if value is None:
        return wording.NOTHING
    one = (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(zone)
    return f"{one.day} {one:%b %Y, %H:%M}"


def day(value: date) -> str:
    """A day as ``15 January 2024``."""
    return numbers.day(value.isoformat())


def ago(value: datetime, now: datetime) -> str:
    """How long ago, roughly."""
    minutes = max(0, int((now - value).total_seconds() // 60))
    for size, name in ((1_440, "day"), (60, "hour"), (1, "minute")):
        if minutes >= size:
            return f"{wording.counted(minutes // size, name)} ago"
    return "just now"


def money(row: Mapping[str, Any]) -> str:
    """What a user cost, in each currency; a dash for nothing."""
    costs = orjson.loads(row["costs"])
    return ", ".join(wording.money(float(cost), name) for name, cost in costs.items()) or "–"
