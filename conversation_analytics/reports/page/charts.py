"""Small charts as inline SVG: as wide as their place, without scripts, coloured by `theme.css`.

They are drawn in percentages or stretched, so nothing in them is text: the numbers stand beside
them in HTML, where they wrap, can be selected and are read aloud. Charts that tell nothing that
the text beside them does not tell are hidden from screen readers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from math import ceil, floor, log10
from typing import Final, NamedTuple

from markupsafe import Markup

_BAR: Final = 8  # pixels, as below
_STACK: Final = 26
_SWING: Final = 14
_HIDDEN: Final = Markup('aria-hidden="true" focusable="false"')


class Part(NamedTuple):
    """A piece of a whole.

    Attributes:
        share: of the whole, 0 to 1.
        kind: the class that colours it.
    """

    share: float
    kind: str


class Scale(NamedTuple):
    """What a vertical axis spans, and where its lines are drawn."""

    low: float
    high: float
    ticks: tuple[float, ...]

    def height(self, value: float) -> float:
        """Where a value is, in percent of the height from the top."""
        return 100 * (self.high - value) / (self.high - self.low)


def bar(share: float, *, mark: float | None = None, kind: str = "accent") -> Markup:
    """A bar from the left.

    Args:
        share: its length, 0 to 1 of the width.
        mark: where a line crosses it, as a value to compare with.
        kind: the class that colours it.
    """
    line = (
        Markup('<rect class="mark" x="{}%" y="0" width="2" height="{}"/>').format(
            _percent(min(mark, 0.995)), _BAR
        )
        if mark is not None
        else Markup()
    )
    return Markup(
        '<svg class="bar" width="100%" height="{h}" {hidden}>'
        '<rect class="track" width="100%" height="{h}" rx="2"/>'
        '<rect class="{kind}" width="{w}%" height="{h}" rx="2"/>{line}</svg>'
    ).format(h=_BAR, hidden=_HIDDEN, kind=kind, w=_percent(share), line=line)


def stack(parts: Iterable[Part]) -> Markup:
    """Pieces side by side, that make up the width."""
    left, pieces = 0.0, []
    for share, kind in parts:
        pieces.append(
            Markup('<rect class="{}" x="{}%" width="{}%" height="{}"/>').format(
                kind, _percent(left), _percent(share), _STACK
            )
        )
        left += share
    return Markup('<svg class="stack" width="100%" height="{}" {}>{}</svg>').format(
        _STACK, _HIDDEN, Markup().join(pieces)
    )


def swing(
    value: float, reach: float, interval: tuple[float, float] | None = None, kind: str = "accent"
) -> Markup:
    """A bar to the left or right of a zero in the middle, with a line where it may end in truth.

    Args:
        value: its length, in any unit.
        reach: what half of the width stands for, in the same unit.
        interval: the ends of the line, cut off at the edges.
        kind: the class that colours the bar.
    """
    zero = _across(0, reach)
    left, right = sorted((zero, _across(value, reach)))
    whisker = Markup()
    if interval is not None:
        low, high = (_across(end, reach) for end in interval)
        whisker = Markup('<rect class="whisker" x="{}%" y="{}" width="{}%" height="2"/>').format(
            _percent(low), _SWING // 2 - 1, _percent(high - low)
        )
    return Markup(
        '<svg class="swing" width="100%" height="{h}" {hidden}>'
        '<rect class="{kind}" x="{x}%" y="3" width="{w}%" height="{inner}"/>{whisker}'
        '<rect class="zero" x="50%" width="1" height="{h}"/></svg>'
    ).format(
        h=_SWING,
        hidden=_HIDDEN,
        kind=kind,
        x=_percent(left),
        w=_percent(right - left),
        inner=_SWING - 6,
        whisker=whisker,
    )


def sparkline(values: Sequence[float | None]) -> Markup:
    """The shape of a series, the last value as a dot; nothing if there are not two values."""
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return Markup()
    low, high = min(known), max(known)
    spread = (high - low) or 1
    # The stroke is as thick as it is whatever the stretching: room for it above and below.
    points = _points(values, lambda value: 8 + 84 * (high - value) / spread)
    return _stretched("spark", _line(points))


def line(values: Sequence[float | None], scale: Scale) -> Markup:
    """A series over an area, with lines at the scale's ticks; gaps where there is no value.

    Nothing if there are not two values.
    """
    if sum(value is not None for value in values) < 2:
        return Markup()
    points = _points(values, scale.height)
    zero = round(scale.height(0), 2)
    areas = [
        Markup('<path class="area" d="M{:g} {z:g}L{}L{:g} {z:g}Z"/>').format(
            run[0][0], _path(run), run[-1][0], z=zero
        )
        for run in _runs(points)
        if len(run) > 1
    ]
    grid = [
        Markup('<path class="grid" d="M0 {:g}H100"/>').format(round(scale.height(tick), 2))
        for tick in scale.ticks
    ]
    return _stretched("line", Markup().join([*grid, *areas, _line(points)]))


def scale_of(values: Iterable[float | None]) -> Scale:
    """A scale with zero, from a round number below all values to one above them."""
    known = [value for value in values if value is not None]
    low, high = min([0.0, *known]), max([0.0, *known])
    if low == high:
        high = 1.0
    step = _round_step((high - low) / 3)
    first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
    ticks = tuple(number * step for number in range(first, last + 1))
    return Scale(ticks[0], ticks[-1], ticks)


_Point = tuple[float, float]


def _points(
    values: Sequence[float | None], height: Callable[[float], float]
) -> list[_Point | None]:
    last = max(len(values) - 1, 1)
    return [
        None if value is None else (round(100 * n / last, 2), round(height(value), 2))
        for n, value in enumerate(values)
    ]


def _runs(points: Iterable[_Point | None]) -> list[list[_Point]]:
    """The pieces without a gap."""
    pieces = groupby(points, key=lambda point: point is not None)
    return [[point for point in piece if point] for known, piece in pieces if known]


def _path(points: Iterable[_Point]) -> str:
    return "L".join(f"{x:g} {y:g}" for x, y in points)


def _line(points: Sequence[_Point | None]) -> Markup:
    """The line, where a point between two gaps is a dot, and a dot at the end."""
    runs = _runs(points)
    # A line of no length with round ends is a dot that stretching leaves round.
    path = "".join(f"M{_path(run if len(run) > 1 else [run[0], run[0]])}" for run in runs)
    x, y = runs[-1][-1]
    return Markup('<path class="stroke" d="{}"/><path class="dot" d="M{x:g} {y:g}h0"/>').format(
        path, x=x, y=y
    )


def _stretched(kind: str, drawing: Markup) -> Markup:
    return Markup(
        '<svg class="{}" viewBox="0 0 100 100" preserveAspectRatio="none" {}>{}</svg>'
    ).format(kind, _HIDDEN, drawing)


def _percent(share: float) -> str:
    """A share as a number of percent, within 0 and 100."""
    return f"{100 * min(max(share, 0.0), 1.0):.2f}".rstrip("0").rstrip(".")


def _across(value: float, reach: float) -> float:
    """Where a value is between -reach and reach, 0 to 1."""
    return min(max(0.5 + value / (2 * reach), 0.0), 1.0) if reach else 0.5


def _round_step(step: float) -> float:
    power = 10.0 ** floor(log10(step))
    return next(nice * power for nice in (1, 2, 2.5, 5, 10) if nice * power >= step * (1 - 1e-9))
