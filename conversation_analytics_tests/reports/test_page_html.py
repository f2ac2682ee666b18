"""The page of a report is one sound file whatever the data say."""

from __future__ import annotations

from itertools import pairwise

import html5lib
import pytest

from conversation_analytics.reports.page.render import render
from conversation_analytics.schemas.metrics import METRICS
from conversation_analytics_tests.reports import documents
from conversation_analytics_tests.reports.pages import SHAPES, html_of, shape_page, text

MOST_BYTES = 300_000
HEADINGS = ("h1", "h2", "h3", "h4")

each_shape = pytest.mark.parametrize("shape", SHAPES)


@each_shape
def test_a_page_refers_to_nothing_but_its_own_parts(shape: str) -> None:
    page = shape_page(shape)
    ids = {element.get("id") for element in page.iter()}
    (style,) = page.iter("style")

    links = [element.get("href", "") for element in page.iter() if "href" in element.attrib]
    assert links
    assert {link for link in links if link.removeprefix("#") not in ids} == set()
    assert "url(" not in (style.text or "")
    assert "@import" not in (style.text or "")
    fetching = {"script", "link", "img", "iframe", "object", "embed", "base", "form", "use"}
    assert fetching.isdisjoint({str(element.tag) for element in page.iter()})
    assert {name for element in page.iter() for name in element.attrib} & {"src", "srcset"} == set()


@each_shape
def test_a_page_is_valid_html(shape: str) -> None:
    parser = html5lib.HTMLParser()
    page = parser.parse(html_of(shape))

    assert parser.errors == []
    ids = [element.get("id") for element in page.iter() if element.get("id")]
    assert len(ids) == len(set(ids))


@each_shape
def test_headings_go_down_one_step_at_a_time(shape: str) -> None:
    levels = [int(one.tag[1]) for one in shape_page(shape).iter() if one.tag in HEADINGS]

    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


@each_shape
def test_every_table_has_a_caption_and_every_heading_of_one_its_scope(shape: str) -> None:
    tables = [*shape_page(shape).iter("table")]

    assert all(text(table[0]) for table in tables if table[0].tag == "caption")
    assert [table for table in tables if table[0].tag != "caption"] == []
    assert {cell.get("scope") for table in tables for cell in table.iter("th")} <= {
        "col",
        "row",
        "rowgroup",
    }


@each_shape
def test_a_page_is_small(shape: str) -> None:
    assert len(html_of(shape).encode()) < MOST_BYTES


def test_a_page_stays_small_with_a_thousand_values() -> None:
    document = documents.document()
    (first, *_) = document["breakdowns"]["topic"]
    many = [{**first, "value": f"topic {number}"} for number in range(1000)]
    document["breakdowns"] |= {"topic": many, "segment": many, "intent": many}

    html = render(document, [], METRICS)

    assert len(html.encode()) < MOST_BYTES
    assert "952 further values with 368,424 conversations" in html


def test_texts_of_the_data_stay_texts() -> None:
    page = shape_page("hostile")

    whole = text(page)
    for hostile in documents.HOSTILE:
        assert hostile in whole
    tags = [str(element.tag) for element in page.iter()]
    assert {"script", "img"}.isdisjoint(tags)
    assert tags.count("style") == 1
    assert [name for element in page.iter() for name in element.attrib if name[:2] == "on"] == []
