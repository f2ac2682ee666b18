"""Parameters of the dashboard's pages. One that is not among them is refused, not ignored."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from conversation_analytics.api.parameters import ConversationFilters
from conversation_analytics.periods import Grain

PAGE: Final = 20
"""Conversations on a page."""

UserOrder = Literal["last_seen", "conversations", "messages", "escalations", "avg_sentiment"]


Key = Annotated[str | None, Field(max_length=20)]
Choice = Annotated[str | None, Field(max_length=300)]


class PeriodQuery(BaseModel):
    """Which report a page shows."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    grain: Grain = "weekly"
    period: Key = None


class SliceQuery(PeriodQuery):
    """Which report, and of which value of a dimension.

    Attributes:
        only: ``dimension:value``, or null for all conversations.
    """

    only: Choice = None


class TopicQuery(PeriodQuery):
    """Which report, and which topic or intent is looked at closely."""

    topic: Choice = None
    intent: Choice = None


class ListQuery(ConversationFilters):
    """Which conversations are listed."""

    cursor: str | None = Field(None, max_length=1_500)


class ReaderQuery(BaseModel):
    """From which turn on a conversation is read."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    turn: int = Field(0, ge=0, le=10_000_000)


class PeopleQuery(BaseModel):
    """Which users are listed, and in which order."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    q: Choice = None
    order: UserOrder = "last_seen"
    page: int = Field(1, ge=1, le=1_000_000)


class DaysQuery(BaseModel):
    """Nothing to choose."""

    model_config = ConfigDict(extra="forbid", frozen=True)
