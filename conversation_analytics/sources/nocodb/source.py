"""NocoDB as a source of conversations."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from urllib.parse import quote
from uuid import UUID

import urllib3

from conversation_analytics.errors import SourceSchemaError
from conversation_analytics.sources.base import Page, SourceInfo, SourceTable, TableInfo
from conversation_analytics.sources.mapping import FieldMapping
from conversation_analytics.sources.nocodb import filters
from conversation_analytics.sources.nocodb.answers import Rows
from conversation_analytics.sources.nocodb.client import NocoDBClient
from conversation_analytics.sources.nocodb.filters import Filter
from conversation_analytics.sources.nocodb.paging import TableReader, read_ahead
from conversation_analytics.sources.nocodb.schema import (
    Base,
    Column,
    Table,
    column_titles,
    discover,
)

VALUES_BYTES = 6000  # leaves the rest of an 8 KB URL, which proxies commonly allow, to its frame

_INTEGER = re.compile(r"-?[0-9]{1,18}")


class NocoDBSource:
    """Reads both tables of one NocoDB base; implements `ConversationSource`.

    Every iterator asks for its next page in a background thread while the caller works on the
    present one, because the server is the slower of the two.
    """

    def __init__(
        self,
        *,
        base_url: str,
        api_token: str,
        base_id: str,
        conversation_table: str,
        messages_table: str,
        mapping: FieldMapping,
        max_retries: int,
        retry_delay: float,
        timeout: float = 60.0,
        batch_ids: int = 100,
        network: urllib3.HTTPConnectionPool | None = None,
    ) -> None:
        """Set up without any I/O.

        Args:
            base_url: the server's root address.
            api_token: an API token of a user who may view the base.
            base_id: NocoDB's id of the base.
            conversation_table: name or id of the conversations table.
            messages_table: name or id of the messages table.
            mapping: which source column is which of our fields.
            max_retries: how often a request is sent again at most.
            retry_delay: seconds before the second try; doubles with every further one.
            timeout: seconds to wait for a connection or for the next bytes.
            batch_ids: the most ids one request asks for.
            network: replaces the network, for tests.

        Raises:
            SourceAccessDenied: the token cannot be one.
        """
        self._client = NocoDBClient(
            base_url=base_url,
            api_token=api_token,
            max_retries=max_retries,
            retry_delay=retry_delay,
            timeout=timeout,
            network=network,
        )
        self._base_id = base_id
        self._names: dict[SourceTable, str] = {
            "conversations": conversation_table,
            "messages": messages_table,
        }
        self._mapping = mapping
        self._batch_ids = batch_ids
        self._base: Base | None = None

    @property
    def queries(self) -> NocoDBSource:
        """Itself: it can be asked for ranges and ids, not only read whole."""
        return self

    def probe(self) -> SourceInfo:
        """Learn what the source is and can do; asks afresh every time.

        Raises:
            SourceUnavailable: it cannot be reached.
            SourceAccessDenied: it refuses the token.
            SourceSchemaError: base, table, key or a mapped column is missing.
        """
        base = self._base = self._discover()
        conversations = TableReader(self._client, base.conversations).sample()
        messages = TableReader(self._client, base.messages).sample()
        location = self._client.location
        tables = f"{base.conversations.id}+{base.messages.id}"
        keys = {base.conversations.key_type, base.messages.key_type}
        return SourceInfo(
            kind="nocodb",
            location=(
                f"{location}, base {self._base_id}, tables {base.conversations.title} and "
                f"{base.messages.title}"
            ),
            fingerprint=f"nocodb:{location}/{self._base_id}/{tables}",
            clock=base.served_at or datetime.now(UTC),
            ordered=keys == {"integer"},
            conversations=_table_info(base.conversations, conversations),
            messages=_table_info(base.messages, messages),
            details={
                "api": base.api_version,
                "page_cap": str(min(conversations.page_size, messages.page_size)),
                "clock": "the server's" if base.served_at else "this machine's: no Date header",
                "times": "answered in whole seconds",
                "conversation_changes": _change_columns(base.conversations),
                "message_changes": _change_columns(base.messages),
            },
            change_columns={
                "conversations": base.conversations.change_columns(),
                "messages": base.messages.change_columns(),
            },
            creation_columns={
                "conversations": base.conversations.creation_columns(),
                "messages": base.messages.creation_columns(),
            },
        )

    def scan(self, table: SourceTable) -> Iterator[Page]:
        """Every row once, by key, up to the largest key there was before the first page."""
        return self._pages(table, TableReader(self._client, self._table(table)).everything())

    def conversations_between(self, start: datetime, end: datetime) -> Iterator[Page]:
        """Conversations created in [start, end), to the second, or without a creation time.

        Raises:
            SourceSchemaError: the table cannot be filtered by creation time.
        """
        return self._between("conversations", start, end, or_none=True)

    def messages_between(self, start: datetime, end: datetime) -> Iterator[Page]:
        """Messages created in [start, end), to the second.

        Raises:
            SourceSchemaError: the table cannot be filtered by creation time.
        """
        return self._between("messages", start, end, or_none=False)

    def changes(
        self, table: SourceTable, since: datetime, after: int | str | None = None
    ) -> Iterator[Page]:
        """Rows whose change columns say `since`, cut to the second, or later; by key.

        Raises:
            SourceSchemaError: the table does not tell when rows were changed.
        """
        described = self._table(table)
        columns = described.change_columns()
        if not columns:
            raise SourceSchemaError(
                f"NocoDB table {described.title!r} has no date-time column that tells when a row "
                "was made or changed: compare everything instead, with sync --sweep."
            )
        wanted = filters.either(*(filters.at(column, "gte", since) for column in columns))
        return self._pages(table, TableReader(self._client, described).by_key(wanted, after=after))

    def rows_by_key(self, table: SourceTable, keys: Sequence[str]) -> Iterator[Page]:
        """The rows with some primary keys, by key within each batch."""
        described = self._table(table)
        reader = TableReader(self._client, described)
        columns = (described.key,)
        answers = (
            answer
            for batch in self._batches(keys, columns)
            for answer in reader.by_key(_id_in(columns, batch))
        )
        return self._pages(table, answers)

    def conversations_by_id(self, ids: Sequence[str]) -> Iterator[Page]:
        """All rows whose conversation id is one of `ids`, by key within each batch of ids.

        Raises:
            SourceSchemaError: the conversation id is mapped to the inside of a JSON column.
        """
        table = self._table("conversations")
        reader = TableReader(self._client, table)
        columns = _id_columns(table)
        answers = (
            answer
            for batch in self._batches(ids, columns)
            for answer in reader.by_key(_id_in(columns, batch))
        )
        return self._pages("conversations", answers)

    def messages_of(self, conversation_ids: Sequence[str]) -> Iterator[Page]:
        """All messages of the conversations, by creation time, then key, within each batch.

        Rows of one conversation come in the server's own order, which is finer than the seconds
        in their times. One second that fills a whole page by itself comes by key instead.

        Raises:
            SourceSchemaError: the conversation id is mapped to the inside of a JSON column.
        """
        table = self._table("messages")
        reader = TableReader(self._client, table)
        columns = _id_columns(table)
        time = next(iter(table.of("created_at")), None)
        answers = (
            answer
            for batch in self._batches(conversation_ids, columns)
            for answer in reader.by_time(batch, partial(_id_in, columns), time)
        )
        return self._pages("messages", answers)

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()

    def _discover(self) -> Base:
        return discover(
            self._client, base_id=self._base_id, names=self._names, mapping=self._mapping
        )

    def _table(self, table: SourceTable) -> Table:
        if self._base is None:
            self._base = self._discover()
        return self._base.table(table)

    def _between(
        self, name: SourceTable, start: datetime, end: datetime, *, or_none: bool
    ) -> Iterator[Page]:
        table = self._table(name)
        columns = table.filterable_times()
        if not columns:
            raise SourceSchemaError(
                f"NocoDB table {table.title!r} cannot be filtered by its creation time: its column "
                "is no date-time column. Read the whole table instead."
            )
        last = end if end.microsecond == 0 else end + timedelta(seconds=1)

        def within(column: str) -> Filter:
            return filters.every(filters.at(column, "gte", start), filters.at(column, "lt", last))

        wanted = filters.first_with_value(columns, within, or_none=or_none)
        return self._pages(name, TableReader(self._client, table).by_key(wanted))

    def _batches(self, ids: Sequence[str], columns: Sequence[Column]) -> Iterator[list[str]]:
        """The ids that a column can hold, each once, as many at a time as a URL takes."""
        batch: list[str] = []
        size = 0
        for value in dict.fromkeys(ids):
            if not any(_fits(column, value) for column in columns):
                continue
            if not filters.is_plain(value) and not filters.quotable(value):
                yield [value]  # compared by itself it needs no quotes
                continue
            length = len(quote(value)) + 9  # the comma and two quotes, %-encoded
            if batch and (len(batch) == self._batch_ids or size + length > VALUES_BYTES):
                yield batch
                batch, size = [], 0
            batch.append(value)
            size += length
        if batch:
            yield batch

    @staticmethod
    def _pages(table: SourceTable, answers: Iterator[Rows]) -> Iterator[Page]:
        position = 0
        for answer in read_ahead(answers):
            last_key = answer.keys[-1] if answer.keys else None
            yield Page(table, position, answer.body, "nocodb", answer.rows, last_key)
            position += len(answer.rows)


def message_columns(
    *,
    base_url: str,
    api_token: str,
    base_id: str,
    messages_table: str,
    max_retries: int,
    retry_delay: float,
    timeout: float = 60.0,
    network: urllib3.HTTPConnectionPool | None = None,
) -> tuple[str, ...]:
    """Titles of the messages table's columns: what a profile is chosen by, before any mapping.

    Raises:
        SourceUnavailable: the server cannot be reached.
        SourceAccessDenied: it refuses the token.
        SourceSchemaError: the base or the table is not there.
    """
    client = NocoDBClient(
        base_url=base_url,
        api_token=api_token,
        max_retries=max_retries,
        retry_delay=retry_delay,
        timeout=timeout,
        network=network,
    )
    try:
        return column_titles(client, base_id=base_id, name=messages_table, table="messages")
    finally:
        client.close()


def _id_columns(table: Table) -> tuple[Column, ...]:
    columns = table.of("conversation_id")
    if not columns:
        raise SourceSchemaError(
            f"NocoDB table {table.title!r} keeps the conversation's id inside a JSON column, which "
            "NocoDB cannot filter: map conversation_id to a column of its own in "
            "FIELD_MAPPING_FILE."
        )
    return columns


def _id_in(columns: Sequence[Column], ids: Sequence[str]) -> Filter:
    """Rows whose id, read from the first of the columns with a value, is one of `ids`.

    Every id must fit at least one of the columns.
    """
    choices: list[Filter] = []
    for index, column in enumerate(columns):
        fitting = [value for value in ids if _fits(column, value)]
        if fitting:
            blanks = [filters.blank(earlier.title) for earlier in columns[:index]]
            choices.append(filters.every(filters.one_of(column.title, fitting), *blanks))
    return filters.either(*choices)


def _fits(column: Column, value: str) -> bool:
    """Whether the column can hold the value; some databases fail on a comparison otherwise."""
    if column.kind == "integer":
        return _INTEGER.fullmatch(value) is not None
    if column.kind == "uuid":
        try:
            return str(UUID(value)) == value.lower()
        except ValueError:
            return False
    return bool(value.strip())


def _table_info(table: Table, sample: Rows) -> TableInfo:
    return TableInfo(
        name=table.title,
        columns=tuple(table.columns),
        primary_key=table.key.title,
        key_type=table.key_type,
        system_columns=table.added_columns,
        rows=sample.total,
        range_filterable=bool(table.filterable_times()),
        types={column.title: column.type for column in table.columns.values()},
    )


def _change_columns(table: Table) -> str:
    return ", ".join(table.change_columns()) or "none"
