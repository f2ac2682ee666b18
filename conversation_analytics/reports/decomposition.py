"""How a number changed from one period to another, what of it is due to each group, and how surely.

Users are what is drawn: rows of one user are not independent, so whatever a number is, its variance
is that of a sum over users of what each contributes to it, its *influence* (linearisation by
Taylor's theorem: Särndal, Swensson and Wretman 1992, §5.5; users as clusters drawn by themselves).
A user of both periods has one influence. Student's t with Satterthwaite's degrees of freedom (1946,
Biometrics Bulletin 2:110), (Σz²)² / Σz⁴, makes intervals wide where few users matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

LEVEL: Final = 0.95
"""What intervals cover."""

Numbers: TypeAlias = NDArray[np.int64]
Reals: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A number with what chance may have to do with it.

    Attributes:
        value: the number.
        interval: of `LEVEL`; null if there is too little to tell.
        p: probability of one as far from 0 by chance alone, 1 if there is too little to tell; null
            of quantiles.
    """

    value: float
    interval: tuple[float, float] | None
    p: float | None

    @property
    def distinguishable(self) -> bool:
        """Whether it can be told from chance, looked at by itself: 0 is not in the interval."""
        return self.interval is not None and not self.interval[0] <= 0 <= self.interval[1]


@dataclass(frozen=True)
class Part:
    """What of a change is due to a group.

    Attributes:
        contribution: all of it.
        mix: of a rate, what is due to the group's share of the whole.
        rate: of a rate, what is due to the rate within the group.
    """

    contribution: Estimate
    mix: float | None = None
    rate: float | None = None


@dataclass(frozen=True)
class Sums:
    """Sums of users within groups in one period: parallel columns, any number of rows a user.

    Attributes:
        user: number of each row's user, the same in both periods.
        group: number of its group.
        top: what is summed up, or the numerator.
        bottom: the denominator; of volumes nothing asks for it.
    """

    user: Numbers
    group: Numbers
    top: Reals
    bottom: Reals

    def whole(self) -> Sums:
        """The same in one group."""
        return Sums(self.user, np.zeros_like(self.group), self.top, self.bottom)


def volume_parts(now: Sums, before: Sums, groups: int) -> list[Part]:
    """What of the change of a sum is due to each group: the difference.

    How many users come is chance as well, so the variance of a sum is the sum of squares.
    """
    users = int(max(now.user.max(initial=0), before.user.max(initial=0))) + 1
    keys = np.concatenate([now.group * users + now.user, before.group * users + before.user])
    order = np.argsort(keys, kind="stable")  # two runs where both are in order: fast
    keys, change = keys[order], np.concatenate([now.top, -before.top])[order]
    first = np.flatnonzero(np.diff(keys, prepend=-1))
    influences = np.add.reduceat(change, first) if len(first) else change
    squares = influences**2
    sums = [_summed(keys[first] // users, of, groups) for of in (influences, squares, squares**2)]
    return [Part(one) for one in _estimates(*sums)]


def rate_parts(now: Sums, before: Sums, groups: int) -> list[Part]:
    """What of the change of a rate Σtop/Σbottom is due to each group, which adds up to the change.

    With w a group's share of the denominator and r its rate (0: before, 1: now), that is
    (w1 − w0)(r0 − R0), its share having changed, and w1(r1 − r0), its rate having changed (Kitagawa
    1955, J. Am. Stat. Assoc. 50:1168, with the weights of now for rates and those of before for
    shares, so that no third term is left). A group that is new has the rate R0 before.

    Where rates are near 0 or 1 the influences of the difference say too little of chance; those as
    if both periods were one do not (as in the score test), and the larger variance is taken.

    Raises:
        ZeroDivisionError: the denominator of a period is 0.
    """
    users = int(max(now.user.max(initial=0), before.user.max(initial=0))) + 1
    one, zero = _Period.of(now, users, groups), _Period.of(before, users, groups)
    if not (one.bottom and zero.bottom):
        raise ZeroDivisionError("a rate of nothing has not changed")
    whole = zero.top / zero.bottom
    was = np.divide(zero.tops, zero.bottoms, out=np.full(groups, whole), where=zero.bottoms != 0)
    is_ = np.divide(one.tops, one.bottoms, out=was.copy(), where=one.bottoms != 0)
    mix, rate = (one.shares - zero.shares) * (was - whole), one.shares * (is_ - was)
    spreads = np.array([_spread(*_influences(one, zero, n)) for n in range(groups)])
    found = _estimates(mix + rate, *spreads.reshape(groups, 2).T)
    return [Part(estimate, float(mix[n]), float(rate[n])) for n, estimate in enumerate(found)]


def _influences(one: _Period, zero: _Period, group: int) -> tuple[Reals, Reals]:
    """Those of users on what a group contributes: as the periods are, and as if both were one.

    What it contributes is (top1 − R0 bottom1) / Bottom1 − (top0 − R0 bottom0) / Bottom0, where
    those in capitals are of the whole.
    """
    was = zero.top / zero.bottom
    moved = zero.shares[group] - one.shares[group]
    drift = moved * (zero.user_tops - was * zero.user_bottoms) / zero.bottom
    own = [period.excess(group, was, period.level(group, was)) for period in (one, zero)]
    always = (one.top + zero.top) / (one.bottom + zero.bottom)
    tops, bottoms = one.tops[group] + zero.tops[group], one.bottoms[group] + zero.bottoms[group]
    level = (tops - always * bottoms) / (one.bottom + zero.bottom)
    alike = [period.excess(group, always, level) for period in (one, zero)]
    return own[0] - own[1] + drift, alike[0] - alike[1]


@dataclass(frozen=True)
class _Period:
    """Sums of a period: of everything, by group, and by user."""

    sums: Sums
    first: Numbers
    top: float
    bottom: float
    tops: Reals
    bottoms: Reals
    user_tops: Reals
    user_bottoms: Reals

    @classmethod
    def of(cls, sums: Sums, users: int, groups: int) -> _Period:
        order = np.argsort(sums.group, kind="stable")
        own = Sums(sums.user[order], sums.group[order], sums.top[order], sums.bottom[order])
        return cls(
            own,
            np.searchsorted(own.group, np.arange(groups + 1)),
            float(own.top.sum()),
            float(own.bottom.sum()),
            _summed(own.group, own.top, groups),
            _summed(own.group, own.bottom, groups),
            _summed(own.user, own.top, users),
            _summed(own.user, own.bottom, users),
        )

    @property
    def shares(self) -> Reals:
        """Each group's share of the denominator."""
        return self.bottoms / self.bottom

    def level(self, group: int, rate: float) -> float:
        """What a group has more than a rate says, by the whole denominator."""
        return float(self.tops[group] - rate * self.bottoms[group]) / self.bottom

    def excess(self, group: int, rate: float, level: float) -> Reals:
        """Of each user, what its rows of a group have more than a rate and a level say."""
        own = slice(self.first[group], self.first[group + 1])
        more = self.sums.top[own] - rate * self.sums.bottom[own]
        by_user = _summed(self.sums.user[own], more, len(self.user_tops))
        return (by_user - level * self.user_bottoms) / self.bottom


def quantile_change(
    now: Reals, now_users: Numbers, before: Reals, before_users: Numbers, share: float
) -> Estimate:
    """How a quantile of values changed, both periods being drawn by themselves.

    The interval of each quantile is that of the share of values below it, turned back into values
    (Woodruff 1952, J. Am. Stat. Assoc. 47:635); those of both make that of the difference (Zou and
    Donner 2008, Stat. Med. 27:1693).

    Args:
        now: the values, at least one.
        now_users: number of the user of each.
        before: those of before.
        before_users: theirs.
        share: which quantile, 0 to 1.
    """
    new, old = np.quantile(now, share), np.quantile(before, share)
    change = float(new - old)
    one = _quantile_range(now, now_users, share)
    zero = _quantile_range(before, before_users, share)
    if one is None or zero is None:
        return Estimate(change, None, None)
    low = change - float(np.hypot(new - one[0], zero[1] - old))
    high = change + float(np.hypot(one[1] - new, old - zero[0]))
    return Estimate(change, (low, high), None)


def _quantile_range(values: Reals, users: Numbers, share: float) -> tuple[float, float] | None:
    below = values <= np.quantile(values, share)
    influence = _summed(users, below - below.mean(), 1) / len(values)
    found = estimated(share, influence)
    if found.interval is None or found.interval[0] < 0 or found.interval[1] > 1:
        return None
    low, high = np.quantile(values, found.interval)
    return float(low), float(high)


def estimated(value: float, *influences: Reals) -> Estimate:
    """A number with the interval that the influences of users give: those of the larger variance.

    Without any variance there is an interval only around 0, where nothing happened.
    """
    variance, fourth = _spread(*influences)
    return _estimates(np.array([value]), np.array([variance]), np.array([fourth]))[0]


def _spread(*influences: Reals) -> tuple[float, float]:
    """The sums of squares and of fourth powers, of those with the larger variance."""
    squares = [influence**2 for influence in influences]
    variances = [float(square.sum()) for square in squares]
    most = int(np.argmax(variances))
    return variances[most], float((squares[most] ** 2).sum())


def _estimates(values: Reals, variances: Reals, fourths: Reals) -> list[Estimate]:
    """Numbers with their intervals, from the sums of powers of the influences on each."""
    from scipy.special import stdtr, stdtrit

    able = variances > 0
    error = np.sqrt(variances[able])
    freedom = variances[able] ** 2 / fourths[able]
    reach = stdtrit(freedom, (1 + LEVEL) / 2) * error
    p = 2 * stdtr(freedom, -np.abs(values[able]) / error)
    told = iter(zip(reach.tolist(), p.tolist(), strict=True))
    found = []
    for value, some in zip(values.tolist(), able.tolist(), strict=True):
        if some:
            far, chance = next(told)
            found.append(Estimate(value, (value - far, value + far), chance))
        else:
            found.append(Estimate(value, (0.0, 0.0) if value == 0 else None, 1.0))
    return found


def holm(ps: Sequence[float]) -> list[bool]:
    """Which of several findings can be told from chance, so that all can with probability `LEVEL`.

    Holm 1979, Scand. J. Stat. 6:65.
    """
    found = [False] * len(ps)
    for place, number in enumerate(sorted(range(len(ps)), key=ps.__getitem__)):
        if ps[number] > (1 - LEVEL) / (len(ps) - place):
            break
        found[number] = True
    return found


def _summed(places: Numbers, values: Reals, count: int) -> Reals:
    """Sums of values by place, of at least so many places."""
    return np.bincount(places, values, minlength=count).astype(np.float64)
