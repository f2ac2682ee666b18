"""Addresses of the dashboard's pages: all that a page shows is in its address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode

from conversation_analytics.periods import Period
from conversation_analytics.reports.pooling import OTHER
from conversation_analytics.reports.relations import NONE, UNKNOWN

HOME: Final = "/dashboard"
SIGN_IN: Final = f"{HOME}/sign-in"
SIGN_OUT: Final = f"{HOME}/sign-out"
CONVERSATIONS: Final = f"{HOME}/conversations"
USERS: Final = f"{HOME}/users"

_NO_LABEL: Final = (UNKNOWN, "und")
# Reports count a conversation under the topic it is mainly about.
_FILTERS: Final[Mapping[str, str]] = {
    "topic": "main_topic",
    **{one: one for one in ("intent", "sentiment", "language", "channel", "model", "status")},
}
# What conversations a figure of the whole is about, where it is not about all of them.
_OF_METRIC: Final[Mapping[str, tuple[str, str]]] = {
    "escalations": ("escalated", "true"),
    "escalation_rate": ("escalated", "true"),
    "errors": ("has_error", "true"),
    "error_rate": ("has_error", "true"),
    "sentiment_negative_share": ("sentiment", "negative"),
    "sentiment_neutral_share": ("sentiment", "neutral"),
    "sentiment_positive_share": ("sentiment", "positive"),
    "feedback_negative_share": ("feedback", "negative"),
}


def address(path: str, **parameters: Any) -> str:
    """A path with parameters; those that are null, empty or false are left out."""
    found = [
        (name.rstrip("_"), one)
        for name, value in parameters.items()
        for one in (value if isinstance(value, list) else [value])
        if one
    ]
    return f"{path}?{urlencode(found)}" if found else path


def conversation(id_: str, **parameters: Any) -> str:
    """The page of a conversation."""
    return address(f"{CONVERSATIONS}/{quote(id_, safe='')}", **parameters)


def user(id_: str) -> str:
    """The page of a user."""
    return f"{USERS}/{quote(id_, safe='')}"


def report_page(period: Period) -> str:
    """The page of a period's report, as it is in the lake."""
    return f"{HOME}/reports/{period.grain}/{period.key}.html"


@dataclass(frozen=True)
class Trail:
    """From figures of a period to its conversations.

    Attributes:
        period: the period; null for all days.
        allowed: whether whoever looks may read conversations; all links are empty if not.
        within: a dimension and its value that the page is confined to.
    """

    period: Period | None
    allowed: bool
    within: tuple[str, str] | None = None

    def all(self, **filters: Any) -> str:
        """The conversations of the period, of some filters; empty if no link can tell them."""
        if not self.allowed:
            return ""
        days = {"from": self.period.first, "to": self.period.last} if self.period else {}
        wanted = _filter(*self.within) if self.within else {}
        return "" if wanted is None else address(CONVERSATIONS, **days, **_joined(wanted, filters))

    def value(self, dimension: str, value: str, **filters: Any) -> str:
        """Those of a value."""
        return self.both((dimension, value), **filters)

    def both(self, *values: tuple[str, str], **filters: Any) -> str:
        """Those of a value of each of some dimensions."""
        wanted: dict[str, Any] = {}
        for dimension, value in values:
            found = _filter(dimension, value)
            if found is None:
                return ""
            wanted = _joined(wanted, found)
        return self.all(**_joined(wanted, filters))

    def metric(self, name: str) -> str:
        """Those that a figure is about."""
        return self.all(**dict([_OF_METRIC[name]] if name in _OF_METRIC else []))


def _joined(wanted: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, Any]:
    """Filters of which all hold; of several attributes each has to."""
    attributes = [*wanted.get("attribute", ()), *others.get("attribute", ())]
    return {**wanted, **others, **({"attribute": attributes} if attributes else {})}


def _filter(dimension: str, value: str) -> dict[str, Any] | None:
    """What to search for to find a value; null of one that is pooled, or no filter's."""
    if value == OTHER:
        return None
    if dimension not in _FILTERS:  # an attribute of REPORT_DIMENSIONS
        return None if "=" in dimension else {"attribute": [f"{dimension}={value}"]}
    unlabelled = value in _NO_LABEL and dimension not in ("channel", "model", "status")
    return {_FILTERS[dimension]: NONE if unlabelled else value}
