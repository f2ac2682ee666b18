"""The same promises against a real NocoDB: its own tables, and PostgreSQL behind it."""

from __future__ import annotations

import random
import re
import threading
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
import urllib3

from conversation_analytics.errors import (
    SourceAccessDenied,
    SourceSchemaError,
    SourceUnavailable,
)
from conversation_analytics.sources.mapping import DIFY, PLAIN, FieldMapping
from conversation_analytics.sources.nocodb import NocoDBSource
from conversation_analytics_tests.services.nocodb_server import NocoDB, start_nocodb
from conversation_analytics_tests.services.postgres_server import Postgres
from conversation_analytics_tests.sources.nocodb_fake import keys, read

pytestmark = pytest.mark.services

START = datetime(2024, 1, 1, tzinfo=UTC)
CONVERSATIONS = 300
ODD_IDS = ["a,b", "a(b)", "it's", 'say "x"', "ends\\", "q\"and'q", " lead", "null", "ไทย", "~and"]
ODD_KEYS = [*ODD_IDS, "B", "a", "_a", "-a", "c%d", "e&f=1", "日本", "trailing "]
PAIR_GAP = timedelta(milliseconds=300)
MOST_REFUSALS = 3  # of a scan, one after the other: about one in a hundred was, on a busy machine

opened: list[NocoDBSource] = []


@pytest.fixture(autouse=True)
def _sources_are_closed() -> Iterator[None]:
    yield
    while opened:
        opened.pop().close()


@dataclass(frozen=True)
class Place:
    """Two tables in a base, and how to read them."""

    server: NocoDB
    base_id: str
    tables: dict[str, str]
    mapping: FieldMapping

    def source(
        self,
        network: type[urllib3.HTTPConnectionPool] = urllib3.HTTPConnectionPool,
        **changes: Any,
    ) -> NocoDBSource:
        address = urlsplit(self.server.base_url)
        timeout = changes.get("timeout", 60.0)
        arguments: dict[str, Any] = {
            "base_url": self.server.base_url,
            "api_token": self.server.token,
            "base_id": self.base_id,
            "conversation_table": "conversations",
            "messages_table": "messages",
            "max_retries": 2,
            "retry_delay": 0.05,
            "network": network(address.hostname or "", address.port, timeout=timeout),
        }
        opened.append(NocoDBSource(mapping=self.mapping, **{**arguments, **changes}))
        return opened[-1]


class FirstApiOnly(urllib3.HTTPConnectionPool):
    """The network, behind which the server has no second API."""

    def urlopen(self, method: str, url: str, *args: Any, **how: Any) -> urllib3.BaseHTTPResponse:
        if url.startswith("/api/v2"):
            return urllib3.HTTPResponse(b"Cannot GET", status=404)
        return super().urlopen(method, url, *args, **how)


def capped(limit: int) -> type[urllib3.HTTPConnectionPool]:
    """The network, with a smaller page cap than the server's own, as hosted servers have."""

    class Capped(urllib3.HTTPConnectionPool):
        def urlopen(
            self, method: str, url: str, *args: Any, **how: Any
        ) -> urllib3.BaseHTTPResponse:
            asked = re.search(r"limit=(\d+)", url)
            if asked and int(asked[1]) > limit:
                url = url.replace(asked[0], f"limit={limit}")
            return super().urlopen(method, url, *args, **how)

    return Capped


def started(number: int) -> datetime:
    return START + timedelta(minutes=30 * number)


@pytest.fixture(scope="module")
def own(nocodb: NocoDB) -> Place:
    """NocoDB's own tables: integer keys, every 50th conversation without a creation time."""
    base = nocodb.create_base("own tables")
    text, moment = "SingleLineText", "DateTime"
    conversations = nocodb.create_table(
        base, "conversations", {"conversation_id": text, "title": text, "created_at": moment}
    )
    messages = nocodb.create_table(
        base,
        "messages",
        {
            "message_id": text,
            "conversation_id": text,
            "role": text,
            "content": "LongText",
            "created_at": moment,
        },
    )
    ids = [f"c-{n:04}" for n in range(CONVERSATIONS)] + ODD_IDS
    nocodb.insert(
        conversations,
        [
            {
                "conversation_id": one,
                "created_at": None if n % 50 == 7 else f"{started(n):%Y-%m-%d %H:%M:%S}+00:00",
            }
            for n, one in enumerate(ids)
        ],
    )
    nocodb.insert(
        messages,
        [
            {
                "message_id": f"m-{n}-{turn}",
                "conversation_id": one,
                "role": "user",
                "content": "สวัสดี",
                "created_at": f"{started(n):%Y-%m-%d %H:%M:%S}+00:00",
            }
            for n, one in enumerate(ids)
            for turn in range(4)
        ],
    )
    return Place(nocodb, base, {"conversations": conversations, "messages": messages}, PLAIN)


@pytest.fixture(scope="module")
def dify_database(postgres_server: Postgres) -> Postgres:
    """A Dify app's tables: random UUID keys, five rows a conversation within 1.5 seconds."""
    database = postgres_server.new_database()
    database.create_dify_tables()
    chance = random.Random(7)
    with database.connect() as connection, connection.cursor() as cursor:
        for n in range(CONVERSATIONS):
            conversation = uuid.UUID(int=chance.getrandbits(128), version=4)
            cursor.execute(
                "INSERT INTO conversations (id, created_at) VALUES (%s, %s)",
                (conversation, started(n).replace(tzinfo=None)),
            )
            cursor.executemany(
                "INSERT INTO messages (id, conversation_id, query, created_at)"
                " VALUES (%s, %s, %s, %s)",
                [
                    (
                        uuid.UUID(int=chance.getrandbits(128), version=4),
                        conversation,
                        str(turn),
                        (started(n) + turn * PAIR_GAP).replace(tzinfo=None),
                    )
                    for turn in range(5)
                ],
            )
        cursor.execute("CREATE TABLE texts (code text PRIMARY KEY, conversation_id text)")
        cursor.executemany("INSERT INTO texts VALUES (%s, 'c')", [(key,) for key in ODD_KEYS])
        cursor.execute("CREATE TABLE pairs (a int, b int, PRIMARY KEY (a, b))")
    return database


@pytest.fixture(scope="module")
def dify(nocodb: NocoDB, dify_database: Postgres) -> Place:
    base = nocodb.create_base("dify")
    return Place(nocodb, base, nocodb.connect_postgres(base, dify_database), DIFY)


@pytest.fixture(params=["own", "dify"])
def place(request: pytest.FixtureRequest) -> Place:
    found: Place = request.getfixturevalue(request.param)
    return found


def conversation_ids(place: Place) -> list[str]:
    field = place.mapping.conversations.aliases["conversation_id"][0]
    return [row[field] for row in read(place.source().scan("conversations"))]


def test_the_probe_learns_both_kinds_of_table(own: Place, dify: Place) -> None:
    info = own.source().probe()
    assert (info.conversations.key_type, info.ordered) == ("integer", True)
    assert {"Id", "CreatedAt", "UpdatedAt"} <= info.messages.system_columns
    assert info.creation_columns["messages"] == ("CreatedAt",)
    assert info.messages.rows == 4 * (CONVERSATIONS + len(ODD_IDS))
    assert abs(info.clock - datetime.now(UTC)) < timedelta(seconds=30)
    fronted = dify.source().probe()
    assert (fronted.messages.key_type, fronted.ordered) == ("uuid", False)
    assert fronted.messages.system_columns == frozenset()
    assert fronted.creation_columns["messages"] == ("created_at",)
    assert fronted.conversations.range_filterable
    assert fronted.details["page_cap"] == "1000"
    by_id = dify.source(
        conversation_table=dify.tables["conversations"], messages_table=dify.tables["messages"]
    )
    assert by_id.probe().fingerprint == fronted.fingerprint


def test_a_server_without_the_second_api_is_read_by_the_first(own: Place) -> None:
    source = own.source(network=FirstApiOnly)
    assert source.probe().details["api"] == "v1"
    assert keys(read(source.scan("messages"))) == keys(read(own.source().scan("messages")))
    source.close()


@pytest.mark.parametrize("network", [urllib3.HTTPConnectionPool, capped(100)])
def test_a_scan_gives_every_row_once_while_others_write(
    place: Place, dify_database: Postgres, network: type[urllib3.HTTPConnectionPool]
) -> None:
    source = place.source(network=network)
    key = source.probe().messages.primary_key or ""
    before = keys(read(source.scan("messages")), key)
    assert len(before) == len(set(before))
    done = threading.Event()
    writer = threading.Thread(target=write_until, args=(place, dify_database, done))
    writer.start()
    try:
        for _ in range(3):
            during = keys(scanned(place, source), key)
            assert len(during) == len(set(during))
            assert set(before) <= set(during)
    finally:
        done.set()
        writer.join()


def scanned(place: Place, source: NocoDBSource) -> list[Any]:
    """Every message; they are read again, as the error says, where that is refused.

    NocoDB's own tables may be in SQLite, which gives the keys of deleted last rows to the next
    ones. Such a row can come after its place was read and still be counted, and then nothing but
    a refusal tells it from a row that was lost on the way.
    """
    for _ in range(MOST_REFUSALS if place.mapping is PLAIN else 0):
        with suppress(SourceUnavailable):
            return read(source.scan("messages"))
    return read(source.scan("messages"))


def write_until(place: Place, database: Postgres, done: threading.Event) -> None:
    if place.mapping is PLAIN:
        while not done.is_set():
            made = place.server.insert(place.tables["messages"], [{"role": "user"}] * 20)
            place.server.delete(place.tables["messages"], made)
        return
    with database.connect() as connection:
        while not done.is_set():
            connection.execute(
                "INSERT INTO messages (conversation_id, query) VALUES (gen_random_uuid(), 'x')"
            )
            connection.execute("DELETE FROM messages WHERE query = 'x' AND random() < 0.5")
        connection.execute("DELETE FROM messages WHERE query = 'x'")


def test_a_range_holds_its_conversations_and_those_without_a_time(place: Place) -> None:
    day, next_day = START + timedelta(days=1), START + timedelta(days=2)
    found = read(place.source().conversations_between(day, next_day))
    times = sorted(row["created_at"] for row in found if row["created_at"])
    dated = [started(n) for n in range(48, 96) if place.mapping is DIFY or n % 50 != 7]
    assert times == [f"{moment:%Y-%m-%d %H:%M:%S}+00:00" for moment in dated]
    assert len(found) - len(times) == (0 if place.mapping is DIFY else 7)
    messages = read(place.source().messages_between(day, next_day))
    assert len(messages) == 48 * (5 if place.mapping is DIFY else 4)


def test_a_creation_time_may_fall_back_to_the_systems_own(own: Place) -> None:
    both = replace(
        PLAIN.conversations,
        aliases={**PLAIN.conversations.aliases, "created_at": ("created_at", "CreatedAt")},
        coalesced=frozenset({"created_at"}),
    )
    source = replace(own, mapping=replace(PLAIN, conversations=both)).source()
    day = START + timedelta(days=1)
    found = read(source.conversations_between(day, day + timedelta(days=1)))
    assert len(found) == 47
    today = datetime.now(UTC)
    recent = read(source.conversations_between(today - timedelta(days=1), today))
    assert [row["created_at"] for row in recent] == [None] * 7


def test_conversations_and_messages_come_by_id(place: Place) -> None:
    wanted = [*conversation_ids(place)[::2], "nobody", str(uuid.uuid4()), "'\"", ""]
    source = place.source(batch_ids=40)
    field = place.mapping.conversations.aliases["conversation_id"][0]
    found = [row[field] for row in read(source.conversations_by_id(wanted))]
    assert sorted(found) == sorted(set(wanted) & set(conversation_ids(place)))
    messages = read(source.messages_of(wanted))
    turns = 5 if place.mapping is DIFY else 4
    assert len(messages) == turns * len(found)
    assert {row["conversation_id"] for row in messages} == set(found)


@pytest.mark.parametrize("limit", [1000, 7])
def test_messages_of_one_second_come_in_the_order_they_were_made(dify: Place, limit: int) -> None:
    source = dify.source(network=capped(limit))
    turns: dict[str, list[str]] = {}
    for row in read(source.messages_of(conversation_ids(dify)[:40])):
        turns.setdefault(row["conversation_id"], []).append(row["query"])
    assert len(turns) == 40
    assert {"".join(queries) for queries in turns.values()} == {"01234"}


@pytest.mark.parametrize("limit", [1, 3, 1000])
def test_text_keys_are_paged_in_the_databases_own_order(dify: Place, limit: int) -> None:
    fields = ("message_id", "conversation_id", "role", "content", "created_at")
    mapped = replace(PLAIN.messages, aliases=dict.fromkeys(fields, ("code",)))
    mapping = replace(DIFY, messages=mapped)
    source = replace(dify, mapping=mapping).source(messages_table="texts", network=capped(limit))
    assert sorted(keys(read(source.scan("messages")), "code")) == sorted(ODD_KEYS)


def test_a_table_with_a_key_of_two_columns_is_refused(dify: Place) -> None:
    with pytest.raises(SourceSchemaError, match="a key of 2 columns"):
        dify.source(messages_table="pairs").probe()


def test_wrong_names_and_tokens_say_what_to_do(own: Place) -> None:
    with pytest.raises(SourceAccessDenied, match="NOCODB_API_TOKEN"):
        own.source(api_token="wrong").probe()
    with pytest.raises(SourceSchemaError, match=r"has: conversations, messages"):
        own.source(messages_table="mesages").probe()
    with pytest.raises(SourceSchemaError, match="NOCODB_PROJECT_ID"):
        own.source(base_id="pxxxxxxxxxxxxxx").probe()


@pytest.fixture
def short_lived() -> Iterator[NocoDB]:
    with start_nocodb() as server:
        yield server


def test_a_server_that_goes_down_during_a_scan_ends_as_unavailable(short_lived: NocoDB) -> None:
    base = short_lived.create_base("b")
    text = "SingleLineText"
    short_lived.create_table(base, "conversations", {"conversation_id": text})
    table = short_lived.create_table(
        base,
        "messages",
        dict.fromkeys(("message_id", "conversation_id", "role", "content"), text),
    )
    short_lived.insert(table, [{"message_id": str(n)} for n in range(50)])
    place = Place(short_lived, base, {}, PLAIN)
    source = place.source(capped(10), timeout=1.0)
    pages = source.scan("messages")
    next(pages)
    short_lived.process.pause()
    resumed = threading.Timer(1.5, short_lived.process.resume)
    resumed.start()
    next(pages)
    resumed.join()
    next(pages)
    short_lived.process.kill()
    with pytest.raises(SourceUnavailable, match=short_lived.base_url):
        list(pages)
