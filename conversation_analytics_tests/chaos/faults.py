"""What can happen to an answer between NocoDB and its reader."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import orjson

from conversation_analytics_tests.chaos.fault_readings import TIMEOUT
from conversation_analytics_tests.services.fault_proxy import Exchange, Fault

Row = dict[str, Any]

SHIFT = 7  # rows
LARGE_TEXT = "ก" * 350_000  # a megabyte of UTF-8: databases behind NocoDB have such, its own not
EMPTY_TABLE = (
    b'{"list": [], "pageInfo": {"totalRows": 0, "page": 1, "pageSize": 1000, "isLastPage": true}}'
)
LOGIN_PAGE = b"<!doctype html><html><title>Sign in</title></html>"


def status(code: int, body: bytes = b"", **headers: str) -> Fault:
    """An answer with another status; underscores in header names stand for hyphens."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda exchange: exchange.send(body, status=code, headers=sent)


def too_many_until_a_date(exchange: Exchange) -> None:
    then = datetime.now(UTC) + timedelta(seconds=1)
    headers = {"retry-after": format_datetime(then, usegmt=True)}
    exchange.send(b"", status=429, headers=headers)


def instead(body: bytes, **headers: str) -> Fault:
    """Another body in an answer that claims success."""
    return status(200, body, **headers)


def cut_with_a_fitting_length(exchange: Exchange) -> None:
    exchange.send(half(exchange.truth.content))


def shorter_than_its_length(exchange: Exchange) -> None:
    send_half(exchange)
    exchange.hang_up()


def reset_before_the_answer(exchange: Exchange) -> None:
    exchange.reset()


def reset_in_the_middle(exchange: Exchange) -> None:
    send_half(exchange)
    exchange.reset()


def without_the_last_chunk(exchange: Exchange) -> None:
    body = exchange.truth.content
    chunk = b"%x\r\n%s\r\n" % (len(body), body)
    exchange.send(chunk, headers={"transfer-encoding": "chunked"})
    exchange.hang_up()


def silence(exchange: Exchange) -> None:
    exchange.wait_for_hang_up()


def silence_in_the_middle(exchange: Exchange) -> None:
    send_half(exchange)
    exchange.wait_for_hang_up()


def byte_by_byte(exchange: Exchange) -> None:
    """The last bytes one at a time, for longer than the reader waits for any single one."""
    body = exchange.truth.content
    exchange.send(body[:-8], headers={"content-length": str(len(body))})
    for byte in body[-8:]:
        time.sleep(TIMEOUT / 6)
        exchange.handler.wfile.write(bytes([byte]))


def send_half(exchange: Exchange) -> None:
    body = exchange.truth.content
    exchange.send(half(body), headers={"content-length": str(len(body))})


def half(body: bytes) -> bytes:
    return body[: len(body) // 2]


def changed(change: Callable[[list[Row], list[Row]], list[Row]]) -> Fault:
    """Other rows in the true answer, made of its own rows and those of the answer before."""

    def send(exchange: Exchange) -> None:
        found = orjson.loads(exchange.truth.content)
        before = orjson.loads(exchange.before)["list"] if exchange.before else []
        found["list"] = change(found["list"], before)
        exchange.send(orjson.dumps(found))

    return send


def with_a_large_text(column: str) -> Fault:
    """A megabyte in a column of the first row."""
    return changed(lambda rows, _: [rows[0] | {column: LARGE_TEXT}, *rows[1:]])


def the_answer_before(exchange: Exchange) -> None:
    exchange.send(exchange.before)


def of_another_table(exchange: Exchange) -> None:
    """The same question answered from another table that was read before."""
    url = httpx.URL(exchange.question)
    paths = [httpx.URL(asked).path for asked in exchange.plan.asked]
    other = next(path for path in paths if path.endswith("/records") and path != url.path)
    exchange.send(exchange.ask(str(url.copy_with(path=other))).content)


# A reader can tell that these are wrong, and asks again.
RETRIED: dict[str, Fault] = {
    "429 with seconds to wait": status(429, retry_after="1"),
    "429 with a date to wait for": too_many_until_a_date,
    "429 with nonsense to wait for": status(429, retry_after="later"),
    "429 without a word": status(429),
    "408": status(408),
    "500": status(500, b'{"msg": "Internal server error"}'),
    "502": status(502, LOGIN_PAGE),
    "503": status(503, retry_after="0"),
    "504": status(504),
    "reset before the answer": reset_before_the_answer,
    "reset in the middle": reset_in_the_middle,
    "cut, with a fitting length": cut_with_a_fitting_length,
    "shorter than its length": shorter_than_its_length,
    "without the last chunk": without_the_last_chunk,
    "silence": silence,
    "silence in the middle": silence_in_the_middle,
    "HTML instead": instead(LOGIN_PAGE, content_type="text/html"),
    "nothing instead": instead(b""),
    "JSON without rows": instead(b'{"msg": "ok"}'),
    "a list of nulls": instead(b'{"list": [null, null], "pageInfo": {}}'),
    "no gzip, though it says so": instead(b"\x1f\x8b\x08 no gzip", content_encoding="gzip"),
    "a row twice": changed(lambda rows, _: [*rows, rows[-1]]),
    "in another order": changed(lambda rows, _: rows[::-1]),
    "the page before again": the_answer_before,
    "rows left out at the start": changed(lambda rows, _: rows[SHIFT:]),
    "no rows": changed(lambda rows, _: []),
    "no rows, as of an empty table": instead(EMPTY_TABLE),
    "from a few rows earlier on": changed(lambda rows, before: [*before[-SHIFT:], *rows[:-SHIFT]]),
}
# Slow is not wrong.
SLOW: dict[str, Fault] = {"byte by byte": byte_by_byte}
# What the reader is told clearly, with what the error says about it.
NEVER_RETRIED: dict[str, tuple[Fault, str]] = {
    "401": (status(401, b'{"msg": "Invalid token"}'), "NOCODB_API_TOKEN was refused"),
    "403": (status(403, b'{"msg": "Forbidden"}'), "NOCODB_API_TOKEN was refused"),
    "to a login page": (status(302, location="/dashboard/signin"), "redirects .* to /dashboard"),
}
# Well-made answers to another question, or of a table with fewer rows: the rows are counted.
MISCOUNTED: dict[str, tuple[Fault, Sequence[str]]] = {
    "no rows, as of an empty table": (
        instead(EMPTY_TABLE),
        ("middle", "first", "second", "last"),
    ),
    "of another table": (of_another_table, ("second", "middle", "last")),
    "the answer before again": (the_answer_before, ("first",)),
}
# What passes: another table's rows in the place of the first, or where to stop by its keys.
UNNOTICED: dict[str, tuple[Fault, Sequence[str]]] = {
    "of another table": (of_another_table, ("bound", "first")),
}
