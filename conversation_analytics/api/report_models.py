"""What answers of figures look like, for the OpenAPI document."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from pydantic import ConfigDict, Field

from conversation_analytics.api.models import Answer, CoverageOf, model_of
from conversation_analytics.periods import Grain
from conversation_analytics.schemas import USER_ANALYTICS
from conversation_analytics.schemas.base import CONTENT_HASH
from conversation_analytics.schemas.metric import Direction, Unit

Figure = float | None | dict[str, float | None]

User = model_of("User", [one for one in USER_ANALYTICS.columns if one != CONTENT_HASH])


class MetricOf(Answer):
    """A metric."""

    name: str
    title: str
    unit: Unit
    description: str
    direction: Direction = Field(description="Whether more of it is better.")
    group: str
    headline: bool
    additive: bool = Field(description="Whether days add up to weeks and months.")
    per_currency: bool = Field(description="Whether there is a figure for each currency.")
    decimals: int = Field(description="Digits after the point worth showing.")


class MetricCatalogue(Answer):
    """What can be asked for."""

    metrics: list[MetricOf]
    dimensions: list[str] = Field(description="By which figures can be told apart.")
    grains: list[Grain]


class ReportEntry(Answer):
    """A report there is."""

    grain: Grain
    key: str
    first: date = Field(alias="from")
    last: date = Field(alias="to")
    report_version: int
    made_at: datetime
    shortcomings: str = Field(description="What it lacks, in words; empty if nothing.")


class ReportPage(Answer):
    """Reports, the newest first."""

    items: list[ReportEntry]
    next_before: str | None = Field(description="`before` of the next page; null at the end.")
    missing: list[str] = Field(
        description="Periods of the range without a report, the newest 100 of them."
    )
    coverage: CoverageOf


class Report(Answer):
    """A report as it is in the lake (`report.json`)."""

    model_config = ConfigDict(extra="allow", populate_by_name=True)

    grain: Grain
    key: str
    report_version: int
    first: date = Field(alias="from")
    last: date = Field(alias="to")
    days_present: list[date]
    metrics: dict[str, Figure]
    breakdowns: dict[str, list[dict[str, Any]]]


class Change(Answer):
    """A figure of two reports. Null: nothing to measure, or nothing to compare with."""

    metric: str
    currency: str | None
    now: float | None
    before: float | None
    change: float | None
    relative: float | None = Field(description="`change` / `before`; null if that is 0.")


class ChangeOf(Change):
    """A figure of a value."""

    value: str


class PeriodOf(Answer):
    """A period."""

    key: str
    first: date = Field(alias="from")
    last: date = Field(alias="to")


class Comparison(Answer):
    """Two reports side by side."""

    grain: Grain
    now: PeriodOf
    before: PeriodOf
    changes: list[Change]
    by: str | None
    breakdown: list[ChangeOf] = Field(description="Of each value of `by`.")


class Point(Answer):
    """A figure of a period."""

    key: str
    figure: float | None = Field(description="Null: nothing to measure.")
    users: int = Field(description="Distinct users behind it.")


class SeriesOf(Answer):
    """The figures of a value, in order; a period in which it was not shown has none."""

    value: str = Field(description="Empty for the whole.")
    currency: str | None
    points: list[Point]


class Series(Answer):
    """A metric over time."""

    metric: MetricOf
    grain: Grain
    by: str | None
    series: list[SeriesOf]
    periods: list[PeriodOf] = Field(description="Those that have reports.")
    missing: list[str] = Field(description="Those that have none, the newest 100 of them.")
    coverage: CoverageOf


class ModelFigures(Answer):
    """How a model does."""

    model_config = ConfigDict(extra="allow", populate_by_name=True)

    model: str
    messages: float | None
    cost: dict[str, float | None]


class ModelPage(Answer):
    """The models of a period."""

    grain: Grain
    key: str | None = Field(description="Null if there are no reports yet.")
    models: list[ModelFigures]


class UserPage(Answer):
    """Users, those seen last first."""

    items: list[User]  # type: ignore[valid-type]
    next_cursor: str | None = Field(description="Where to go on; null at the end.")
    coverage: CoverageOf


class UserWhole(Answer):
    """One user."""

    user: User  # type: ignore[valid-type]
