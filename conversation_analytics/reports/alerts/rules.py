"""The rules of alerts: what each kind takes, and what it may be given."""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches
from hashlib import blake2b
from typing import Annotated, Any, Final, Literal, TypeAlias

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from conversation_analytics.periods import Grain, Period
from conversation_analytics.reports.pooling import OTHER
from conversation_analytics.schemas.metric import Metric
from conversation_analytics.schemas.metrics import METRICS

Severity = Literal["info", "warning", "critical"]
Direction = Literal["up", "down", "both"]

_LOOKED_BACK: Final[dict[Grain, int]] = {"daily": 28, "weekly": 8, "monthly": 6}
_WORDS: Final = ("name", "severity", "message")
_WEEK: Final = 7


class _Rule(BaseModel):
    """What all rules have.

    Attributes:
        name: what the rule is called, and its alerts are remembered by.
        grain: whose reports it looks at.
        severity: how bad it is, for whoever is told.
        message: what is said besides, such as what to do.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,59}$")
    grain: Grain
    severity: Severity = "warning"
    message: str = ""

    @property
    def version(self) -> str:
        """Hash of all that decides when it fires."""
        decides = self.model_dump(mode="json", exclude=set(_WORDS))
        return blake2b(orjson.dumps(decides), digest_size=6).hexdigest()


class _OfMetric(_Rule):
    """A rule about a metric: of the whole of a period, of one value, or of every value.

    Attributes:
        metric: name of the metric.
        currency: of money, one currency; else every one.
        dimension: whose values it is about; null for the whole.
        value: one value; else every one that is not pooled.
    """

    metric: str
    currency: str | None = None
    dimension: str | None = None
    value: str | None = None

    @property
    def measured(self) -> Metric:
        """Its metric."""
        return METRICS[self.metric]

    @field_validator("metric")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in METRICS:
            raise ValueError(f"there is no metric {value!r}{_near(value, METRICS)}")
        return value

    @field_validator("dimension")
    @classmethod
    def _is_dimension(cls, value: str | None, info: ValidationInfo) -> str | None:
        return _known_dimension(value, info)

    @field_validator("value")
    @classmethod
    def _is_shown(cls, value: str | None) -> str | None:
        if value == OTHER:
            raise ValueError(f"{OTHER} is not a value: it is what few users have, put together")
        return value

    @model_validator(mode="after")
    def _belong_together(self) -> _OfMetric:
        if self.value is not None and self.dimension is None:
            raise ValueError("value needs a dimension that it is a value of, such as topic")
        if self.currency is not None and not self.measured.per_currency:
            raise ValueError(f"{self.metric} is no amount of money: leave currency out")
        return self


class _Threshold(_OfMetric):
    threshold: float

    @model_validator(mode="after")
    def _can_be_passed(self) -> _Threshold:
        if self.measured.unit == "share" and not 0 <= self.threshold <= 1:
            raise ValueError(
                f"threshold is {self.threshold:g}, and {self.metric} is a share: give a number "
                "from 0 to 1, such as 0.2 for 20 %"
            )
        return self


class Above(_Threshold):
    """Fires where the metric is greater than the threshold, in the unit of the metric."""

    kind: Literal["above"]


class Below(_Threshold):
    """Fires where the metric is smaller than the threshold."""

    kind: Literal["below"]


class _Compared(_OfMetric):
    """A rule that compares with earlier periods.

    Attributes:
        direction: which way the metric has to have gone.
        min_difference: smallest difference to tell of, in the unit of the metric.
    """

    direction: Direction = "both"
    min_difference: float = Field(0.0, ge=0)


class Change(_Compared):
    """Fires where the metric differs from an earlier period by more than a fraction of that.

    Attributes:
        by: the fraction, such as 0.3 for 30 %.
        against: the period right before, or, of days, the same weekday a week earlier.
    """

    kind: Literal["change"]
    by: float = Field(gt=0)
    against: Literal["previous", "same_weekday"] = "previous"

    @model_validator(mode="after")
    def _has_weekdays(self) -> Change:
        if self.against == "same_weekday" and self.grain != "daily":
            raise ValueError("against: same_weekday is for daily rules; others have previous")
        return self


class Anomaly(_Compared):
    """Fires where the metric is far from what it was in like periods before.

    A day is compared with the same weekday of the weeks before, a week or month with those right
    before it. See `judging.robust_z` for what far is.

    Attributes:
        threshold: robust z from which on it fires.
        history: how many periods before it is compared with.
        min_history: how many of them must have a value.
    """

    kind: Literal["anomaly"]
    threshold: float = Field(5.0, gt=0)
    history: int = Field(12, ge=4, le=104)
    min_history: int = Field(8, ge=4)

    @model_validator(mode="after")
    def _can_have_it(self) -> Anomaly:
        if self.min_history > self.history:
            raise ValueError(
                f"min_history is {self.min_history}, and history is {self.history} periods only"
            )
        return self


class Emerging(_Rule):
    """Fires for each value that has come up from almost nothing. See `judging.emerges`.

    Attributes:
        dimension: whose values it looks at.
        min_users: users that the value has at least.
        min_share: share of the conversations that it has at least.
        max_share_before: share that it had at most in the periods before.
        growth: how many times its share before its share is at least.
        history: how many periods before are looked at; null for 28 days, 8 weeks or 6 months.
        significance: chance at most of an alert about a dimension in which nothing has changed.
    """

    kind: Literal["emerging"]
    dimension: str = "topic"
    min_users: int = Field(10, ge=2)
    min_share: float = Field(0.02, gt=0, le=1)
    max_share_before: float = Field(0.01, ge=0, lt=1)
    growth: float = Field(5.0, gt=1)
    history: int | None = Field(None, ge=2, le=104)
    significance: float = Field(0.001, gt=0, lt=0.5)

    @field_validator("dimension")
    @classmethod
    def _is_dimension(cls, value: str, info: ValidationInfo) -> str:
        return _known_dimension(value, info) or value

    @model_validator(mode="after")
    def _can_rise(self) -> Emerging:
        if self.max_share_before >= self.min_share:
            raise ValueError(
                f"max_share_before is {self.max_share_before:g}: it must be smaller than "
                f"min_share, which is {self.min_share:g}"
            )
        return self

    @property
    def periods_before(self) -> int:
        """How many periods before are looked at."""
        return self.history or _LOOKED_BACK[self.grain]


MetricRule: TypeAlias = Above | Below | Change | Anomaly
Rule: TypeAlias = MetricRule | Emerging
AnyRule = Annotated[Rule, Field(discriminator="kind")]
KINDS: Final[dict[str, type[_Rule]]] = {
    "above": Above,
    "below": Below,
    "change": Change,
    "anomaly": Anomaly,
    "emerging": Emerging,
}


def compared_with(rule: Rule, period: Period) -> list[Period]:
    """The periods before one that a rule judges it by, latest first."""
    match rule:
        case Change(against="same_weekday"):
            return _before(period, 1, _WEEK)
        case Change():
            return _before(period, 1, 1)
        case Anomaly():
            return _before(period, rule.history, _WEEK if rule.grain == "daily" else 1)
        case Emerging():
            return _before(period, rule.periods_before, 1)
        case _:
            return []


def _before(period: Period, count: int, step: int) -> list[Period]:
    found = []
    for _ in range(count):
        for _ in range(step):
            period = period.previous()
        found.append(period)
    return found


def _known_dimension(value: str | None, info: ValidationInfo) -> str | None:
    known: Collection[str] = (info.context or {}).get("dimensions", ())
    if value is not None and value not in known:
        raise ValueError(
            f"reports have no dimension {value!r}{_near(value, known)}; they have "
            f"{', '.join(known)}, and what REPORT_DIMENSIONS names"
        )
    return value


def _near(name: str, known: Collection[str]) -> str:
    """Names that are nearly the same, as a question."""
    close = get_close_matches(name, list(known), n=3)
    return f": did you mean {' or '.join(close)}?" if close else ""


def allowed_fields(kind: Any) -> list[str]:
    """What a rule of a kind may say."""
    return sorted(KINDS[kind].model_fields) if kind in KINDS else []
