"""Exports of figures and users: what reports and users say, in each format."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conversation_analytics.api.export import Format
from conversation_analytics.periods import GRAINS
from conversation_analytics.settings import load_settings
from conversation_analytics_tests.api.lake import FORMULA, Api, api_over
from conversation_analytics_tests.api.test_bad_input import kind

FORMATS = ("csv", "parquet", "arrow")
FIGURES = ["grain", "key", "dimension", "value", "metric", "currency", "figure", "users"]
Row = dict[str, Any]


def exported(api: Api, table: str, format_: Format = "arrow", **params: Any) -> list[Row]:
    """The rows of an export; those of CSV are texts."""
    answer = api.get(f"/exports/{table}", params={"format": format_, **params})
    assert answer.status_code == 200, answer.text
    if format_ == "csv":
        return list(csv.DictReader(io.StringIO(answer.content.decode(), newline="")))
    if format_ == "parquet":
        found = pq.read_table(pa.BufferReader(answer.content))
    else:
        found = pa.ipc.open_stream(answer.content).read_all()
    rows: list[Row] = found.to_pylist()
    return rows


def text(value: Any) -> str:
    """A value as CSV has it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, list | dict):
        return orjson.dumps(value).decode()
    if isinstance(value, float):
        return f"{value:.12g}"
    return "" if value is None else str(value).replace(".000000Z", "Z")


def texts(rows: list[Row]) -> list[dict[str, str]]:
    return [{name: text(value) for name, value in row.items()} for row in rows]


def typed(rows: list[Row], *numbers: str) -> list[Row]:
    """Rows of CSV with numbers where they were written."""
    return [row | {name: float(row[name]) for name in numbers if row[name] != ""} for row in rows]


def reported(api: Api, grain: str) -> Iterator[Row]:
    """The figures of all reports of a grain, from the reports themselves."""
    for entry in reversed(api.get("/reports", params={"grain": grain}).json()["items"]):
        document = api.get(f"/reports/{grain}/{entry['key']}").json()
        place = {"grain": grain, "key": entry["key"]}
        parts = [("", "", document["metrics"])]
        for dimension, values in document["breakdowns"].items():
            parts += [(dimension, one["value"], one["metrics"]) for one in values]
        for dimension, value, metrics in parts:
            for metric, found in metrics.items():
                by_currency = found if isinstance(found, dict) else {None: found}
                for currency, figure in by_currency.items():
                    of = {"dimension": dimension, "value": value, "metric": metric}
                    yield {**place, **of, "currency": currency, "figure": figure}


def ordered(rows: list[dict[str, str]]) -> list[list[str]]:
    return sorted([row[name] for name in FIGURES[:-1]] for row in rows)


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("grain", GRAINS)
def test_exported_figures_are_those_of_the_reports(api: Api, grain: str, format_: Format) -> None:
    rows = exported(api, "figures", format_, grain=grain)
    said = list(reported(api, grain))

    assert [*rows[0]] == FIGURES
    assert [*dict.fromkeys(row["key"] for row in rows)] == [
        *dict.fromkeys(row["key"] for row in said)
    ]
    if format_ == "csv":
        rows = typed(rows, "figure")
        said = [
            row | {"value": "'" + FORMULA if row["value"] == FORMULA else row["value"]}
            for row in said
        ]
    said = [
        row | {"figure": None if row["figure"] is None else float(row["figure"])} for row in said
    ]
    assert ordered(texts(rows)) == ordered(texts(said))


@pytest.mark.parametrize("format_", FORMATS)
def test_exported_users_are_those_of_the_list(api: Api, format_: Format) -> None:
    rows = exported(api, "users", format_)
    listed = api.get("/users").json()["items"]

    assert [*rows[0]] == [*listed[0]]
    assert len(rows) == len(listed) == 3
    floats = [name for name, value in listed[0].items() if isinstance(value, float)]
    if format_ == "csv":
        rows = typed(rows, *floats)
    assert texts(rows) == texts(listed)


@pytest.mark.parametrize(
    ("params", "column", "values"),
    [
        ({"metric": ["cost", "messages"]}, "metric", {"cost", "messages"}),
        ({"by": ["channel", "(none)"]}, "dimension", {"channel", ""}),
        ({"by": ["channel"], "value": ["web"]}, "value", {"web"}),
        ({"from": "2024-01-03"}, "key", {"2024-01-03"}),
        ({"grain": "weekly", "to": "2024-01-01"}, "key", {"2024-W01"}),
    ],
)
def test_figures_are_chosen_by_their_names_and_days(
    api: Api, params: dict[str, Any], column: str, values: set[str]
) -> None:
    everything = exported(api, "figures", grain=params.get("grain", "daily"))
    found = exported(api, "figures", **params)

    wanted = [row for row in everything if row[column] in values]
    if "value" in params:
        wanted = [row for row in wanted if row["dimension"] == "channel"]
    assert found == wanted
    assert {row[column] for row in found} == values


def test_users_are_chosen_as_in_the_list(api: Api) -> None:
    everyone = exported(api, "users")
    for params in (
        {"min_conversations": max(one["conversations"] for one in everyone)},
        {"is_new": "true"},
        {"topic": [everyone[0]["top_topics"][0]]},
        {"topic": ["(none)"]},
    ):
        listed = api.get("/users", params=params).json()["items"]
        found = exported(api, "users", **params)
        assert [one["user_id"] for one in found] == [one["user_id"] for one in listed], params


def test_a_value_that_a_spreadsheet_would_run_is_disarmed_in_csv_only(api: Api) -> None:
    params = {"by": "channel", "metric": "conversations"}

    values = {row["value"] for row in exported(api, "figures", "csv", **params)}
    assert values >= {"'" + FORMULA, "web"}
    assert FORMULA not in values
    assert FORMULA in {row["value"] for row in exported(api, "figures", "parquet", **params)}


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        ("figures?metric=fame", "unknown-metric"),
        ("figures?by=mood", "unknown-dimension"),
        ("figures?by=", "invalid-request"),
        ("figures?value=web", "invalid-request"),
        ("figures?by=(none)&value=web", "invalid-request"),
        ("figures?grain=hourly", "invalid-request"),
        ("figures?from=2999-01-01", "future-date"),
        ("figures?from=2024-01-03&to=2024-01-02", "invalid-request"),
        ("figures?from=yesterday", "invalid-request"),
        ("figures?format=xlsx", "invalid-request"),
        ("figures?limit=1", "invalid-request"),
        ("users?format=xlsx", "invalid-request"),
        ("users?is_new=maybe", "invalid-request"),
        ("users?min_conversations=-1", "invalid-request"),
        ("users?cursor=x", "invalid-request"),
        ("users?from=2024-01-02", "invalid-request"),
    ],
)
def test_what_cannot_be_exported_is_a_problem(api: Api, asked: str, problem: str) -> None:
    assert kind(api.get(f"/exports/{asked}")) == problem


@pytest.mark.parametrize("table", ["figures", "users"])
def test_an_empty_lake_gives_a_file_with_columns(tmp_path: Path, table: str) -> None:
    settings = load_settings(None, parquet_base_dir=tmp_path / "lake")
    with api_over(settings, tmp_path) as api:
        for format_ in FORMATS:
            answer = api.get(f"/exports/{table}", params={"format": format_})
            assert answer.status_code == 200
            assert b"conversations" in answer.content or b"dimension" in answer.content
            assert exported(api, table, format_) == []  # type: ignore[arg-type]
