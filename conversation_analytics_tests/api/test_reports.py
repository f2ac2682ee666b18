"""Figures: reports, comparisons, series, models, users."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from conversation_analytics.periods import Grain, parse_period
from conversation_analytics.reports.published import read_page
from conversation_analytics.schemas.metrics import METRICS
from conversation_analytics.settings import Settings
from conversation_analytics.storage.lake import open_lake
from conversation_analytics_tests.api.lake import A_DAY, Api, api_over
from conversation_analytics_tests.api.test_bad_input import kind


def document(api: Api, key: str, grain: str = "daily") -> dict[str, Any]:
    """A report."""
    answer = api.get(f"/reports/{grain}/{key}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def series(api: Api, **params: Any) -> dict[str, Any]:
    """A series, with its lines by value and currency."""
    answer = api.get("/series", params=params)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    found["lines"] = {(line["value"], line["currency"]): line for line in found["series"]}
    return found


def test_the_catalogue_names_every_metric_and_dimension(
    lake_settings: Settings, tmp_path: Path
) -> None:
    with api_over(lake_settings, tmp_path, report_dimensions="segment") as api:
        found = api.get("/metrics").json()
        assert [one["name"] for one in found["metrics"]] == list(METRICS)
        assert found["dimensions"][-1] == "segment"
        assert found["grains"] == ["daily", "weekly", "monthly"]


def test_a_report_is_the_one_in_the_lake(api: Api, lake_settings: Settings) -> None:
    key = "analytics_reports/daily/2024-01-02/report.json"
    answer = api.get("/reports/daily/2024-01-02")
    assert answer.content == (lake_settings.parquet_base_dir / key).read_bytes()
    assert document(api, "2024-01-02")["metrics"]["conversations"] == A_DAY
    again = api.get("/reports/daily/2024-01-02", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304


@pytest.mark.parametrize(("grain", "key"), [("daily", "2024-01-02"), ("weekly", "2024-W01")])
def test_a_page_is_the_one_in_the_lake(
    api: Api, lake_settings: Settings, grain: Grain, key: str
) -> None:
    answer = api.get(f"/reports/{grain}/{key}/page", scope="read:reports")
    assert answer.content == read_page(open_lake(lake_settings), parse_period(grain, key))
    assert answer.headers["content-type"] == "text/html; charset=utf-8"


def test_a_page_may_have_its_own_style_and_nothing_else(api: Api) -> None:
    policy = api.get("/reports/daily/2024-01-02/page").headers["content-security-policy"]
    assert dict(one.split(" ", 1) for one in policy.split("; ")) == {
        "style-src": "'unsafe-inline'",
        **dict.fromkeys(("default-src", "form-action", "base-uri", "frame-ancestors"), "'none'"),
    }


def test_a_page_that_did_not_change_is_not_sent_again_and_keeps_its_style(api: Api) -> None:
    first = api.get("/reports/daily/2024-01-02/page")
    again = api.get(
        "/reports/daily/2024-01-02/page", headers={"If-None-Match": first.headers["etag"]}
    )
    assert (again.status_code, again.content) == (304, b"")
    # Browsers put the headers of a 304 in the place of those they have.
    name = "content-security-policy"
    assert again.headers[name] == first.headers[name]


def test_reports_are_listed_the_newest_first_with_those_missing(api: Api) -> None:
    found = api.get("/reports").json()
    assert [one["key"] for one in found["items"]] == ["2024-01-03", "2024-01-02"]
    assert found["missing"] == ["2024-01-05", "2024-01-04"]
    assert found["coverage"]["missing"] == [{"from": "2024-01-04", "to": "2024-01-04"}]
    assert {one["report_version"] for one in found["items"]} == {1}
    weekly = api.get("/reports", params={"grain": "weekly"}).json()
    assert [one["key"] for one in weekly["items"]] == ["2024-W01"]
    assert weekly["items"][0]["shortcomings"]


def test_a_list_of_reports_is_read_page_by_page(api: Api) -> None:
    first = api.get("/reports", params={"limit": 1}).json()
    rest = api.get("/reports", params={"limit": 1, "before": first["next_before"]}).json()
    assert [one["items"][0]["key"] for one in (first, rest)] == ["2024-01-03", "2024-01-02"]
    assert rest["next_before"] is None


def test_two_reports_are_compared_figure_by_figure(api: Api) -> None:
    found = api.get("/reports/compare", params={"key": "2024-01-03", "by": "channel"}).json()
    assert (found["now"]["key"], found["before"]["key"]) == ("2024-01-03", "2024-01-02")
    now, before = document(api, "2024-01-03"), document(api, "2024-01-02")
    for change in found["changes"]:
        figures = [one["metrics"][change["metric"]] for one in (now, before)]
        if change["currency"]:
            figures = [one[change["currency"]] for one in figures]
        assert [change["now"], change["before"]] == figures
        if None not in figures:
            assert change["change"] == figures[0] - figures[1]
    changed = {(one["value"], one["metric"]) for one in found["breakdown"]}
    assert {("web", "conversations"), ("app", "messages")} <= changed


@pytest.mark.parametrize("metric", ["conversations", "messages", "error_rate", "latency_p95_ms"])
def test_a_series_has_the_figures_of_the_reports(api: Api, metric: str) -> None:
    found = series(api, metric=metric)
    points = found["lines"][("", None)]["points"]
    assert [point["key"] for point in points] == ["2024-01-02", "2024-01-03"]
    for point in points:
        assert point["figure"] == document(api, point["key"])["metrics"][metric]
    assert found["missing"] == ["2024-01-05", "2024-01-04"]


def test_a_series_of_money_has_a_line_for_each_currency(api: Api) -> None:
    lines = series(api, metric="cost")["lines"]
    reported = document(api, "2024-01-02")["metrics"]["cost"]
    assert {currency: line["points"][0]["figure"] for (_, currency), line in lines.items()} == (
        reported
    )


def test_a_series_by_a_dimension_has_the_values_of_the_reports(api: Api) -> None:
    lines = series(api, metric="conversations", by="channel")["lines"]
    for entry in document(api, "2024-01-02")["breakdowns"]["channel"]:
        point = lines[(entry["value"], None)]["points"][0]
        assert point["figure"] == entry["metrics"]["conversations"]
    only = series(api, metric="conversations", by="channel", value="web")["lines"]
    assert only == {("web", None): lines[("web", None)]}


def test_a_series_of_a_range_has_the_periods_in_it(api: Api) -> None:
    found = series(api, metric="messages", **{"from": "2024-01-03", "to": "2024-01-03"})
    assert [one["key"] for one in found["periods"]] == ["2024-01-03"]
    assert found["missing"] == []


def test_a_report_made_again_shows_in_the_series(
    own_lake: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("conversation_analytics.api.reports_source._FRESH_SECONDS", 0)
    with api_over(own_lake, tmp_path) as api:
        assert len(series(api, metric="messages")["periods"]) == 2
        folder = own_lake.parquet_base_dir / "analytics_reports/daily"
        other = (folder / "2024-01-03/_manifest.json").read_bytes()
        (folder / "2024-01-02/_manifest.json").write_bytes(other)
        lines = series(api, metric="conversations")["lines"]
        assert {point["key"] for point in lines[("", None)]["points"]} == {
            "2024-01-02",
            "2024-01-03",
        }


def test_models_are_those_of_the_last_report(api: Api) -> None:
    found = api.get("/models").json()
    assert found["key"] == "2024-01-03"
    assert found["models"] == document(api, "2024-01-03")["models"]
    assert [one["model"] for one in found["models"]] == ["gpt-4o"]


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("/series?metric=fame", "unknown-metric"),
        ("/series?metric=messages&by=shoe_size", "unknown-dimension"),
        ("/series?metric=messages&value=web", "invalid-request"),
        ("/series?metric=messages&grain=hourly", "invalid-request"),
        ("/series?metric=messages&from=2999-01-01", "future-date"),
        ("/series", "invalid-request"),
        ("/reports/daily/2024-02-30", "invalid-period"),
        ("/reports/daily/2024-W01", "invalid-period"),
        ("/reports/weekly/2024-W54", "invalid-period"),
        ("/reports/monthly/2024-1", "invalid-period"),
        ("/reports/yearly/2024", "invalid-request"),
        ("/reports/daily/2999-01-01", "future-date"),
        ("/reports/daily/2024-01-05", "no-report"),
        ("/reports/daily/2024-01-02?x=1", "invalid-request"),
        ("/reports/compare?key=2024-01-02", "no-report"),
        ("/reports/compare?key=2024-01-03&by=shoe_size", "unknown-dimension"),
        ("/models?key=2024-01-09", "no-report"),
        ("/users?cursor=x", "invalid-cursor"),
        ("/users/nobody", "no-user"),
        ("/users?sort=name", "invalid-request"),
    ],
)
def test_what_does_not_exist_is_a_problem_of_its_kind(api: Api, path: str, problem: str) -> None:
    assert kind(api.get(path)) == problem


@pytest.mark.parametrize("page", ["", "/page"])
def test_a_report_that_is_missing_tells_what_it_needs(api: Api, page: str) -> None:
    there = api.get(f"/reports/daily/2024-01-05{page}").json()
    assert "backfill the report" in there["detail"]
    gone = api.get(f"/reports/daily/2024-01-04{page}").json()
    assert there["type"] == gone["type"] == "urn:conversation-analytics:problem:no-report"
    assert "lacks 1 of its days" in gone["detail"]
    assert gone["coverage"]["missing"] == [{"from": "2024-01-04", "to": "2024-01-04"}]


def test_users_are_read_page_by_page_those_seen_last_first(api: Api) -> None:
    whole = api.get("/users").json()
    assert whole["next_cursor"] is None
    seen = [(one["last_seen"], one["user_id"]) for one in whole["items"]]
    assert seen == sorted(seen, reverse=True)
    assert {one["user_id"] for one in whole["items"]} == {"u0", "u1", "u2"}
    params: dict[str, Any] = {"limit": 1}
    pages = []
    while True:
        page = api.get("/users", params=params).json()
        pages += page["items"]
        if page["next_cursor"] is None:
            break
        params["cursor"] = page["next_cursor"]
    assert pages == whole["items"]


def test_users_are_found_by_filters(api: Api) -> None:
    everyone = api.get("/users").json()["items"]
    for count in {one["conversations"] for one in everyone}:
        found = api.get("/users", params={"min_conversations": count}).json()["items"]
        assert found == [one for one in everyone if one["conversations"] >= count]
    assert api.get("/users", params={"topic": "no such topic"}).json()["items"] == []


def test_one_user_is_told(api: Api) -> None:
    found = api.get("/users/u1").json()["user"]
    assert found["user_id"] == "u1"
    assert list(found["costs"]) == ["USD"]
    assert found in api.get("/users").json()["items"]
