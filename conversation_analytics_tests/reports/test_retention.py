"""Who came back: weekly cohorts, against plain loops."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from conversation_analytics.periods import period_of
from conversation_analytics.reports.published import read_page
from conversation_analytics.reports.retention import COHORTS, cohorts
from conversation_analytics_tests.reports.reported_lake import MONDAY, ReportedLake, talk

THIRD = MONDAY + timedelta(days=14)

# user → days on which the user wrote
WROTE = {
    "a": [MONDAY, THIRD],
    "b": [MONDAY + timedelta(days=6)],
    "c": [MONDAY + timedelta(days=1), MONDAY + timedelta(days=8), THIRD + timedelta(days=6)],
    "d": [MONDAY + timedelta(days=7), THIRD],
    "e": [THIRD],
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> ReportedLake:
    lake = ReportedLake(tmp_path_factory.mktemp("retention"))
    lake.add(
        *(
            talk(f"{user}-{day}", f"{day}T10:00:00", user=user)
            for user, days in WROTE.items()
            for day in days
        )
    )
    lake.run(*(MONDAY + timedelta(days=n) for n in range(21)))
    lake.report(MONDAY, THIRD, grain="weekly")
    return lake


def test_a_week_tells_how_many_users_of_each_earlier_week_came_back(made: ReportedLake) -> None:
    found = made.read(THIRD, "weekly")["retention"]
    assert [tuple(one.values()) for one in found] == [
        ("2024-W02", 1, 1, 1, 1.0),  # d
        ("2024-W01", 2, 3, 2, 2 / 3),  # a and c, not b
    ]
    assert made.read(MONDAY, "weekly")["retention"] == []


def test_the_page_shows_it(made: ReportedLake) -> None:
    page = read_page(made.lake, period_of("weekly", THIRD))
    assert page is not None
    assert "Users who came back, by the week that brought them" in page.decode()
    assert "66.7" in page.decode()


def test_of_few_users_only_the_number_is_told(made: ReportedLake, tmp_path: Path) -> None:
    made.copied(tmp_path)
    lake = ReportedLake(tmp_path, min_users_per_cell=2)
    lake.report(grain="weekly")
    (second, first) = lake.read(THIRD, "weekly")["retention"]
    assert (second["users"], second["active"], second["share"]) == (1, None, None)
    assert first["active"] == 2


def test_a_user_who_turns_out_to_have_come_earlier_changes_the_weeks_after(
    made: ReportedLake, tmp_path: Path
) -> None:
    lake = made.copied(tmp_path)
    lake.add(talk("early", "2024-01-01T08:00:00", user="d"))
    lake.run(MONDAY)
    lake.report(grain="weekly")
    found = lake.read(THIRD, "weekly")["retention"]
    assert [tuple(one.values()) for one in found] == [("2024-W01", 2, 4, 3, 0.75)]


def test_days_and_months_have_no_cohorts(made: ReportedLake) -> None:
    made.report(THIRD)
    assert made.read(THIRD)["retention"] == []
    assert cohorts(period_of("monthly", THIRD)) == []
    weeks = cohorts(period_of("weekly", THIRD))
    assert len(weeks) == COHORTS
    assert [week.first for week in weeks[:2]] == [date(2024, 1, 8), date(2024, 1, 1)]
