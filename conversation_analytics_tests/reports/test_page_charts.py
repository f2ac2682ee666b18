"""Charts are sound whatever they show, and stay where they belong."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from hypothesis import given, settings
from hypothesis import strategies as st

from conversation_analytics.reports.page import charts
from conversation_analytics.reports.page.charts import Part

numbers = st.floats(-1e12, 1e12, allow_subnormal=False)
series = st.lists(st.none() | numbers, max_size=15)
few = settings(max_examples=50)


def percents(svg: str) -> list[float]:
    ElementTree.fromstring(svg)
    return [float(one) for one in re.findall(r'(?:x|width)="([\d.]+)%"', svg)]


@few
@given(share=numbers, mark=st.none() | numbers)
def test_a_bar_stays_within_its_track(share: float, mark: float | None) -> None:
    assert all(0 <= one <= 100 for one in percents(charts.bar(share, mark=mark)))


@few
@given(value=numbers, reach=st.floats(0, 1e12), ends=st.tuples(numbers, numbers))
def test_a_swing_and_its_interval_stay_within_the_edges(
    value: float, reach: float, ends: tuple[float, float]
) -> None:
    low, high = sorted(ends)

    assert all(0 <= one <= 100 for one in percents(charts.swing(value, reach, (low, high))))


def test_a_swing_leads_from_the_middle_to_its_value() -> None:
    assert 'x="50%" y="3" width="25%"' in charts.swing(1, 2)
    assert 'x="25%" y="3" width="25%"' in charts.swing(-1, 2)


def test_a_stack_fills_its_width() -> None:
    svg = charts.stack([Part(0.25, "positive"), Part(0.75, "negative")])

    assert 'class="positive" x="0%" width="25%"' in svg
    assert 'class="negative" x="25%" width="75%"' in svg


@few
@given(series)
def test_a_scale_spans_all_values_and_zero_in_a_few_steps(values: list[float | None]) -> None:
    scale = charts.scale_of(values)
    slack = 1e-6 * (scale.high - scale.low)

    assert all(scale.low - slack <= one <= scale.high + slack for one in values if one is not None)
    assert scale.low <= 0 <= scale.high
    assert 2 <= len(scale.ticks) <= 8


@few
@given(series)
def test_a_line_is_drawn_from_two_values_on(values: list[float | None]) -> None:
    drawings = [charts.line(values, charts.scale_of(values)), charts.sparkline(values)]

    enough = sum(one is not None for one in values) > 1
    assert [bool(one) for one in drawings] == [enough, enough]
    for drawing in filter(None, drawings):
        ElementTree.fromstring(drawing)


def test_a_line_has_a_gap_where_there_was_nothing_to_measure() -> None:
    svg = charts.line([1, 2, None, 4, None, 1], charts.scale_of([4.0]))

    (path,) = re.findall(r'class="stroke" d="([^"]+)"', svg)
    assert path.count("M") == 3
