"""What to generate."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Literal, get_args

from conversation_analytics.errors import SettingsError

Profile = Literal["plain", "dify"]

MAX_MESSAGES = 1_000_000_000
MAX_DAYS = 36_500


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratorOptions:
    """What to generate.

    Attributes:
        out: folder of the export; made if it is not there.
        messages: messages in the export. A ``dify`` row holds two of them, a question and its
            answer, so that profile writes half as many rows.
        days: calendar days, UTC, on which conversations start. Conversations go on after the
            last of them, mostly for minutes, at most for hours.
        seed: same options, same bytes.
        profile: shape of the rows.
        dirty: whether to mix in rows that cannot be used, and to write down which.
        start: the first day.

    Raises:
        SettingsError: a value is out of range; names it and what is allowed.
    """

    out: Path
    messages: int
    days: int
    seed: int = 0
    profile: Profile = "plain"
    dirty: bool = False
    start: date = date(2024, 1, 1)

    def __post_init__(self) -> None:
        least = 2 if self.profile == "dify" else 1
        if not least <= self.messages <= MAX_MESSAGES:
            raise SettingsError(
                f"--messages is {self.messages}: allowed are {least} to {MAX_MESSAGES:,}."
            )
        if not 1 <= self.days <= MAX_DAYS:
            raise SettingsError(f"--days is {self.days}: allowed are 1 to {MAX_DAYS:,}.")
        if self.seed < 0:
            raise SettingsError(f"--seed is {self.seed}: allowed are whole numbers from 0.")
        if self.profile not in get_args(Profile):
            raise SettingsError(
                f"--profile is '{self.profile}': allowed are {', '.join(get_args(Profile))}."
            )
        if not date(1970, 1, 1) <= self.start <= date(2100, 1, 1):
            raise SettingsError(f"--start is {self.start}: allowed are days from 1970 to 2100.")

    @property
    def rows(self) -> int:
        """Rows of the messages table."""
        return self.messages // 2 if self.profile == "dify" else self.messages

    @property
    def last_day(self) -> date:
        """The last day on which a conversation starts."""
        return self.start + timedelta(days=self.days - 1)

    @property
    def start_second(self) -> int:
        """Unix time of the first day's midnight, UTC."""
        return int(datetime(*self.start.timetuple()[:3], tzinfo=UTC).timestamp())
