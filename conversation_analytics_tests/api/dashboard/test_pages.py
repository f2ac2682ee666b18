"""What the pages say, and where they lead."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs

import httpx
import pytest

from conversation_analytics.api.answers import PAGE_POLICY
from conversation_analytics.api.dashboard.addresses import Trail
from conversation_analytics.periods import parse_period
from conversation_analytics.reports.published import read_page
from conversation_analytics.settings import Settings, load_settings
from conversation_analytics.storage.lake import open_lake
from conversation_analytics_tests.api.dashboard.lake import (
    ANGRY,
    BILLING,
    HARM,
    HARMFUL_USER,
    dashboard,
)
from conversation_analytics_tests.api.dashboard.reading import (
    cards,
    found,
    having,
    heading,
    links,
    parameters,
    parsed,
    read,
    text,
)

PAGES = ["", "/topics", "/sentiment", "/models", "/users", "/conversations", "/data"]
REPORTS = PAGES[:4]
WEEK = "grain=weekly&period=2024-W02"


@pytest.mark.parametrize("path", [*PAGES, "/conversations/thai", "/users/u1"])
def test_a_page_needs_no_script_and_lets_none_run(pages: httpx.Client, path: str) -> None:
    answer = pages.get(f"/dashboard{path}")

    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'self'; img-src 'self'")
    assert "unsafe" not in policy
    assert answer.headers["cache-control"] == "private, no-store"
    assert answer.headers["x-frame-options"] == "DENY"
    for element in read(pages, path).iter():
        assert element.tag not in {"script", "style"}
        assert not [name for name in element.attrib if name == "style" or name.startswith("on")]


def test_every_link_of_every_page_leads_somewhere(pages: httpx.Client) -> None:
    waiting, seen = [f"/dashboard{path}" for path in PAGES], set[str]()
    while waiting and len(seen) < 120:
        address = waiting.pop(0)
        if address in seen:
            continue
        seen.add(address)
        answer = pages.get(address)
        assert answer.status_code == 200, f"{address}: {answer.text}"
        waiting += links(parsed(answer.text), address)
    assert len(seen) == 120


@pytest.mark.parametrize("task", ["topic", "intent"])
def test_a_figure_links_to_its_conversations(pages: httpx.Client, task: str) -> None:
    page = read(pages, f"/topics?{WEEK}")
    (table,) = (one for one in having(page, dimension=task) if one.tag == "div")

    figures = {
        link.get("href", ""): int((link.text or "").replace(",", ""))
        for link in table.iter("a")
        if link.get("class") == "figure"
    }

    assert len(figures) > 1
    for address, count in figures.items():
        assert len(found(pages, address)) == count, address


def test_what_is_also_about_a_topic_is_not_in_its_figures(pages: httpx.Client) -> None:
    about = len(found(pages, "/dashboard/conversations?topic=delivery"))
    mainly = len(found(pages, "/dashboard/conversations?main_topic=delivery"))

    assert about == mainly + 1


def test_the_topic_that_grew_most_is_named_with_what_is_known_of_why(pages: httpx.Client) -> None:
    page = read(pages, f"/topics?{WEEK}")

    assert heading(page) == "billing grew most"
    said = text(next(one for one in page.iter("section") if one.get("id") == "closer"))
    assert "14 conversations about billing , 10 more than 4 before." in said
    assert "More people asked: 14 users, 4 before." in said
    assert len(cards(page)) == 3


def test_topics_stand_below_the_one_they_are_part_of(pages: httpx.Client) -> None:
    page = read(pages, f"/topics?{WEEK}")
    rows = [one for one in page.iter("tr") if "depth" in (one.get("class") or "")]
    told = [(one.get("data-value"), (one.get("class") or "").split()[0]) for one in rows]

    money = told.index(("money", "depth0"))
    assert told[money + 1] == ("billing", "depth1")
    assert "14 with all within" in text(rows[money])


def test_a_change_within_noise_is_called_so(pages: httpx.Client) -> None:
    page = read(pages, f"/topics?{WEEK}&topic=delivery")

    assert heading(page) == "delivery"
    assert "as many as before" in text(page)
    assert "within noise" in text(read(pages, f"?{WEEK}"))


def test_the_slowest_model_is_named_with_its_cost(pages: httpx.Client) -> None:
    page = read(pages, f"/models?{WEEK}")

    assert heading(page) == "slow is slowest"
    assert "95 % within 9.0 s" in text(page)
    assert "It cost 2.50 USD" in text(page)
    (row,) = (one for one in having(page, value="slow") if one.tag == "tr")
    assert "slowest" in text(row)


def test_angry_conversations_in_spanish_are_found(pages: httpx.Client) -> None:
    page = read(pages, "/conversations?language=es&sentiment=negative")

    angry = cards(page)
    assert len(angry) == 4
    assert all(ANGRY in one and "Spanish" in one for one in angry)


def test_what_was_looked_for_is_marked_where_it_stands(pages: httpx.Client) -> None:
    page = read(pages, "/conversations?q=INVOICE&from=2024-01-02&to=2024-01-02")

    assert [one.text for one in page.iter("mark")] == ["invoice"] * 2


def test_a_filter_can_be_taken_away_again(pages: httpx.Client) -> None:
    address = "/conversations?language=es&sentiment=negative"
    page = read(pages, address)

    without = [to for to in links(page) if to == "/dashboard/conversations?language=es"]
    assert without
    assert len(cards(read(pages, "/conversations?language=es"))) >= 4


def test_what_nobody_filled_in_is_not_in_the_address(pages: httpx.Client) -> None:
    answer = pages.get("/dashboard/conversations?q=&language=es&topic=&from=")

    assert (answer.status_code, answer.headers["location"]) == (
        303,
        "/dashboard/conversations?language=es",
    )


@pytest.mark.parametrize("path", REPORTS)
def test_pages_of_reports_keep_the_period(pages: httpx.Client, path: str) -> None:
    page = read(pages, f"{path}?grain=daily&period=2024-01-08")
    (menu,) = (one for one in page.iter("nav") if one.get("aria-label") == "Pages")

    reports = [to for to in links(menu) if parameters(to)]
    assert len(reports) == len(REPORTS)
    assert {to.partition("?")[2] for to in reports} == {"grain=daily&period=2024-01-08"}
    steps = {one.get("rel"): one.get("href") or "" for one in page.iter("a") if one.get("rel")}
    assert parameters(steps["prev"])["period"] == "2024-01-03"
    assert parameters(steps["next"])["period"] == "2024-01-09"


def test_figures_of_one_value_are_kept_from_period_to_period(pages: httpx.Client) -> None:
    page = read(pages, f"?{WEEK}&only=topic:billing")

    assert heading(page) == "14 conversations: billing"
    steps = {one.get("rel"): one.get("href") or "" for one in page.iter("a") if one.get("rel")}
    assert parameters(steps["prev"]) == {
        "grain": "weekly",
        "period": "2024-W01",
        "only": "topic:billing",
    }
    (tile,) = (one for one in having(page, metric="conversations") if one.tag == "div")
    assert "from 4" in text(tile)
    (link,) = links(tile)
    assert parameters(link) == {"from": "2024-01-08", "to": "2024-01-14", "main_topic": "billing"}


def test_figures_of_an_attribute_lead_to_its_conversations(pages: httpx.Client) -> None:
    page = read(pages, f"?{WEEK}&only=segment:vip")

    (tile,) = (one for one in having(page, metric="conversations") if one.tag == "div")
    (link,) = links(tile)
    days = {"from": "2024-01-08", "to": "2024-01-14"}
    assert parameters(link) == {**days, "attribute": "segment=vip"}
    listed = read(pages, link.removeprefix("/dashboard"))
    assert "attribute: segment=vip" in text(listed)
    assert [to for to in links(listed) if "/conversations/" in to]


def test_filters_by_several_attributes_all_hold() -> None:
    within = Trail(None, allowed=True, within=("segment", "vip"))
    to = within.both(("plan", "a b"), ("topic", "billing"), escalated="true")
    assert parse_qs(to.partition("?")[2]) == {
        "attribute": ["segment=vip", "plan=a b"],
        "main_topic": ["billing"],
        "escalated": ["true"],
    }
    assert within.value("odd=name", "x") == ""


def test_a_day_is_compared_with_the_same_weekday(pages: httpx.Client) -> None:
    page = read(pages, "?grain=daily&period=2024-01-09")

    (tile,) = (one for one in having(page, metric="conversations") if one.tag == "div")
    assert "on 2024-01-02" in text(tile)


def test_the_latest_report_is_shown_first(pages: httpx.Client) -> None:
    assert "Week 2, 8–14 January 2024" in text(read(pages, ""))


def test_missing_days_are_told(pages: httpx.Client) -> None:
    page = read(pages, "/data")

    assert "Not quite: 4 of 8 days" in text(page)
    assert "4 days are missing: 2024-01-04 to 2024-01-07." in text(page)
    assert "2 of 7 days" in text(read(pages, f"?{WEEK}"))


def test_a_translation_stands_beside_its_text_with_the_labels(pages: httpx.Client) -> None:
    page = read(pages, "/conversations/thai")

    (two,) = (one for one in page.iter("div") if one.get("class") == "texts two")
    assert [one.get("lang") for one in two] == [None, "en"]
    assert text(two).startswith("บริการแย่มาก")
    assert "[en] บริการแย่มาก" in text(two)
    labels = next(one for one in page.iter("ul") if one.get("class") == "labels")
    assert re.search(r"language Thai \d+ %", text(labels))


@pytest.mark.parametrize(
    "path",
    [
        f"?{WEEK}",
        f"/topics?{WEEK}",
        f"/models?{WEEK}",
        "/users",
        "/conversations?q=script",
        "/conversations/%3Ci%3E%2F..%3F%23%25",
        "/users/%3Cb%3EMallory%3C%2Fb%3E%20%26%20%22co%22%2F..%2F%3Fx%3D1%23y",
    ],
)
def test_harmful_text_is_only_text(pages: httpx.Client, path: str) -> None:
    page = read(pages, path)

    assert not [one for one in page.iter() if one.tag in {"script", "b", "i"} and _harm(one.text)]
    assert not [one for one in page.iter("img") if one.get("src") == "x"]
    known = (HARM, HARMFUL_USER)
    values = " ".join([text(page), *(one.get("value", "") for one in page.iter())])
    assert any(one in values for one in known)


def _harm(words: str | None) -> bool:
    return "Mallory" in (words or "") or "alert" in (words or "")


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("?grain=weekly&period=2024-W07", 404, "There is no report of this period"),
        ("?grain=weekly&period=yesterday", 422, "The period is not one of this grain"),
        ("?grain=hourly", 422, "The request has a part that is not allowed"),
        (f"?{WEEK}&only=mood:bad", 422, "There is no such dimension"),
        (f"?{WEEK}&only=topic:unheard", 200, "Week 2, 8–14 January 2024"),
        (f"/topics?{WEEK}&topic=unheard", 200, "unheard"),
        ("/conversations?from=2024-13-01", 422, "The request has a part that is not allowed"),
        ("/conversations?from=2999-01-01", 422, "The date lies in the future"),
        ("/conversations?colour=red", 422, "The request has a part that is not allowed"),
        ("/conversations?cursor=x", 422, "The cursor is not one of this list"),
        ("/conversations/nobody", 404, "There is no such conversation"),
        ("/users/nobody", 404, "There is no such user"),
        ("/reports/weekly/2024-W07.html", 404, "There is no such report"),
        ("/reports/weekly/yesterday.html", 422, "The period is not one of this grain"),
        ("/reports/hourly/2024-W02.html", 422, "The request has a part that is not allowed"),
        ("/users?page=0", 422, "The request has a part that is not allowed"),
        ("/nothing", 404, "There is nothing here"),
    ],
)
def test_what_cannot_be_shown_is_told_on_a_page(
    pages: httpx.Client, path: str, status: int, words: str
) -> None:
    page = read(pages, path, status)

    assert heading(page) == words
    assert "/dashboard/topics" in {to.partition("?")[0] for to in links(page)}


def test_another_method_is_refused_on_a_page(pages: httpx.Client) -> None:
    answer = pages.post("/dashboard/topics")

    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")
    assert "<h1>The method is not allowed here</h1>" in answer.text


def test_the_page_of_the_period_shown_is_at_hand(pages: httpx.Client, shown: Settings) -> None:
    (address,) = (to for to in links(read(pages, f"?{WEEK}")) if "/reports/" in to)
    answer = pages.get(address)

    week = parse_period("weekly", "2024-W02")
    assert answer.content == read_page(open_lake(shown), week)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"] == PAGE_POLICY
    assert answer.headers["cache-control"] == "private, no-store"
    # The page tells of all conversations, not of one value's.
    assert not [to for to in links(read(pages, f"?{WEEK}&only=topic:billing")) if "/reports/" in to]


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[httpx.Client]:
    settings = load_settings(None, parquet_base_dir=tmp_path / "lake")
    with dashboard(settings) as client:
        yield client


@pytest.mark.parametrize("path", PAGES)
def test_an_empty_lake_is_no_error(empty: httpx.Client, path: str) -> None:
    page = read(empty, path)

    assert "yet" in text(page)


def test_a_damaged_report_is_told_and_the_others_are_shown(shown: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "lake"
    shutil.copytree(shown.parquet_base_dir, folder)
    report = folder / "analytics_reports/weekly/2024-W02/report.json"
    report.write_bytes(report.read_bytes()[:-100])
    with dashboard(shown.model_copy(update={"parquet_base_dir": folder})) as client:
        assert heading(read(client, f"?{WEEK}", 503)) == "A report in the lake is damaged"
        assert "9 conversations" in heading(read(client, "?grain=weekly&period=2024-W01"))
        page = folder / "analytics_reports/weekly/2024-W01/report.html"
        page.write_bytes(page.read_bytes()[:-100])
        torn = read(client, "/reports/weekly/2024-W01.html", 503)
        assert heading(torn) == "A report in the lake is damaged"


def test_users_are_in_the_order_that_is_asked_for(pages: httpx.Client) -> None:
    rows = list(having(read(pages, "/users?order=messages&q=u1")))
    names = [one.get("data-value") for one in rows if one.tag == "tr" and one.get("data-value")]

    assert names
    assert all("u1" in (name or "") for name in names)


def test_the_front_door_leads_to_the_dashboard(pages: httpx.Client) -> None:
    answer = pages.get("/", headers={"Accept": "text/html,*/*"})

    assert (answer.status_code, answer.headers["location"]) == (307, "/dashboard")


def test_the_style_sheet_is_kept_for_years_and_changes_its_address(pages: httpx.Client) -> None:
    page = read(pages, "")
    (style,) = (one for one in page.iter("link") if one.get("rel") == "stylesheet")

    answer = pages.get(style.get("href") or "")

    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert "immutable" in answer.headers["cache-control"]
    assert BILLING not in answer.text
