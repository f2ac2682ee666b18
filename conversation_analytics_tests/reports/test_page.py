"""What the page of a report shows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from conversation_analytics.schemas.metrics import METRICS
from conversation_analytics_tests.reports import documents
from conversation_analytics_tests.reports.pages import SHAPES, having, page_of, part, row, text


@pytest.mark.parametrize("shape", ["rich", "many scripts", "empty"])
def test_every_metric_of_the_period_is_shown(shape: str) -> None:
    document = SHAPES[shape]
    page = part(page_of(document), "figures")

    shown = {
        (element.get("data-metric"), element.get("data-currency")): element.get("data-value")
        for element in page.iter()
        if element.get("data-metric")
    }

    assert shown == {key: said(value) for key, value in values(document["metrics"])}


def values(metrics: dict[str, Any]) -> Iterator[tuple[tuple[str, str | None], Any]]:
    for name, value in metrics.items():
        if isinstance(value, dict):
            yield from (((name, currency), one) for currency, one in value.items())
        else:
            yield (name, None), value


def said(value: float | None) -> str:
    return "" if value is None else str(float(value))


@pytest.mark.parametrize(
    ("metric", "value", "written"),
    [
        ("conversations", 1842, "1,842"),
        ("escalation_rate", 0.15149, "15.1 %"),
        ("error_rate", 0.0131, "1.31 %"),
        ("first_response_p95_seconds", 9.44, "9.4 s"),
        ("first_response_p95_seconds", 3725.0, "1 h 2 min"),
        ("avg_duration_seconds", 93.2, "1 min 33 s"),
        ("latency_p95_ms", 6810.4, "6.8 s"),
        ("sentiment_mean", -0.1234, "−0.123"),
        ("cost", {"USD": 42.8}, "42.80 USD"),
        ("cost", {"VND": 1_041_105.24}, "1,041,105.24 VND"),
        ("cost_per_conversation", {"USD": 0.0219}, "0.0219 USD"),
        ("escalation_rate", None, "–"),
    ],
)
def test_numbers_are_written_in_their_unit(metric: str, value: Any, written: str) -> None:
    document = documents.document(metrics=documents.document()["metrics"] | {metric: value})
    found = next(having(part(page_of(document), "figures"), metric=metric))

    assert written in [text(cell) for cell in found.iter() if cell.tag in {"dd", "td"}]


def test_the_summary_comes_first() -> None:
    document = documents.document()
    first = part(page_of(document), "summary")

    assert [text(one) for one in first.iter() if one.tag in {"p", "li"}] == [
        " ".join(sentence.split()) for sentence in document["summary"]
    ]


@pytest.mark.parametrize(
    ("metric", "change", "sure", "verdict"),
    [
        ("escalation_rate", 0.02, True, "worse"),
        ("escalation_rate", -0.02, True, "better"),
        ("active_users", 30, True, "better"),
        ("conversations", 30, True, "clear change"),
        ("conversations", 30, False, "within noise"),
        ("conversations", 0, False, "unchanged"),
    ],
)
def test_a_figure_says_whether_its_change_is_noise(
    metric: str, change: float, sure: bool, verdict: str
) -> None:
    document = documents.document()
    now = document["metrics"][metric]
    document["comparisons"]["previous"]["metrics"][metric] = now - change
    document["why"][metric]["distinguishable"] = sure

    tile = next(having(part(page_of(document), "figures"), metric=metric))

    assert [text(one) for one in tile.iter("span") if "chip" in one.get("class", "")] == [verdict]


def test_a_day_is_also_compared_with_the_same_weekday() -> None:
    tile = next(having(part(page_of(SHAPES["a day"]), "figures"), metric="conversations"))

    assert "from 1,644" in text(tile)
    assert "−1.9 % from 1,878 on 2024-01-08" in text(tile)


def test_the_line_of_the_last_periods_is_told_in_words_and_numbers() -> None:
    history = part(page_of(documents.document(), documents.history(3)), "history")

    (panel, *_) = history.iter("figure")
    assert "Conversations from 2023-W52 to 2024-W03: lowest 1," in text(panel)
    assert "last 1,842 in 2024-W03." in text(panel)
    headings = [text(cell) for cell in history.iter("th") if cell.get("scope") == "col"]
    assert headings == ["Figure", "2023-W52", "2024-W01", "2024-W02", "2024-W03"]


@pytest.mark.parametrize(
    ("within", "dimension"),
    [
        ("topics", "topic"),
        ("intents", "intent"),
        ("sentiment", "sentiment"),
        ("languages", "language"),
        ("languages", "channel"),
        ("attributes", "segment"),
    ],
)
def test_every_value_of_a_dimension_has_its_number_users_and_share(
    within: str, dimension: str
) -> None:
    document = documents.document()
    page = page_of(document)

    for entry in document["breakdowns"][dimension]:
        count = entry["metrics"]["conversations"]
        cells = row(page, within, entry["value"])
        assert cells[:2] == [entry["value"], f"{count:,}"]
        assert {f"{entry['users']:,}", f"{100 * count / 1842:.1f} %"} <= set(cells)


def test_values_are_sorted_with_what_has_no_name_last() -> None:
    document = documents.document()
    document["breakdowns"]["topic"].reverse()

    topics = part(page_of(document), "topics")

    names = [one.get("data-value") for one in topics.iter("tr") if one.get("data-value")]
    assert names[:3] == ["orders", "billing", "technical"]
    assert set(names[-2:]) == {"(other)", "unknown"}


def test_a_values_change_is_that_of_its_conversations_and_of_its_share() -> None:
    document = documents.document()
    entry = {"contribution": 87.0, "mix": None, "rate": None, "interval": [60.0, 110.0]}
    document["why"]["conversations"] |= {
        "before": 1500,
        "by": {
            "topic": [
                {"value": "orders", "distinguishable": True, **entry},
                {"value": "gone", "distinguishable": False, **entry, "contribution": -30.0},
            ]
        },
    }
    page = page_of(document)

    assert row(page, "topics", "orders")[1:6] == ["387", "+87", "271", "21.0 %", "+1.0"]
    assert row(page, "topics", "gone")[1:6] == ["0", "−30 within noise", "–", "0.0 %", "−2.0"]


def test_a_corrected_share_stands_beside_the_raw_one() -> None:
    cells = row(page_of(documents.document()), "topics", "orders")

    assert (cells[4], cells[6]) == ("21.0 %", "22.8 % (21.1 to 24.6)")


def test_why_shares_are_not_corrected_is_told() -> None:
    intents = part(page_of(documents.document()), "intents")

    assert "'refund' has 7 labelled texts of the 20 that it takes" in text(intents)


def test_escalation_is_told_by_topic_the_worst_first() -> None:
    document = documents.document()
    page = part(page_of(document), "escalation")

    rates = {
        one["value"]: one["metrics"]["escalation_rate"] for one in document["breakdowns"]["topic"]
    }
    named = sorted((name for name in rates if name not in {"unknown", "(other)"}), key=rates.get)  # type: ignore[arg-type]
    found = [one.get("data-value") for one in page.iter("tr") if one.get("data-value")]
    assert found[: len(named)] == named[::-1]


def test_models_are_told_with_the_slowest_and_the_dearest() -> None:
    document = documents.document()
    for place, model in enumerate(document["models"]):
        model |= {"latency_p95_ms": 4000 + place, "cost": {"USD": 9.0 - place}}
    page = part(page_of(document), "models")

    first, _, last = (one for one in page.iter("tr") if one.get("data-value"))
    assert "costs most" in text(first)
    assert "slowest" in text(last)
    assert "7.00 USD" in text(last)
    assert "4.0 s" in text(last)


def test_what_adds_to_a_change_is_told_with_its_interval_mix_and_rate() -> None:
    document = documents.document()
    said = {"contribution": 0.021, "mix": 0.006, "rate": 0.015, "interval": [0.012, 0.031]}
    others = [
        {"value": f"t{n}", "distinguishable": False, **said, "contribution": 0.001}
        for n in range(8)
    ]
    topic = [{"value": "billing", "distinguishable": True, **said}, *others]
    document["why"]["escalation_rate"]["by"] = {"topic": topic}

    page = part(page_of(document), "why")

    (block,) = [one for one in having(page, metric="escalation_rate") if one.tag == "details"]
    cells = [text(cell) for cell in next(having(block, value="billing"))]
    assert cells == ["billing", "", "+2.1 points", "+1.2 to +3.1", "+0.6", "+1.5"]
    assert "all others +0.3 points" in text(block)


def test_a_change_in_which_all_is_noise_is_not_taken_apart() -> None:
    document = documents.document()
    page = part(page_of(document), "why")

    assert [one.tag for one in having(page, metric="messages")] == ["tr"]


def test_days_that_are_missing_are_told() -> None:
    document = SHAPES["half the days missing"]
    page = page_of(document)

    days = [text(one) for one in part(page, "data").iter("li")]
    assert len(days) == 31
    missing = [day for day in days if day.endswith("missing")]
    assert missing[0] == "2 Tuesday, 2 January 2024: missing"
    assert "16 of 31 days" in text(next(page.iter("header")))


def test_quarantined_rows_are_told_by_reason() -> None:
    cells = row(page_of(documents.document()), "data", "bad_time")

    assert cells == ["bad_time its time is missing, unreadable or ambiguous", "12"]


def test_what_was_restated_is_told() -> None:
    page = page_of(documents.restated())

    told = text(part(page, "data"))
    assert "Escalation rate topic: billing 31.0 % 33.4 %" in told
    assert "Cost, USD all 41.02 USD 42.80 USD" in told
    assert "7 more are in report.json" in told
    assert "restated" in text(next(page.iter("header")))


def test_a_withheld_dimension_says_so() -> None:
    page = page_of(documents.withheld())

    assert "Withheld: any figure here would tell of fewer than 5 users." in text(
        part(page, "topics")
    )
    assert "fewer than 5 users" in text(part(page, "privacy"))


def test_every_metric_is_defined() -> None:
    meanings = part(page_of(documents.document()), "definitions")

    for metric in METRICS.values():
        assert metric.description in text(next(having(meanings, metric=metric.name)))


def test_an_empty_period_reads_well() -> None:
    page = page_of(documents.empty())

    assert text(part(page, "summary")) == (
        "Summary No conversation started and no message was made."
    )
    assert "No conversation started in this period." in text(part(page, "topics"))
    words = set(re.findall(r"\w+", text(next(page.iter("main")))))
    assert words.isdisjoint({"None", "nan", "null", "inf", "Undefined"})


def test_a_report_with_only_what_is_always_there_has_a_page() -> None:
    always = {"grain", "key", "report_version", "from", "to", "days_present", "metrics"}
    always |= {"time_zone", "generated_at", "content_hash", "complete", "min_users_per_cell"}
    bare = {name: value for name, value in documents.document().items() if name in always}

    assert "The figures are below." in text(part(page_of(bare), "summary"))


def test_names_keep_their_direction_to_themselves() -> None:
    page = page_of(documents.many_scripts())

    apart = {text(one) for one in page.iter("bdi")}
    assert "مشكلة في تسجيل الدخول إلى الحساب (VIP)" in apart
    assert "עברית" in apart


def test_the_weeks_that_brought_users_tell_how_many_came_back() -> None:
    page = page_of(documents.document())
    assert row(page, "retention", "2024-W02")[1:] == ["1", "1,204", "42.4 % (511)"]
    assert row(page, "retention", "2024-W01")[1:] == ["2", "3", "–"]
