"""Reports in the lake: made of their days, made again when these change, honest about gaps."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from conversation_analytics.errors import StaleInput, TornDay
from conversation_analytics.periods import period_of
from conversation_analytics.reports import content, days
from conversation_analytics.reports.catalogue import Catalogue
from conversation_analytics.reports.days import ReportDays
from conversation_analytics.reports.published import published, read_page, read_report
from conversation_analytics.storage.days import Request, commit_days
from conversation_analytics.storage.layout import CONVERSATIONS_UNIT, MESSAGES_UNIT, REPORT_UNITS
from conversation_analytics_tests.reports.reported_lake import (
    MONDAY,
    THURSDAY,
    TUESDAY,
    WEDNESDAY,
    ReportedLake,
    talk,
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> ReportedLake:
    made = ReportedLake(tmp_path_factory.mktemp("reported"))
    made.add(
        talk("c1", "2024-01-01T23:59:50", user="u1", answered="2024-01-02T00:00:10"),
        talk("c2", "2024-01-02T10:00:00", user="u2"),
        talk("c3", "2024-01-03T10:00:00", user="u1"),
    )
    made.run(MONDAY, TUESDAY, WEDNESDAY)
    reports = made.report(MONDAY, TUESDAY, WEDNESDAY)
    assert {one.outcome for one in reports.values()} == {"committed"}
    return made


@pytest.fixture
def lake(made: ReportedLake, tmp_path: Path) -> ReportedLake:
    """Three days, each reported; a conversation of Monday goes on into Tuesday."""
    return made.copied(tmp_path)


def test_conversations_count_where_they_start_and_messages_where_they_are_made(
    lake: ReportedLake,
) -> None:
    found = [lake.read(day)["metrics"] for day in (MONDAY, TUESDAY, WEDNESDAY)]
    assert [one["conversations"] for one in found] == [1, 1, 1]
    assert [one["messages"] for one in found] == [1, 3, 2]
    assert [one["active_users"] for one in found] == [1, 1, 1]
    assert [one["new_users"] for one in found] == [1, 1, 0]


def test_reports_made_one_by_one_say_what_those_made_together_do(lake: ReportedLake) -> None:
    """By itself a report is compared with what those before it say, without measuring them."""
    days = (MONDAY, TUESDAY, WEDNESDAY)
    together = [lake.read(day) for day in days]
    for day in days:
        assert lake.report(day)[day].outcome == "committed"
    one_by_one = [lake.read(day) for day in days]
    for one, other in zip(together, one_by_one, strict=True):
        assert {**one, "generated_at": None} == {**other, "generated_at": None}


def test_a_late_row_restates_the_report_of_every_day_it_counts_in_and_says_what_changed(
    lake: ReportedLake,
) -> None:
    lake.add(talk("c4", "2024-01-01T23:00:00", user="u4", answered="2024-01-02T01:00:00"))
    lake.run(MONDAY)
    reports = lake.report()
    assert [day for day, one in reports.items() if one.outcome == "committed"] == [
        MONDAY,
        TUESDAY,
        WEDNESDAY,  # compared with Tuesday
    ]
    monday, tuesday, wednesday = (lake.read(day) for day in (MONDAY, TUESDAY, WEDNESDAY))
    assert [one["report_version"] for one in (monday, tuesday, wednesday)] == [2, 2, 1]
    changed = {
        (one["metric"], one["before"], one["after"])
        for one in monday["restated"]["changes"]
        if not one["dimension"]
    }
    assert {("conversations", 1, 2), ("messages", 1, 2), ("active_users", 1, 2)} <= changed
    assert monday["restated"]["previous_version"] == 1
    assert wednesday["restated"] is None
    assert wednesday["comparisons"]["previous"]["metrics"]["messages"] == 4


def test_reports_that_nothing_changed_of_are_left_alone(lake: ReportedLake) -> None:
    before = lake.epochs()
    assert lake.report() == {}
    lake.run(MONDAY, TUESDAY, WEDNESDAY)  # the same rows again
    assert lake.report() == {}
    assert lake.epochs() == before


def test_asking_again_writes_again_and_a_retry_keeps_what_is_done(lake: ReportedLake) -> None:
    first = lake.report(MONDAY, request="one")
    assert first[MONDAY].outcome == "committed"
    assert lake.report(MONDAY, request="one")[MONDAY].outcome == "kept"
    assert lake.read(MONDAY)["report_version"] == 1


def test_a_user_whose_first_message_turns_out_to_be_earlier_is_no_longer_new(
    lake: ReportedLake,
) -> None:
    assert lake.read(TUESDAY)["metrics"]["new_users"] == 1
    lake.add(talk("c0", "2024-01-01T08:00:00", user="u2"))
    lake.run(MONDAY)
    lake.report()
    assert lake.read(MONDAY)["metrics"]["new_users"] == 2
    assert lake.read(TUESDAY)["metrics"]["new_users"] == 0


def test_what_a_setting_decides_is_told_anew_when_it_changes(
    lake: ReportedLake, tmp_path: Path
) -> None:
    other = ReportedLake(tmp_path, min_users_per_cell=3, report_dimensions="segment")
    assert {one.outcome for one in other.report().values()} == {"committed"}
    document = other.read(MONDAY)
    assert document["min_users_per_cell"] == 3
    assert "segment" in document["breakdowns"]


def test_a_period_that_is_not_over_has_no_versions(
    lake: ReportedLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Noon(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:
            return datetime(2024, 1, 4, 12, tzinfo=UTC)

    monkeypatch.setattr(days, "datetime", Noon)
    lake.add(talk("c5", "2024-01-04T09:00:00"))
    lake.run(THURSDAY)
    lake.report(THURSDAY)
    first = lake.read(THURSDAY)
    assert (first["complete"], first["over"]) == (False, False)
    lake.add(talk("c6", "2024-01-04T10:00:00"))
    lake.run(THURSDAY)
    lake.report()
    second = lake.read(THURSDAY)
    assert second["metrics"]["conversations"] == 2
    assert (second["report_version"], second["restated"]) == (1, None)


def test_a_week_knows_the_days_it_had(lake: ReportedLake) -> None:
    (report,) = lake.report(MONDAY, grain="weekly").values()
    document = lake.read(MONDAY, "weekly")
    assert document["key"] == "2024-W01"
    assert document["days_present"] == ["2024-01-01", "2024-01-02", "2024-01-03"]
    assert document["days_missing"] == [f"2024-01-0{day}" for day in (4, 5, 6, 7)]
    assert document["complete"] is False
    assert report.manifest is not None
    assert report.manifest.note.startswith("4 day(s) not in the lake: 2024-01-04")
    assert document["metrics"]["conversations"] == 3


def test_a_day_half_refreshed_is_named_and_not_counted(lake: ReportedLake) -> None:
    lake.add(talk("c2", "2024-01-02T10:00:00", user="u2", answered="2024-01-02T10:00:30"))
    request = lake.request()
    list(commit_days(lake.lake, lake.raw_days([TUESDAY], request)))
    list(commit_days(lake.lake, lake.derived_days(MESSAGES_UNIT.name, [TUESDAY], request)))
    assert Catalogue.read(lake.lake).inconsistent == {TUESDAY}
    lake.report(TUESDAY)
    document = lake.read(TUESDAY)
    assert document["days_inconsistent"] == ["2024-01-02"]
    assert document["metrics"]["conversations"] == 0
    assert document["complete"] is False


def test_a_day_that_changes_while_its_report_is_made_fails_and_the_next_run_does_it(
    lake: ReportedLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.users()
    asked = [period_of("daily", TUESDAY)]
    real = content.measure

    def meanwhile(facts: object) -> object:
        monkeypatch.undo()
        lake.add(talk("c7", "2024-01-02T11:00:00"))
        lake.run(TUESDAY)
        return real(facts)  # type: ignore[arg-type]

    monkeypatch.setattr(content, "measure", meanwhile)
    items = ReportDays(lake.settings, lake.lake, "daily", asked, Request("r", "r"))
    (report,) = [one for one in commit_days(lake.lake, items) if one.day == TUESDAY]
    assert report.outcome == "failed"
    assert "changed while" in report.error
    lake.report(TUESDAY)
    assert lake.read(TUESDAY)["metrics"]["conversations"] == 2


def test_without_users_it_says_what_to_make_first(tmp_path: Path) -> None:
    lake = ReportedLake(tmp_path)
    with pytest.raises(StaleInput, match="user_analytics, which was never made"):
        list(ReportDays(lake.settings, lake.lake, "daily", [], Request("r", "r")))


def test_a_report_whose_write_was_cut_off_is_refused(
    lake: ReportedLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("conversation_analytics.storage.lake._READ_ATTEMPTS", 1)
    (lake.settings.parquet_base_dir / "analytics_reports/daily/2024-01-01/report.json").write_text(
        "{}"
    )
    with pytest.raises(TornDay, match=r"report\.json of daily_report of 2024-01-01"):
        read_report(lake.lake, period_of("daily", MONDAY))


def test_the_reports_there_are_are_listed_with_their_pages(lake: ReportedLake) -> None:
    lake.report(MONDAY, grain="weekly")
    found = [(one.period.key, one.version, bool(one.shortcomings)) for one in published(lake.lake)]
    assert found == [
        ("2024-01-01", 1, True),  # its rows have no labels here
        ("2024-01-02", 1, True),
        ("2024-01-03", 1, True),
        ("2024-W01", 1, True),
    ]
    page = read_page(lake.lake, period_of("daily", MONDAY))
    assert page is not None
    assert page.startswith(b"<!doctype html>")
    assert read_page(lake.lake, period_of("daily", THURSDAY)) is None


def test_a_day_without_rows_is_a_report_of_nothing(lake: ReportedLake) -> None:
    lake.run(THURSDAY)
    lake.report(THURSDAY)
    document = lake.read(THURSDAY)
    assert document["complete"] is True
    assert document["metrics"]["conversations"] == 0
    assert document["metrics"]["latency_p50_ms"] is None


def test_conversations_and_messages_of_days_add_up_to_those_of_week_and_month(
    lake: ReportedLake,
) -> None:
    totals = {}
    for grain in ("weekly", "monthly"):
        lake.report(MONDAY, grain=grain)
        totals[grain] = lake.read(MONDAY, grain)["metrics"]
    for name in ("conversations", "messages"):
        daily = sum(lake.read(day)["metrics"][name] for day in (MONDAY, TUESDAY, WEDNESDAY))
        assert (totals["weekly"][name], totals["monthly"][name]) == (daily, daily)


def test_a_manifest_names_all_that_a_report_was_made_of(lake: ReportedLake) -> None:
    manifest = lake.lake.manifest(REPORT_UNITS["daily"], TUESDAY)
    assert manifest is not None
    assert {name for name in manifest.inputs if "@2024-01-01" in name} == {
        "raw@2024-01-01",
        "messages@2024-01-01",
        "conversations@2024-01-01",
    }
    own = lake.manifest(CONVERSATIONS_UNIT.name, TUESDAY)
    assert manifest.inputs["conversations@2024-01-02"] == own.content_hash


def test_a_value_tells_the_users_of_its_conversations_or_else_of_its_messages(
    lake: ReportedLake,
) -> None:
    lake.add(talk("c9", "2024-01-01T23:59:40", user="u9", answered="2024-01-03T00:00:10"))
    lake.run(MONDAY)
    lake.report()
    found = {day: lake.read(day)["breakdowns"]["channel"] for day in (MONDAY, WEDNESDAY)}
    assert [(one["value"], one["users"]) for one in found[MONDAY]] == [("web", 2)]
    # One conversation started on Wednesday, of u1; a message of that of u9 was made then, too.
    assert [(one["value"], one["users"]) for one in found[WEDNESDAY]] == [("web", 1)]
    of_model = {one["value"]: one for one in lake.read(WEDNESDAY)["breakdowns"]["model"]}
    assert of_model["m"]["users"] == 1
