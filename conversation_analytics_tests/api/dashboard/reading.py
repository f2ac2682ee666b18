"""Pages of the dashboard as people see them, for tests to look into."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qsl, urljoin, urlsplit
from xml.etree.ElementTree import Element

import httpx

from conversation_analytics_tests.reports.pages import having, parsed, text

__all__ = ["cards", "found", "having", "heading", "links", "parameters", "parsed", "read", "text"]


def read(client: httpx.Client, path: str, status: int = 200) -> Element:
    """The page of a path below the dashboard's."""
    answer = client.get(f"/dashboard{path}")
    assert answer.status_code == status, f"{path}: {answer.status_code}\n{answer.text}"
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    return parsed(answer.text)


def heading(page: Element) -> str:
    (only,) = page.iter("h1")
    return text(only)


def links(page: Element, at: str = "/dashboard") -> Iterator[str]:
    """The addresses that a page links to, without what follows a #."""
    for one in page.iter("a"):
        to = one.get("href", "").partition("#")[0]
        if to:
            yield urljoin(at, to)


def parameters(address: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(address).query))


def cards(page: Element) -> list[str]:
    """The conversations of a list, each as its text."""
    return [text(one) for one in page.iter("li") if one.get("class") == "card"]


def found(client: httpx.Client, address: str) -> list[str]:
    """The conversations of a list, of all its pages."""
    cards_: list[str] = []
    while address:
        answer = client.get(address)
        assert answer.status_code == 200, answer.text
        page = parsed(answer.text)
        cards_ += cards(page)
        further = [to for to in links(page, address) if "cursor" in parameters(to)]
        address = further[0] if further else ""
    return cards_
