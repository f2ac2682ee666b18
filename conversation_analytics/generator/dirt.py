"""What dirt is made with: fresh rows to spoil, and a record of what must become of each.

Dirt never touches the rows of the clean conversations around it. Every fault brings rows of its
own, so faults cannot meet, and what must become of a row follows from its fault alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, TypeVar

from conversation_analytics.generator.conversations import Conversation, ConversationMaker
from conversation_analytics.generator.output import Output, Reason, Table, encoded
from conversation_analytics.generator.profile import Row, RowShape
from conversation_analytics.generator.times import iso

Value = TypeVar("Value")

TOO_LARGE = 8 * 1024 * 1024 + 1
"""Characters of a text that makes a row too large by itself."""

UNREADABLE_TIMES = (
    "yesterday",
    "05/06/2024 10:00",
    "2024-13-45T10:00:00+00:00",
    "2024-02-30T10:00:00+00:00",
    "10:30",
    "n/a",
)
OTHER_CENTURIES = (
    "2099-03-01T10:00:00+00:00",
    "1999-12-31T23:00:00+00:00",
    "2099-12-31T00:00:00+00:00",
    "2001-09-09T01:46:40+00:00",
)
ODD_TEXTS = (
    "a\x00b NUL in the middle",
    "one\u2028two\u2029three",
    "\u202eright to left\u202c שלום",
    "\ufeffmark in front",
    "windows\r\nline\rends\x85here",
    "family 👨‍👩‍👧‍👦 flag 🇹🇭 e\u0301",
)

_STEP = 90
"""Seconds from a conversation's last message to the next that dirt adds; longer than an answer."""

_HALF_EMOJI = "\ud83d"
_MARK = "@latin-1@"


@dataclass(slots=True)
class Host:
    """A clean conversation that takes further messages; `tail` is the time of the next one."""

    conversation: Conversation
    conversation_id: str
    tail: int


class Dirt:
    """Makes rows to spoil, and hands rows on to the output.

    Attributes:
        shape: of the rows.
        output: of the export.
        variant: how often the present fault has been applied before; faults vary by it.
    """

    def __init__(self, shape: RowShape, maker: ConversationMaker, output: Output) -> None:
        self.shape = shape
        self.output = output
        self.variant = 0
        self._maker = maker
        self._later: list[Callable[[], None]] = []

    def host(self, conversation: Conversation) -> Host:
        """A clean conversation as one that takes further messages."""
        own = self.shape.conversation_id(conversation.number)
        return Host(conversation, own, conversation.ended + _STEP)

    def message(self, host: Host) -> Row:
        """A fresh message row at the end of a clean conversation."""
        extra = self._maker.make(host.conversation.person, host.tail, 1)
        host.tail = extra.ended + _STEP
        return {**self.shape.message_rows(extra)[0], "conversation_id": host.conversation_id}

    def conversation(self, host: Host, messages: int) -> tuple[Row, list[Row]]:
        """A fresh conversation row that starts when the clean one does, with its messages."""
        fresh = self._maker.make(host.conversation.person, host.conversation.started, messages)
        return self.shape.conversation_row(fresh), self.shape.message_rows(fresh)

    def choose(self, values: Sequence[Value]) -> Value:
        """The value that is this variant's turn."""
        return values[self.variant % len(values)]

    def id_column(self, table: Table) -> str:
        """The column that holds a row's own id."""
        columns = self.shape.columns
        return columns.conversation_id if table == "conversations" else columns.message_id

    def text_column(self, table: Table) -> str:
        """A column that holds text people wrote."""
        columns = self.shape.columns
        return columns.conversation_text if table == "conversations" else columns.message_text

    def refuse(self, table: Table, row: Row, reason: Reason) -> None:
        """Write a row that cannot be used, though its id can be read."""
        self.output.quarantine(table, encoded(row), row[self.id_column(table)], reason)

    def later(self, write: Callable[[], None]) -> None:
        """Write something only when the next fault is applied, elsewhere in the file."""
        self._later.append(write)

    def flush(self) -> None:
        """Write what was to be written later."""
        due, self._later = self._later, []
        for write in due:
            write()


def malformed(row: Row, variant: int) -> bytes:
    """A line that is no JSON object."""
    text = encoded(row).decode()
    return (
        text[: len(text) // 2].encode(),
        b'["u-1", "user", "hello"]',
        b'{"id": "x", "text": }',
        b"<html><body>502 Bad Gateway</body></html>",
        b'"just a text"',
        encoded(row) + b",",
        b"null",
    )[variant % 7]


def badly_encoded(row: Row, column: str, variant: int) -> bytes:
    """A line that holds half of an emoji, or whose text is Latin-1, in turn."""
    if variant % 2:
        line = encoded({**row, column: f"caf{_MARK} au lait"})
        return line.replace(_MARK.encode(), b"\xe9")
    return json.dumps({**row, column: f"{row[column]} {_HALF_EMOJI}"}).encode()


def without_id(row: Row, column: str, variant: int) -> Row:
    """A row without an id: no column, null, empty or blank, in turn."""
    if variant % 4 == 0:
        return {key: value for key, value in row.items() if key != column}
    return {**row, column: (None, "", "   ")[variant % 4 - 1]}


def oddly_timed(second: int, variant: int) -> Any:
    """A time in one of the forms that are unusual but can only mean one thing."""
    text = iso(second)
    moment = datetime.fromtimestamp(second, UTC)
    return (
        second,
        second * 1000,
        text.replace("T", " "),
        text.removesuffix("+00:00") + ".123Z",
        format_datetime(moment),
        moment.strftime("%Y-%m-%dT%H:%M:%S+0000"),
    )[variant % 6]
