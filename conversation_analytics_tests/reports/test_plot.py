"""What Dagster shows of a report."""

from __future__ import annotations

from xml.etree import ElementTree

from conversation_analytics.reports.plot import day_plot
from conversation_analytics_tests.reports import documents


def texts(svg: str) -> list[str]:
    return [one.text or "" for one in ElementTree.fromstring(svg).iter()]


def test_the_plot_shows_conversations_by_what_they_are_about() -> None:
    shown = texts(day_plot(documents.document()))

    assert shown[1] == "2024-W03: 1,842 conversations, " + shown[1].split(", ")[-1]
    at = shown.index("billing")
    assert shown[at : at + 3] == ["billing", "", "313"]
    at = shown.index("7 others")  # 15 topics, of which 8 are shown
    assert shown[at + 2] == "239"


def test_names_cannot_leave_the_plot() -> None:
    assert documents.HOSTILE[0] in texts(day_plot(documents.hostile()))


def test_an_empty_period_has_a_plot() -> None:
    assert "2024-W03: 0 conversations, 0 messages" in texts(day_plot(documents.empty()))
