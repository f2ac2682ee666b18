"""The picture of found topics."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from xml.etree import ElementTree

from conversation_analytics.categorization.discovery.discover import Discovery, discover
from conversation_analytics.categorization.discovery.plot import bars
from conversation_analytics_tests.categorization.discovery.corpus import (
    THAI,
    conversations,
    rows,
)


def texts(svg: str) -> list[str]:
    return [one.text or "" for one in ElementTree.fromstring(svg).iter() if one.text]


@cache
def found(min_users: int = 5) -> Discovery:
    return discover(conversations(rows() + rows(THAI, language="th", users=9)), min_users=min_users)


def test_every_topic_has_a_bar_with_its_name_and_size() -> None:
    discovery = found()
    svg = bars(discovery)
    for topic in discovery.topics:
        assert topic.name in texts(svg)
        assert str(topic.size) in texts(svg)
    assert svg.count("<rect") == 1 + len(discovery.topics) + 1
    assert "<script" not in svg
    assert not re.search(r"(?:href|src|url)", svg)


def test_topics_of_few_users_are_counted_without_a_name() -> None:
    svg = bars(found(min_users=10))
    assert "4 topics of too few users" in texts(svg)
    assert not any(thing in svg for thing in THAI)


def test_names_are_escaped_and_shortened() -> None:
    discovery = found()
    wild = replace(discovery.topics[0], name="<script>&\"'" + "x" * 500)
    svg = bars(replace(discovery, topics=(wild,)))
    assert any(one.startswith("<script>&\"'xxx") and one.endswith("…") for one in texts(svg))


def test_the_smaller_of_many_topics_share_a_bar() -> None:
    discovery = found()
    many = tuple(replace(discovery.topics[0], id=n, size=1000 - n) for n in range(900))
    svg = bars(replace(discovery, topics=many))
    assert "870 smaller topics" in texts(svg)
    assert len(svg) < 100_000


def test_nothing_found_is_still_a_picture() -> None:
    svg = bars(discover(conversations([]), min_users=5))
    assert "in no topic" in texts(svg)
