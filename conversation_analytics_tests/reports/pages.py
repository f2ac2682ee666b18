"""Pages of reports as trees of elements, for tests to look into."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from xml.etree.ElementTree import Element

import html5lib

from conversation_analytics.reports.page.render import render
from conversation_analytics.schemas.metrics import METRICS
from conversation_analytics_tests.reports import documents
from conversation_analytics_tests.reports.documents import Document

SHAPES = {
    "rich": documents.document(),
    "a day": documents.document("2024-01-15", "daily"),
    "empty": documents.empty(),
    "half the days missing": documents.half_missing(),
    "withheld": documents.withheld(),
    "restated": documents.restated(),
    "many scripts": documents.many_scripts(),
    "hostile": documents.hostile(),
}


def page_of(document: Document, history: list[Document] | None = None) -> Element:
    return parsed(render(document, history or [], METRICS))


def parsed(html: str) -> Element:
    return html5lib.parse(html, namespaceHTMLElements=False)


def text(element: Element) -> str:
    return " ".join(" ".join(element.itertext()).split())


def having(page: Element, **data: str) -> Iterator[Element]:
    """Elements whose `data-` attributes are these."""
    for element in page.iter():
        if all(element.get(f"data-{name}") == value for name, value in data.items()):
            yield element


def part(page: Element, name: str) -> Element:
    (found,) = having(page, section=name)
    return found


def row(page: Element, within: str, value: str) -> list[str]:
    """The cells of a value's row in a part."""
    found = next(having(part(page, within), value=value))
    return [text(cell) for cell in found if cell.tag in {"th", "td"}]


@cache
def html_of(shape: str) -> str:
    """The page of one of `SHAPES`, with a history."""
    return render(SHAPES[shape], documents.history(), METRICS)


@cache
def shape_page(shape: str) -> Element:
    """The same as elements."""
    return parsed(html_of(shape))
