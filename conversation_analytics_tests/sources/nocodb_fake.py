"""A NocoDB in memory instead of the network: pages, filters, sorts and fails on demand."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from io import BytesIO
from typing import Any

import httpx
import orjson
import urllib3

from conversation_analytics.sources.base import Page
from conversation_analytics.sources.mapping import PLAIN, FieldMapping
from conversation_analytics.sources.nocodb import NocoDBSource

BASE_ID = "pbase"
TOKEN = "token-that-stays-secret"
CLAUSE = re.compile(r"\((\w+),(\w+)(?:,([^()]*))?\)")

Row = dict[str, Any]
Fault = Callable[[httpx.Request], httpx.Response]


def column(title: str, uidt: str = "SingleLineText", dt: str = "varchar", **more: Any) -> Row:
    return {"id": f"c_{title}", "title": title, "uidt": uidt, "dt": dt, "pk": False, **more}


def key_column(title: str, kind: str) -> Row:
    uidt, dt = {
        "integer": ("ID", "integer"),
        "uuid": ("SingleLineText", "uuid"),
        "text": ("LongText", "text"),
    }[kind]
    return column(title, uidt, dt, pk=True)


CONVERSATION_COLUMNS = [
    key_column("Id", "integer"),
    column("CreatedAt", "CreatedTime", "datetime", system=1),
    column("conversation_id"),
    column("created_at", "DateTime", "datetime"),
]


def message_columns(key: str = "integer", time: str = "DateTime") -> list[Row]:
    return [
        key_column("Id", key),
        column("UpdatedAt", "LastModifiedTime", "datetime", system=1),
        column("message_id"),
        column("conversation_id"),
        column("role"),
        column("content"),
        column("created_at", time, "datetime"),
        column("tags", "Links", "bigint"),
    ]


class Answering(urllib3.HTTPConnectionPool):
    """Answers requests by a function instead of the network."""

    def __init__(self, handle: Fault) -> None:
        super().__init__("nocodb.test")
        self._handle = handle

    def urlopen(  # type: ignore[override]
        self, method: str, url: str, *, headers: Mapping[str, str], **_: Any
    ) -> urllib3.BaseHTTPResponse:
        answer = self._handle(httpx.Request(method, f"http://{self.host}{url}", headers=headers))
        return urllib3.HTTPResponse(
            BytesIO(answer.content), headers=dict(answer.headers), status=answer.status_code
        )


@dataclass
class FakeTable:
    id: str
    title: str
    columns: list[Row]
    rows: list[Row] = field(default_factory=list)


class FakeNocoDB:
    """Times are kept with microseconds and answered without, as NocoDB does before PostgreSQL.

    Attributes:
        faults: what the next requests for records are answered with, first to last.
        before_answer: called before each answer to a request for records.
        before_count: called after its rows were read and before they are counted, as NocoDB
            does one after the other.
    """

    def __init__(self, *, cap: int = 1000, api: str = "v2", key: str = "integer") -> None:
        self.cap = cap
        self.api = api
        self.conversations = FakeTable("mconv", "conversations", list(CONVERSATION_COLUMNS))
        self.messages = FakeTable("mmsg", "messages", message_columns(key))
        self.requests: list[httpx.Request] = []
        self.faults: list[Fault] = []
        self.before_answer: Callable[[], None] = lambda: None
        self.before_count: Callable[[], None] = lambda: None

    @property
    def records_requests(self) -> list[httpx.Request]:
        return [request for request in self.requests if "limit" in request.url.params]

    def source(self, *, mapping: FieldMapping = PLAIN, **changes: Any) -> NocoDBSource:
        arguments: dict[str, Any] = {
            "base_url": "http://nocodb.test/",
            "api_token": TOKEN,
            "base_id": BASE_ID,
            "conversation_table": "conversations",
            "messages_table": "messages",
            "max_retries": 3,
            "retry_delay": 0.0,
            "network": Answering(self.handle),
        }
        return NocoDBSource(mapping=mapping, **{**arguments, **changes})

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if self.faults and "limit" in request.url.params:
            return self.faults.pop(0)(request)
        return self.handle_without_faults(request)

    def handle_without_faults(self, request: httpx.Request) -> httpx.Response:
        if request.headers["xc-token"] != TOKEN:
            return httpx.Response(401, json={"message": "Authentication required"})
        meta, listing = (
            ("/api/v2/meta", "bases") if self.api == "v2" else ("/api/v1/db/meta", "projects")
        )
        path = request.url.path
        tables = (self.conversations, self.messages)
        if path == f"{meta}/{listing}/{BASE_ID}/tables":
            listed = [{"id": table.id, "title": table.title} for table in tables]
            return self._json({"list": listed})
        for table in tables:
            records = (
                f"/api/v2/tables/{table.id}/records"
                if self.api == "v2"
                else f"/api/v1/db/data/v1/{BASE_ID}/{table.id}"
            )
            if path == f"{meta}/tables/{table.id}":
                return self._json({"columns": table.columns})
            if path == records:
                self.before_answer()
                return self._json(self._records(table, request.url.params))
        return httpx.Response(404, text="Cannot GET")

    @staticmethod
    def _json(content: Any) -> httpx.Response:
        return httpx.Response(
            200,
            content=orjson.dumps(content, default=_cut_to_seconds),
            headers={"date": "Sun, 06 Nov 2033 08:49:37 GMT"},
        )

    def _records(self, table: FakeTable, params: httpx.QueryParams) -> Row:
        where = params.get("where", "")
        found = [row for row in table.rows if _selected(row, where)]
        for name in reversed(params["sort"].split(",")):
            title = name.removeprefix("-")
            found.sort(
                key=lambda row, title=title: (row[title] is not None, row[title]),  # type: ignore[misc]
                reverse=name.startswith("-"),
            )
        size = min(int(params["limit"]), self.cap)
        self.before_count()
        total = sum(_selected(row, where) for row in table.rows)
        return {
            "list": [_answered(row) for row in found[:size]],
            "pageInfo": {"totalRows": total, "pageSize": size, "isLastPage": total <= size},
        }


def read(pages: Iterator[Page]) -> list[Row]:
    """The rows of the pages, whose positions must follow one another."""
    rows: list[Row] = []
    for page in pages:
        assert page.position == len(rows)
        assert page.encoding == "nocodb"
        rows += orjson.loads(page.body)["list"]
    return rows


def keys(rows: Sequence[Row], key: str = "Id") -> list[Any]:
    return [row[key] for row in rows]


def _selected(row: Row, where: str) -> bool:
    return all(_holds(row[title], how, value) for title, how, value in CLAUSE.findall(where))


def _holds(value: Any, operator: str, text: str) -> bool:
    if operator == "blank":
        return value is None or value == ""
    if value is None:
        return False
    if operator == "in":
        return str(value) in text.split(",")
    wanted: Any = int(text) if isinstance(value, int) else text
    if text.startswith("exactDate,"):
        wanted = datetime.fromisoformat(text.removeprefix("exactDate,") + "+00:00")
    return {
        "eq": value == wanted,
        "gt": value > wanted,
        "gte": value >= wanted,
        "lt": value < wanted,
        "lte": value <= wanted,
    }[operator]


def _answered(row: Row) -> Row:
    return {k: _cut_to_seconds(v) if isinstance(v, datetime) else v for k, v in row.items()}


def _cut_to_seconds(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}+00:00"
