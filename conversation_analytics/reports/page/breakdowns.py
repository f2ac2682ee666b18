"""What a document says of each dimension: shares, how they changed, escalation, models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from markupsafe import Markup

from conversation_analytics.reports.page import charts, numbers
from conversation_analytics.reports.page.charts import Part
from conversation_analytics.reports.page.figures import Document, Registry, change_of, value_of
from conversation_analytics.reports.page.numbers import Verdict

LAST: Final = ("unknown", "und", "(none)", "(other)")  # below the values that have a name
SENTIMENTS: Final = ("positive", "neutral", "mixed", "negative")
ROWS: Final = 12
MOST_ROWS: Final = 48
MODEL_COLUMNS: Final = (
    "messages",
    "error_rate",
    "latency_p50_ms",
    "latency_p95_ms",
    "latency_p99_ms",
    "total_tokens",
    "escalation_rate",
    "sentiment_negative_share",
)


@dataclass(frozen=True)
class Row:
    """A value of a dimension.

    Attributes:
        share: of the conversations that started in the period.
        corrected: the same, corrected by the measured errors of the labels, with its interval.
        change: of its conversations since the period before.
        share_change: of their share, in points.
        verdict: whether the change of its conversations is noise; empty if that is not known.
        drawing: the share as a bar.
    """

    value: str
    conversations: int
    users: int | None
    share: str
    corrected: str
    change: str
    share_change: str
    verdict: Verdict
    drawing: Markup

    @property
    def named(self) -> bool:
        """Whether the value is one of the data, rather than what is left."""
        return self.value not in LAST


@dataclass(frozen=True)
class Breakdown:
    """A dimension's values, those with the most conversations first.

    Attributes:
        withheld: whether a figure of any value would tell of too few users.
        rows: those to show at once.
        more: the others, as many as there is room for.
        unlisted: how many values are in neither, and their conversations.
        corrected: whether any row has a corrected share.
        uncorrected: why none has, if that was tried.
        compared: whether any has a change.
    """

    dimension: str
    withheld: bool
    rows: Sequence[Row]
    more: Sequence[Row]
    unlisted: tuple[int, int]
    corrected: bool
    uncorrected: str
    compared: bool

    @property
    def some(self) -> bool:
        """Whether there is anything to show, or to say why not."""
        return self.withheld or bool(self.rows)


@dataclass(frozen=True)
class Mix:
    """Pieces of a whole side by side, and what they are in words."""

    drawing: Markup
    described: str


@dataclass(frozen=True)
class Trouble:
    """How often conversations of a topic are escalated, and how often their user is unhappy."""

    value: str
    conversations: int
    escalated: str
    negative: str
    drawing: Markup
    named: bool


@dataclass(frozen=True)
class Model:
    """A model's work in the period; numbers are written.

    Attributes:
        slowest, dearest: whether no other has a longer p95, or costs more of a currency.
    """

    name: str
    version: str
    cells: Mapping[str, str]
    costs: Sequence[str]
    slowest: bool
    dearest: bool
    drawing: Markup


def breakdown(document: Document, dimension: str) -> Breakdown:
    """The values of a dimension by the conversations that started in the period."""
    entries = (document.get("breakdowns") or {}).get(dimension) or []
    counts = {str(one["value"]): _conversations(one) for one in entries}
    users = {str(one["value"]): one.get("users") for one in entries}
    changes = _changes(document, dimension)
    corrected = _corrected(document, dimension)
    total = value_of(document["metrics"], "conversations", None) or 0
    before = _before(document)
    # The widest bar or mark.
    known = [_divided(count, total) for count in counts.values()]
    widest = max([*filter(None, known), *(one["share"] for one in corrected.values())], default=0)
    rows = []
    for name in sorted(
        {*counts, *changes}, key=lambda one: (one in LAST, -counts.get(one, 0), one)
    ):
        count, changed = counts.get(name, 0), changes.get(name)
        share, better = _divided(count, total), corrected.get(name)
        earlier = _divided(count - changed["contribution"], before) if changed else None
        if not count and not earlier:
            continue
        mark = _divided(better["share"], widest) if better else None
        rows.append(
            Row(
                value=name,
                conversations=count,
                users=users.get(name),
                share=numbers.share(share),
                corrected=_with_interval(better) if better else "",
                change=numbers.signed(changed["contribution"]) if changed else "",
                share_change=_difference(share, earlier),
                verdict=_verdict(changed),
                drawing=charts.bar(
                    _divided(share, widest) or 0,
                    mark=mark,
                    kind="accent" if dimension != "sentiment" else _kind(name),
                ),
            )
        )
    beyond = rows[MOST_ROWS:]
    return Breakdown(
        dimension=dimension,
        withheld=bool(total) and not entries,
        rows=rows[:ROWS],
        more=rows[ROWS:MOST_ROWS],
        unlisted=(len(beyond), sum(row.conversations for row in beyond)),
        corrected=bool(corrected),
        uncorrected=_reason(document, dimension),
        compared=bool(changes),
    )


def sentiments(document: Document) -> Mix | None:
    """The mix of sentiments; null if there is no conversation."""
    entries = (document.get("breakdowns") or {}).get("sentiment") or []
    counts = {str(one["value"]): _conversations(one) for one in entries}
    total = sum(counts.values())
    known = [(name, counts.pop(name, 0)) for name in SENTIMENTS]
    parts = [Part(n / total, name) for name, n in (*known, ("unknown", sum(counts.values()))) if n]
    if not parts:
        return None
    described = ", ".join(f"{kind} {numbers.share(share)}" for share, kind in parts)
    return Mix(charts.stack(parts), described)


def troubles(document: Document) -> list[Trouble]:
    """Topics by how often their conversations are escalated, the worst first."""
    whole = value_of(document["metrics"], "escalation_rate", None)
    found = []
    for entry in (document.get("breakdowns") or {}).get("topic") or []:
        rate = value_of(entry["metrics"], "escalation_rate", None)
        if rate is not None:
            found.append((rate, str(entry["value"]), entry))
    widest = max([rate for rate, *_ in found] + [whole or 0.0])
    return [
        Trouble(
            value=name,
            conversations=_conversations(entry),
            escalated=numbers.share(rate),
            negative=numbers.share(value_of(entry["metrics"], "sentiment_negative_share", None)),
            drawing=charts.bar(
                _divided(rate, widest) or 0,
                mark=_divided(whole, widest),
                kind="negative" if whole is not None and rate > whole else "neutral",
            ),
            named=name not in LAST,
        )
        for rate, name, entry in sorted(found, key=lambda one: (one[1] in LAST, -one[0], one[1]))
    ]


def models(document: Document, registry: Registry) -> list[Model]:
    """Each model's work, the busiest first."""
    entries = document.get("models") or []
    slow = {str(one["model"]): one.get("latency_p95_ms") or 0.0 for one in entries}
    slowest = max(slow.values(), default=0)
    highest: dict[str, float] = {}
    for entry in entries:
        for currency, cost in (entry.get("cost") or {}).items():
            highest[currency] = max(highest.get(currency, 0), float(cost))
    several = len(entries) > 1
    return [
        Model(
            name=str(entry["model"]),
            version=str(entry.get("version") or ""),
            cells={
                name: numbers.shown(entry.get(name), registry[name])
                for name in MODEL_COLUMNS
                if name in registry
            },
            costs=[
                numbers.shown(float(cost), registry["cost"], code) for code, cost in _costs(entry)
            ],
            slowest=several and slow[str(entry["model"])] == slowest > 0,
            dearest=several
            and any(float(cost) == highest[code] > 0 for code, cost in _costs(entry)),
            drawing=charts.bar(_divided(slow[str(entry["model"])], slowest) or 0),
        )
        for entry in sorted(
            entries, key=lambda one: (-(one.get("messages") or 0), str(one["model"]))
        )
    ]


def _conversations(entry: Mapping[str, Any]) -> int:
    return int(entry["metrics"].get("conversations") or 0)


def _costs(entry: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return sorted((entry.get("cost") or {}).items())


def _changes(document: Document, dimension: str) -> dict[str, Mapping[str, Any]]:
    """How the conversations of each value changed; what is pooled differs between periods."""
    entry = change_of(document, "conversations", None) or {}
    found = (entry.get("by") or {}).get(dimension) or []
    return {str(one["value"]): one for one in found if one["value"] != "(other)"}


def _before(document: Document) -> float | None:
    """The conversations of the period before."""
    entry = change_of(document, "conversations", None)
    return None if entry is None else entry.get("before")


def _corrected(document: Document, dimension: str) -> dict[str, Mapping[str, Any]]:
    found = (document.get("corrected") or {}).get(dimension) or {}
    return {str(one["value"]): one for one in found.get("shares") or []}


def _kind(sentiment: str) -> str:
    return sentiment if sentiment in SENTIMENTS else "unknown"


def _difference(now: float | None, before: float | None) -> str:
    return "" if now is None or before is None else numbers.signed(100 * (now - before), 1)


def _reason(document: Document, dimension: str) -> str:
    found = (document.get("corrected") or {}).get(dimension) or {}
    return str(found.get("reason") or "")


def _with_interval(corrected: Mapping[str, Any]) -> str:
    low, high = corrected["interval"]
    return f"{numbers.share(corrected['share'])} ({100 * low:.1f} to {100 * high:.1f})"


def _verdict(changed: Mapping[str, Any] | None) -> Verdict:
    if changed is None or not changed["contribution"]:
        return ""
    return "changed" if changed["distinguishable"] else "noise"


def _divided(part: float | None, whole: float | None) -> float | None:
    return part / whole if part is not None and whole else None
