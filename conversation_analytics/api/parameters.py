"""Parameters of requests. One that is not among them is refused, not ignored."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from conversation_analytics.api.problems import Problem
from conversation_analytics.partitions import parse_day
from conversation_analytics.periods import Grain
from conversation_analytics.storage.encoding import digest

_MOST_VALUES = 20


def _day(value: Any) -> Any:
    """Only YYYY-MM-DD; pydantic would take numbers and times as well."""
    return parse_day(value) if isinstance(value, str) else value


Day = Annotated[date, BeforeValidator(_day)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Values = Annotated[list[Text], Field(max_length=_MOST_VALUES)]
Attribute = Annotated[str, StringConstraints(max_length=400, pattern="(?s)^[^=]+=.+$")]


class Nothing(BaseModel):
    """No parameters at all."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Range(BaseModel):
    """Local days, both included."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    first: Day | None = Field(
        None, alias="from", description="First day, YYYY-MM-DD.", examples=["2024-01-01"]
    )
    last: Day | None = Field(
        None, alias="to", description="Last day, included.", examples=["2024-01-31"]
    )

    def checked(self, today: date) -> Self:
        """The range itself.

        Raises:
            Problem: it begins in the future, or ends before it begins.
        """
        if self.first is not None and self.first > today:
            words = f"`from` is {self.first}, and today is {today}: nothing can be there yet."
            raise Problem("future-date", words, today=today)
        if self.first is not None and self.last is not None and self.last < self.first:
            words = f"query.to: {self.last} is before `from`, {self.first}"
            problem = {"part": "query.to", "reason": f"it is before `from`, {self.first}"}
            raise Problem("invalid-request", words, errors=[problem])
        return self


def _values(description: str, example: str) -> Any:
    words = f"{description} Several: any of them. `(none)`: those without."
    return Field(default_factory=list, description=words, examples=[[example]])


class ConversationFilters(Range):
    """Which conversations; all that is given must hold."""

    user: Values = _values("User id.", "user-000017")
    language: Values = _values("Language: the label, else as declared.", "th")
    topic: Values = _values("Topic, one of all the conversation is about.", "billing")
    main_topic: Values = _values("Topic that the conversation is mainly about.", "billing")
    intent: Values = _values("Main intent.", "refund_request")
    sentiment: Values = _values("Sentiment.", "negative")
    channel: Values = _values("Channel.", "web")
    model: Values = _values("Model.", "gpt-4o")
    status: Values = _values("Status in the source.", "open")
    attribute: Annotated[list[Attribute], Field(max_length=_MOST_VALUES)] = Field(
        default_factory=list,
        description="Attribute in the source, `name=value`. Several of a name: any of them. "
        "`name=(none)`: those without.",
        examples=[["segment=vip"]],
    )
    escalated: bool | None = Field(None, description="Whether a human was asked for.")
    has_error: bool | None = Field(None, description="Whether a message has an error.")
    feedback: Literal["positive", "negative", "neutral", "none"] | None = Field(
        None, description="Sign of the mean feedback."
    )
    min_messages: int | None = Field(None, ge=0, le=1_000_000, description="Least messages.")
    q: Annotated[str, StringConstraints(min_length=2, max_length=200)] | None = Field(
        None,
        description="Text in a message or the title, whatever its case.",
        examples=["invoice"],
    )

    @property
    def attributes(self) -> dict[str, list[str]]:
        """The values that are wanted of each attribute."""
        found: dict[str, list[str]] = {}
        for one in self.attribute:
            name, _, value = one.partition("=")
            found.setdefault(name, []).append(value)
        return found

    @property
    def fingerprint(self) -> str:
        """Names what is asked for, so that a cursor is not used with other filters."""
        return digest(self.model_dump_json(include=set(ConversationFilters.model_fields)).encode())


class ConversationQuery(ConversationFilters):
    """A page of conversations."""

    limit: int = Field(50, ge=1, le=200, description="Most conversations of a page.")
    cursor: str | None = Field(
        None, max_length=1_500, description="`next_cursor` of the page before, same filters."
    )


class TurnQuery(BaseModel):
    """Which messages of a conversation."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    turn: int = Field(0, ge=0, le=10_000_000, description="`turn_index` of the first message.")
    limit: int = Field(500, ge=1, le=1_000, description="Most messages.")


class FileQuery(BaseModel):
    """What kind of file is exported."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["csv", "parquet", "arrow"] = Field(
        "csv", description="CSV, Parquet, or a stream of Arrow record batches."
    )


class ExportQuery(ConversationFilters, FileQuery):
    """Which conversations are exported, and how."""


class ReportsQuery(Range):
    """Which reports."""

    grain: Grain = Field("daily", description="Days, ISO weeks or months.")
    limit: int = Field(100, ge=1, le=500, description="Most reports of a page.")
    before: Text | None = Field(
        None, description="Key of the last report of the page before.", examples=["2024-01-31"]
    )


class CompareQuery(BaseModel):
    """Two reports of a grain."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    grain: Grain = Field("daily", description="Days, ISO weeks or months.")
    key: Text = Field(description="The report.", examples=["2024-01-31"])
    other: Text | None = Field(
        None,
        description="What it is compared with; the period right before unless given.",
        examples=["2024-01-24"],
    )
    by: Text | None = Field(
        None, description="Dimension whose values are compared as well.", examples=["topic"]
    )


class SeriesQuery(Range):
    """One metric over time."""

    metric: Text = Field(description="Name of a metric.", examples=["conversations"])
    grain: Grain = Field("daily", description="Days, ISO weeks or months.")
    by: Text | None = Field(
        None, description="Dimension: one series for each of its values.", examples=["topic"]
    )
    value: Values = Field(
        default_factory=list, description="Only these values of `by`.", examples=[["billing"]]
    )


class FiguresExportQuery(Range, FileQuery):
    """Which figures are exported, and how; all that is given must hold."""

    grain: Grain = Field("daily", description="Days, ISO weeks or months.")
    metric: Values = Field(
        default_factory=list,
        description="Name of a metric. Several: any of them.",
        examples=[["conversations"]],
    )
    by: Values = Field(
        default_factory=list,
        description="Dimension. Several: any of them. `(none)`: figures of the whole.",
        examples=[["topic"]],
    )
    value: Values = Field(
        default_factory=list, description="Only these values of `by`.", examples=[["billing"]]
    )


class ModelsQuery(BaseModel):
    """Of which period."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    grain: Grain = Field("daily", description="Days, ISO weeks or months.")
    key: Text | None = Field(
        None,
        description="Period; the last that has a report unless given.",
        examples=["2024-01-31"],
    )


class UserFilters(BaseModel):
    """Which users; all that is given must hold."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    is_new: bool | None = Field(None, description="Whether they came in the last seven days.")
    topic: Values = _values("One of a user's most frequent topics.", "billing")
    min_conversations: int | None = Field(
        None, ge=0, le=1_000_000_000, description="Least conversations."
    )

    @property
    def fingerprint(self) -> str:
        """Names what is asked for, so that a cursor is not used with other filters."""
        return digest(self.model_dump_json(include=set(UserFilters.model_fields)).encode())


class UsersQuery(UserFilters):
    """A page of users."""

    limit: int = Field(50, ge=1, le=500, description="Most users of a page.")
    cursor: str | None = Field(
        None, max_length=1_500, description="`next_cursor` of the page before, same filters."
    )


class UsersExportQuery(UserFilters, FileQuery):
    """Which users are exported, and how."""
