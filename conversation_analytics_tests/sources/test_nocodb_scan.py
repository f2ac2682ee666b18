"""A scan gives every row once, whatever happens to the table, the network or the answers."""

from __future__ import annotations

import itertools
import json
import threading
import uuid
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx
import orjson
import pytest
import urllib3
from hypothesis import given, settings
from hypothesis import strategies as st
from urllib3.exceptions import (
    IncompleteRead,
    NewConnectionError,
    ProtocolError,
    ReadTimeoutError,
)

from conversation_analytics.errors import SourceSchemaError, SourceUnavailable
from conversation_analytics_tests.sources.nocodb_fake import FakeNocoDB, Row, keys, read

INTEGERS = st.integers(-(2**53) + 1, 2**53 - 1)
UUIDS = st.uuids().map(str)
TEXTS = st.from_regex(r"[A-Za-z0-9_-]{1,8}", fullmatch=True).filter(lambda text: text != "null")


def numbered(count: int) -> list[Row]:
    return [{"Id": number} for number in range(1, count + 1)]


@given(
    rows=st.one_of(
        st.tuples(st.just("integer"), st.lists(INTEGERS, unique=True, max_size=30)),
        st.tuples(st.just("uuid"), st.lists(UUIDS, unique=True, max_size=30)),
        st.tuples(st.just("text"), st.lists(TEXTS, unique=True, max_size=30)),
    ),
    cap=st.integers(1, 8),
)
@settings(max_examples=60)
def test_every_row_comes_once_in_key_order_whatever_the_keys_and_the_cap(
    rows: tuple[str, list[int | str]], cap: int
) -> None:
    kind, ids = rows
    fake = FakeNocoDB(cap=cap, key=kind)
    fake.messages.rows = [{"Id": one} for one in ids]
    assert keys(read(fake.source().scan("messages"))) == sorted(ids)  # type: ignore[type-var]


@given(st.data())
@settings(max_examples=40)
def test_rows_that_stay_are_never_lost_while_others_come_and_go(data: st.DataObject) -> None:
    fake = FakeNocoDB(cap=3)
    ids = data.draw(st.lists(st.integers(0, 50), unique=True, min_size=1, max_size=20))
    fake.messages.rows = [{"Id": one} for one in ids]
    stay = set(data.draw(st.lists(st.sampled_from(ids), unique=True)))
    changes = data.draw(st.lists(st.sampled_from([*ids, *range(51, 60)]), unique=True))
    new_ones = itertools.count(51)  # keys grow, so what is new comes behind all that is there

    def change() -> None:
        if changes:
            changed = changes.pop()
            changed = next(new_ones) if changed > 50 else changed
            rows = [row for row in fake.messages.rows if row["Id"] != changed]
            added = [] if len(rows) < len(fake.messages.rows) else [{"Id": changed}]
            if changed not in stay:
                fake.messages.rows = rows + added

    fake.before_answer = change
    found = keys(read(fake.source().scan("messages")))
    assert found == sorted(set(found))
    assert stay <= set(found)


@given(kind=st.sampled_from(["integer", "uuid"]), writes=st.integers(1, 5), grows=st.booleans())
@settings(max_examples=40)
def test_writes_between_reading_and_counting_a_page_never_stop_a_scan(
    kind: str, writes: int, grows: bool
) -> None:
    """However steadily others write; new UUIDs fall among those there are, integers behind."""
    fake = FakeNocoDB(cap=20, key=kind)
    stay: list[int | str] = [2 * number for number in range(50)]
    behind = 200 if grows and kind == "integer" else 0
    others: list[int | str] = [behind + 2 * number + 1 for number in range(50)]
    if kind == "uuid":
        stay, others = ([str(uuid.UUID(int=int(one))) for one in ids] for ids in (stay, others))
    there = [] if grows else list(others)

    def write() -> None:
        for _ in range(writes):
            if not grows and there:
                there.pop()
            elif grows and len(there) < len(others):
                there.append(others[len(there)])
        fake.messages.rows = [{"Id": one} for one in [*stay, *there]]

    write()
    fake.before_count = write
    found = keys(read(fake.source(max_retries=0).scan("messages")))
    assert found == sorted(set(found))
    assert set(stay) <= set(found)


def test_a_page_that_is_always_a_row_short_of_its_own_count_is_refused() -> None:
    fake = FakeNocoDB(cap=20)
    fake.messages.rows = numbered(30)
    source = fake.source(max_retries=1)
    source.probe()

    def short(request: httpx.Request) -> httpx.Response:
        content = orjson.loads(fake.handle_without_faults(request).content)
        return httpx.Response(200, json={**content, "list": content["list"][:-1]})

    fake.faults = [fake.handle_without_faults, *[short] * 20]
    with pytest.raises(SourceUnavailable, match="0 rows where its own count makes it 1"):
        read(source.scan("messages"))


def test_rows_made_after_the_start_are_left_for_the_next_time() -> None:
    fake = FakeNocoDB(cap=10)
    fake.messages.rows = numbered(30)
    pages = fake.source().scan("messages")
    first = next(pages)
    fake.messages.rows += [{"Id": number} for number in range(31, 90)]
    assert len(read(iter([first]))) + sum(len(orjson.loads(p.body)["list"]) for p in pages) == 30


def test_a_scan_ends_when_its_last_row_is_deleted_meanwhile() -> None:
    fake = FakeNocoDB(cap=10)
    fake.messages.rows = numbered(20)
    pages = fake.source().scan("messages")
    next(pages)
    fake.messages.rows = numbered(19)
    assert [len(orjson.loads(page.body)["list"]) for page in pages] in ([9], [10])


def test_the_next_page_is_on_its_way_while_one_is_used() -> None:
    fake = FakeNocoDB(cap=10)
    fake.messages.rows = numbered(30)
    second_asked = threading.Event()

    def note() -> None:
        if "gt,10" in fake.requests[-1].url.params.get("where", ""):
            second_asked.set()

    fake.before_answer = note
    pages = fake.source().scan("messages")
    next(pages)
    assert second_asked.wait(5)


def test_a_scan_left_early_leaves_no_thread_behind() -> None:
    fake = FakeNocoDB(cap=10)
    fake.messages.rows = numbered(100)
    pages = fake.source().scan("messages")
    next(pages)
    pages.close()  # type: ignore[attr-defined]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("nocodb")]


def test_page_bodies_are_handed_over_as_they_came() -> None:
    fake = FakeNocoDB()
    fake.messages.rows = [{"Id": 1, "content": "สวัสดี\u2028\x00"}]
    (page,) = fake.source().scan("messages")
    assert orjson.loads(page.body)["list"] == fake.messages.rows
    assert b'"pageInfo"' in page.body


def test_half_a_surrogate_pair_in_one_row_does_not_stop_the_page() -> None:
    fake = FakeNocoDB()
    fake.messages.rows = numbered(2)
    source = fake.source()
    source.probe()
    body = json.dumps({"list": [{"Id": 1, "content": "\ud800"}, {"Id": 2}], "pageInfo": {}})
    fake.faults = [fake.handle_without_faults, lambda _: httpx.Response(200, text=body)]
    (page,) = source.scan("messages")
    assert page.body == body.encode()


def test_keys_that_nocodb_rounds_are_refused() -> None:
    fake = FakeNocoDB()
    fake.messages.rows = [{"Id": 2**53 + 2}]
    with pytest.raises(SourceSchemaError, match="rounds integers"):
        read(fake.source().scan("messages"))


def answer(content: object = None, *, status: int = 200, text: str = "") -> Callable:
    if content is not None:
        return lambda _: httpx.Response(status, json=content)
    return lambda _: httpx.Response(status, text=text)


def raising(error: Exception) -> Callable:
    def fail(_: httpx.Request) -> httpx.Response:
        raise error

    return fail


CONNECTION = urllib3.connection.HTTPConnection("nocodb.test")
POOL = urllib3.HTTPConnectionPool("nocodb.test")
FAULTS = {
    "server error": answer(status=500),
    "bad gateway": answer(status=502, text="<html>"),
    "too many requests": answer(status=429),
    "refused": raising(NewConnectionError(CONNECTION, "refused")),
    "silent": raising(ReadTimeoutError(POOL, "/", "no answer")),
    "reset": raising(ProtocolError("Connection aborted.", ConnectionResetError())),
    "hung up": raising(ProtocolError("Connection broken", IncompleteRead(1, 2))),
    "cut": answer(text='{"list":[{"Id":1},{"I'),
    "html": answer(text="<!doctype html><html>sign in</html>"),
    "no list": answer({"rows": []}),
    "no object": answer([]),
    "no key": answer({"list": [{"x": 1}]}),
    "key of another type": answer({"list": [{"Id": "x"}]}),
    "falling keys": answer({"list": [{"Id": 2}, {"Id": 1}]}),
    "a row twice": answer({"list": [{"Id": 1}, {"Id": 1}]}),
    "beyond the bound": answer({"list": [{"Id": 1}, {"Id": 99}]}),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_faulty_page_is_asked_for_again(name: str) -> None:
    fake = FakeNocoDB(cap=10)
    fake.messages.rows = numbered(30)
    fake.faults = [fake.handle_without_faults, FAULTS[name], FAULTS[name]]
    assert keys(read(fake.source().scan("messages"))) == list(range(1, 31))


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("retries", [0, 2])
def test_what_stays_faulty_ends_as_unavailable_after_every_retry(name: str, retries: int) -> None:
    fake = FakeNocoDB()
    fake.messages.rows = numbered(3)
    fake.faults = [fake.handle_without_faults, *[FAULTS[name]] * 10]
    with pytest.raises(SourceUnavailable, match=r"http://nocodb\.test.*NOCODB_BASE_URL"):
        read(fake.source(max_retries=retries).scan("messages"))
    assert len(fake.records_requests) == 1 + 1 + retries


def test_a_page_of_rows_seen_before_is_asked_for_again() -> None:
    fake = FakeNocoDB(cap=2, key="text")
    fake.messages.rows = [{"Id": letter} for letter in "abcdef"]
    stale = answer({"list": [{"Id": "a"}, {"Id": "b"}]})
    normal = fake.handle_without_faults
    fake.faults = [normal, normal, stale]
    assert keys(read(fake.source().scan("messages"))) == list("abcdef")


def test_a_question_the_server_refuses_is_not_repeated() -> None:
    fake = FakeNocoDB()
    fake.faults = [answer({"msg": "Column alias 'x' not found."}, status=422)] * 2
    with pytest.raises(SourceSchemaError, match=r"422.*Column alias 'x' not found"):
        read(fake.source().scan("messages"))
    assert len(fake.records_requests) == 1


def test_the_server_says_how_long_to_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("urllib3.util.retry.time.sleep", pauses.append)
    fake = FakeNocoDB()
    fake.messages.rows = numbered(1)
    busy = httpx.Response(429, headers={"retry-after": "30"})
    unclear = httpx.Response(503, headers={"retry-after": "soon"})
    fake.faults = [lambda _: busy, answer(status=503), lambda _: unclear]
    assert len(read(fake.source(retry_delay=2.0).scan("messages"))) == 1
    assert pauses[0] == 30
    assert 3 <= pauses[1] <= 4  # doubled from RETRY_DELAY, less the jitter
    assert 6 <= pauses[2] <= 8


class CuttingServer(BaseHTTPRequestHandler):
    """Promises a whole body, sends half of it and hangs up, every other time."""

    protocol_version = "HTTP/1.1"
    fake = FakeNocoDB(cap=10)
    answered = 0

    def do_GET(self) -> None:
        request = httpx.Request("GET", f"http://x{self.path}", headers=dict(self.headers))
        found = self.fake.handle(request)
        type(self).answered += 1
        cut = self.answered % 2 == 0
        self.send_response(found.status_code)
        self.send_header("content-length", str(len(found.content)))
        self.end_headers()
        self.wfile.write(found.content[: len(found.content) // 2] if cut else found.content)
        self.close_connection = cut

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def cutting_server() -> Iterator[str]:
    CuttingServer.fake.messages.rows = [{"Id": n, "x": uuid.uuid4().hex} for n in range(95)]
    server = HTTPServer(("127.0.0.1", 0), CuttingServer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_page_cut_short_on_the_wire_is_asked_for_again(cutting_server: str) -> None:
    source = FakeNocoDB().source(base_url=cutting_server, network=None)
    assert read(source.scan("messages")) == CuttingServer.fake.messages.rows
    source.close()


def test_a_server_that_is_down_is_named() -> None:
    source = FakeNocoDB().source(base_url="http://127.0.0.1:1", network=None)
    with pytest.raises(SourceUnavailable, match=r"http://127\.0\.0\.1:1 .*refused"):
        source.probe()
    source.close()
