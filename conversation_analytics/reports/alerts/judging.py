"""Whether a rule holds for one thing in a period: no I/O, and nothing is guessed.

Where a report or its history cannot tell, the judgement is `Undecided`, which neither begins nor
ends an event.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf, pi, sqrt
from statistics import fmean, median
from typing import Final, TypeAlias

from conversation_analytics.periods import Period
from conversation_analytics.reports.alerts import wording
from conversation_analytics.reports.alerts.figures import (
    Document,
    Subject,
    entry_of,
    figure,
    hidden_of,
    lacking,
)
from conversation_analytics.reports.alerts.rules import (
    Above,
    Anomaly,
    Below,
    Change,
    Direction,
    Emerging,
    MetricRule,
    Rule,
    compared_with,
)

Reports: TypeAlias = Mapping[Period, Document]

# 1 / 0.6745 and 1.2533: what MAD and mean absolute deviation of normal numbers are multiplied by
# to be their standard deviation.
_OF_MAD: Final = 0.6745
_OF_MEAN: Final = sqrt(pi / 2)
_ROUNDING: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Fires:
    """The rule holds.

    Attributes:
        observed: what was measured.
        expected: what it is held against: threshold, earlier value, median, share before.
        words: both in words, behind what it is about.
    """

    observed: float
    expected: float
    words: str


@dataclass(frozen=True, slots=True)
class Quiet:
    """The rule does not hold."""


@dataclass(frozen=True, slots=True)
class Undecided:
    """It cannot be told whether the rule holds.

    Attributes:
        why: the reason, in words.
    """

    why: str


Judgement: TypeAlias = Fires | Quiet | Undecided


def judge(rule: Rule, subject: Subject, period: Period, reports: Reports) -> Judgement:
    """Whether a rule holds for a subject in a period, whose report must be there."""
    if isinstance(rule, Emerging):
        return emerges(rule, subject, period, reports)
    document = reports[period]
    value = figure(document, rule.metric, subject)
    if value is None:
        return Undecided("there is nothing to measure, or too few users to tell")
    lacks = lacking(rule, document)
    match rule:
        case Above():
            return _beyond(rule, subject, value, value > rule.threshold)
        case Below():
            found = _beyond(rule, subject, value, value < rule.threshold)
        case Change():
            found = _change(rule, subject, value, period, reports)
        case Anomaly():
            found = _anomaly(rule, subject, value, period, reports)
    if lacks and isinstance(found, Fires) and found.observed < found.expected:
        return Undecided(f"it is low, but {lacks}")
    return found


def robust_z(value: float, history: Sequence[float]) -> float:
    """How far a value is from earlier ones: 0.6745 (value − median) / MAD.

    MAD is the median absolute deviation from the median, so that the score of a normal sample is
    about its z-score, and a few odd values in the history do not change it (the modified z-score
    of Iglewicz and Hoaglin 1993, How to Detect and Handle Outliers, ASQC). Where more than half of
    the history is the same, so that MAD is 0, the mean absolute deviation times 1.2533 takes its
    place; where all of it is the same, any other value is infinitely far.
    """
    middle = median(history)
    deviations = [abs(one - middle) for one in history]
    rounding = _ROUNDING * max(abs(middle), abs(value))
    distance = value - middle
    if abs(distance) <= rounding:
        return 0.0
    if (mad := median(deviations)) > rounding:
        return _OF_MAD * distance / mad
    if (mean := fmean(deviations)) > rounding:
        return distance / (_OF_MEAN * mean)
    return inf if distance > 0 else -inf


def emerges(rule: Emerging, subject: Subject, period: Period, reports: Reports) -> Judgement:
    """Whether a value has come up from almost nothing.

    All of this must hold, where a value that is hidden in a report before counts as one
    conversation fewer than MIN_USERS_PER_CELL, at most as many as are hidden there:

    - it has `min_users` users and `min_share` of the conversations started;
    - where it was shown in the periods before, it had `max_share_before` of all at most;
    - its share is `growth` times what it had before at most, hidden ones included;
    - that is not chance: if conversations before and now were as likely to be about it, so many
      of them now would have a probability of at most `significance`, divided by the number of
      values shown. Of each user one conversation counts. Given both numbers, this is a binomial
      test (Przyborowski and Wilenski 1940, Biometrika 31:313).

    Only reports that lack nothing are looked at before, which must be half of `history` at least.
    """
    document = reports[period]
    entry = entry_of(document, subject)
    if entry is None:
        return Quiet()
    before = [
        reports[one]
        for one in compared_with(rule, period)
        if one in reports and not lacking(rule, reports[one])
    ]
    if 2 * len(before) < rule.periods_before:
        return Undecided(
            f"{len(before)} of the {rule.periods_before} periods before have a complete report"
        )
    now, total = _conversations(entry), _conversations(document)
    seen = sum(_conversations(entry_of(one, subject)) for one in before)
    most = sum(_at_most(one, subject) for one in before)
    total_before = sum(_conversations(one) for one in before)
    if not total or not total_before:
        return Undecided("no conversation started, or none in the periods before")
    share, share_before = now / total, most / total_before
    values = len(document["breakdowns"][rule.dimension])
    if (
        entry["users"] >= rule.min_users
        and share >= rule.min_share
        and seen / total_before <= rule.max_share_before
        and share >= rule.growth * share_before
        and _chance(min(now, entry["users"]), total, most, total_before)
        <= rule.significance / values
    ):
        words = wording.emerging(now, total, entry["users"], share_before, len(before), period)
        return Fires(share, share_before, words)
    return Quiet()


def _beyond(rule: Above | Below, subject: Subject, value: float, holds: bool) -> Judgement:
    if not holds:
        return Quiet()
    return Fires(value, rule.threshold, wording.beyond(rule, subject, value))


def _change(
    rule: Change, subject: Subject, value: float, period: Period, reports: Reports
) -> Judgement:
    (earlier,) = compared_with(rule, period)
    known = _history(rule, subject, [earlier], reports)
    if not known:
        return Undecided(f"{earlier.key} has no complete report to compare with")
    before = known[0]
    difference = value - before
    far = abs(difference) > rule.by * abs(before)
    if not far or not _wanted(rule.direction, difference, rule.min_difference):
        return Quiet()
    return Fires(value, before, wording.change(rule, subject, value, before, earlier))


def _anomaly(
    rule: Anomaly, subject: Subject, value: float, period: Period, reports: Reports
) -> Judgement:
    known = _history(rule, subject, compared_with(rule, period), reports)
    if len(known) < rule.min_history:
        return Undecided(f"fewer than {rule.min_history} earlier values to compare with")
    score, usual = robust_z(value, known), median(known)
    far = abs(score) >= rule.threshold
    if not far or not _wanted(rule.direction, value - usual, rule.min_difference):
        return Quiet()
    return Fires(value, usual, wording.anomaly(rule, subject, value, known, score, period))


def _history(
    rule: MetricRule, subject: Subject, periods: Sequence[Period], reports: Reports
) -> list[float]:
    """What was measured in earlier periods, of reports that lack nothing."""
    documents = [reports[one] for one in periods if one in reports]
    found = (figure(one, rule.metric, subject) for one in documents if not lacking(rule, one))
    return [one for one in found if one is not None]


def _wanted(direction: Direction, difference: float, least: float) -> bool:
    """Whether a difference goes a way that is asked for, and is large enough."""
    there = {"up": difference > 0, "down": difference < 0, "both": difference != 0}
    return there[direction] and abs(difference) >= least


def _conversations(told: Document | None) -> int:
    return int((told or {"metrics": {}})["metrics"].get("conversations") or 0)


def _at_most(document: Document, subject: Subject) -> int:
    """How many conversations about a value a report leaves room for."""
    entry = entry_of(document, subject)
    if entry is not None:
        return _conversations(entry)
    room = hidden_of(document, subject.dimension, "conversations")
    return max(0, min(room, int(document["min_users_per_cell"]) - 1))


def _chance(now: int, total: int, before: int, total_before: int) -> float:
    """Probability of at least `now` of `now + before` falling into a period by chance."""
    from scipy.special import bdtrc

    return float(bdtrc(now - 1, now + before, total / (total + total_before)))
