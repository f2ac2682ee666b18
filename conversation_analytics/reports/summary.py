"""A report in plain English: sentences of its figures, none of what was not measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from conversation_analytics.reports.pooling import OTHER
from conversation_analytics.reports.relations import NONE
from conversation_analytics.reports.wording import (
    counted,
    dates,
    difference,
    figure,
    listed,
    number,
    percent,
)
from conversation_analytics.schemas.metrics import METRICS

Document = Mapping[str, Any]

_BEFORE: Final = {
    "daily": "the day before",
    "weekly": "the week before",
    "monthly": "the month before",
}
_DRIVERS: Final = ("topic", "intent", "channel", "language", "model")
"""In the order in which reasons are looked for."""
_NOISE: Final = "is not distinguishable from noise"


def sentences(document: Document) -> list[str]:
    """What a report says.

    Args:
        document: as `report.json`; parts that are missing or null are not spoken of.
    """
    report = _Report(document)
    return [
        *report.completeness(),
        *report.volume(),
        *report.growth(),
        *report.rate("escalation_rate", "of conversations were escalated"),
        *report.rate("sentiment_negative_share", "of conversations had a negative sentiment"),
        *report.corrected_sentiment(),
        *report.answers(),
        *report.rate("error_rate", "of the assistant's messages had an error"),
        *report.slowest_model(),
        *report.cost(),
        *report.quarantined(),
    ]


@dataclass(frozen=True)
class _Report:
    document: Document

    def _figure(self, metric: str) -> Any:
        return (self.document.get("metrics") or {}).get(metric)

    def _compared(self, which: str, metric: str) -> Any:
        other = (self.document.get("comparisons") or {}).get(which) or {}
        return (other.get("metrics") or {}).get(metric)

    def _why(self, metric: str) -> Document:
        return (self.document.get("why") or {}).get(metric) or {}

    @property
    def _before(self) -> str:
        return _BEFORE[self.document["grain"]]

    def completeness(self) -> Iterator[str]:
        """Which days are missing."""
        missing = [date.fromisoformat(str(day)) for day in self.document.get("days_missing") or []]
        if not missing:
            return
        days = len(missing) + len(self.document.get("days_present") or [])
        if days == 1:
            yield f"There is no data of {dates(missing)}."
        else:
            verb = "is" if len(missing) == 1 else "are"
            yield f"{len(missing)} of {days} days {verb} missing: {dates(missing)}."

    def volume(self) -> Iterator[str]:
        """How many conversations, messages and users there were."""
        conversations, messages = self._figure("conversations"), self._figure("messages")
        if not conversations and not messages:
            yield "There were no conversations."
            return
        if conversations is not None:
            started = counted(conversations, "conversation")
            others = [*self._other_volumes("conversations", conversations, ("more", "fewer"))]
            yield f"{started} started{self._aside(others)}.{self._doubt('conversations')}"
        if messages:
            verb = "was" if messages == 1 else "were"
            others = [*self._other_volumes("messages", messages, ("more", "fewer"))]
            yield f"{counted(messages, 'message')} {verb} written{self._aside(others)}."
        users, new = self._figure("active_users"), self._figure("new_users")
        if users:
            verb = "was" if users == 1 else "were"
            of_them = "" if not new else f", {number(new)} of them new"
            yield f"{counted(users, 'user')} {verb} active{of_them}."

    def _other_volumes(self, metric: str, now: float, words: tuple[str, str]) -> Iterator[str]:
        """A figure beside those of other periods."""
        for which, when in (
            ("previous", self._before),
            ("same_weekday", "the same weekday a week earlier"),
        ):
            before = self._compared(which, metric)
            if before is not None:
                yield f"{_relative(now, before, words)} {when} ({number(before)})"

    @staticmethod
    def _aside(others: list[str]) -> str:
        return f", {listed(others)}" if others else ""

    def _doubt(self, metric: str) -> str:
        """That a change may be chance, if there is one that may."""
        why = self._why(metric)
        if not why.get("change") or why.get("distinguishable") or not why.get("interval"):
            return ""
        return f" The change from {self._before} {_NOISE}."

    def growth(self) -> Iterator[str]:
        """What grew and what fell most."""
        by = self._why("conversations").get("by") or {}
        for sign, verb in ((1, "grew"), (-1, "fell")):
            found = [
                f"{_named(dimension, one['value'])} ({_count_changed(one['contribution'])})"
                for dimension in _DRIVERS
                if (one := _driver(by.get(dimension) or [], sign)) is not None
            ]
            if found:
                yield f"What {verb} most: {listed(found)}."

    def rate(self, metric: str, what: str) -> Iterator[str]:
        """A share, how it changed, and what did most of that."""
        now = self._figure(metric)
        if now is None:
            return
        said = f"{figure(METRICS[metric], now)} {what}"
        why = self._why(metric)
        change = why.get("change")
        if change is None:
            yield f"{said}."
        elif not change:
            yield f"{said}, as {self._before}."
        elif not why["distinguishable"]:
            changed = difference(METRICS[metric], change)
            yield f"{said}; the change from {self._before} ({changed}) {_NOISE}."
        else:
            more = "more" if change > 0 else "less"
            points = difference(METRICS[metric], abs(change)).removeprefix("+")
            yield f"{said}, {points} {more} than {self._before}.{self._main_driver(metric)}"

    def _main_driver(self, metric: str) -> str:
        why = self._why(metric)
        sign = 1 if why["change"] > 0 else -1
        for dimension in _DRIVERS:
            one = _driver((why.get("by") or {}).get(dimension) or [], sign)
            if one is not None:
                if abs(one["rate"]) >= abs(one["mix"]):
                    reason = f"its rate {'rose' if one['rate'] > 0 else 'fell'}"
                else:
                    reason = "its share of the whole changed"
                changed = difference(METRICS[metric], one["contribution"])
                return (
                    f" The main driver is {_named(dimension, one['value'])} ({changed}): {reason}."
                )
        return ""

    def corrected_sentiment(self) -> Iterator[str]:
        """How much is likely negative, by how often the model errs."""
        found = (self.document.get("corrected") or {}).get("sentiment") or {}
        for one in found.get("shares") or []:
            if one["value"] == "negative":
                low, high = one["interval"]
                yield (
                    "Corrected by how often the model is known to err, "
                    f"{percent(one['share'])} were negative ({percent(low)} to {percent(high)})."
                )

    def answers(self) -> Iterator[str]:
        """How fast answers came."""
        metric = METRICS["first_response_p95_seconds"]
        now, why = self._figure(metric.name), self._why(metric.name)
        if now is None:
            return
        said = f"95 % of first answers took at most {figure(metric, now)}"
        change = why.get("change")
        if change and why.get("distinguishable"):
            more = "longer" if change > 0 else "shorter"
            yield f"{said}, {figure(metric, abs(change))} {more} than {self._before}."
        elif change and why.get("interval"):
            changed = difference(metric, change)
            yield f"{said}; the change from {self._before} ({changed}) {_NOISE}."
        else:
            yield f"{said}."

    def slowest_model(self) -> Iterator[str]:
        """Which model took longest."""
        metric = METRICS["latency_p95_ms"]
        timed = [
            one
            for one in self.document.get("models") or []
            if one.get(metric.name) is not None and one["model"] not in (OTHER, NONE)
        ]
        if not timed:
            return
        slowest = max(timed, key=lambda one: (one[metric.name], one["model"]))
        took = f"took at most {figure(metric, slowest[metric.name])}"
        if len(timed) > 1:
            yield f"The slowest model was {slowest['model']}: 95 % of its answers {took}."
        else:
            yield f"95 % of the answers of {slowest['model']} {took}."

    def cost(self) -> Iterator[str]:
        """What was spent, by currency."""
        spent = self._figure("cost") or {}
        parts = []
        for currency, now in sorted(spent.items()):
            if now is None:
                continue
            said = figure(METRICS["cost"], now, None if currency == NONE else currency)
            before = (self._compared("previous", "cost") or {}).get(currency)
            if before is not None:
                said += f" ({_relative(now, before, ('more', 'less'))} {self._before})"
            parts.append(said)
        if parts:
            yield f"Models cost {listed(parts)}."

    def quarantined(self) -> Iterator[str]:
        """What could not be read."""
        rows = {
            reason: count
            for reason, count in (self.document.get("quarantined") or {}).items()
            if count
        }
        if rows:
            most = sorted(rows, key=lambda reason: (-rows[reason], reason))
            reasons = listed([f"{number(rows[reason])} {reason}" for reason in most])
            total = counted(sum(rows.values()), "row")
            yield f"{total} of the source could not be used: {reasons}."


def _relative(now: float, before: float, words: tuple[str, str]) -> str:
    """How much more or less a figure is than another, up to the word before its name."""
    if now == before:
        return "as many as" if words[1] == "fewer" else "as much as"
    word = words[0] if now > before else words[1]
    if not before:
        return f"{word} than"
    return f"{percent(abs(now / before - 1))} {word} than"


def _count_changed(contribution: float) -> str:
    return difference(METRICS["conversations"], contribution)


def _driver(contributions: list[Document], sign: int) -> Document | None:
    """What did most in a direction, if that can be told from chance."""
    able = [
        one
        for one in contributions
        if one["distinguishable"] and sign * one["contribution"] > 0 and one["value"] != OTHER
    ]
    return max(able, key=lambda one: abs(one["contribution"]), default=None)


def _named(dimension: str, value: str) -> str:
    return f"no {dimension}" if value == NONE else f"{dimension} “{value}”"
