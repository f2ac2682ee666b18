"""How a number changed from one period to another, what of it is due to each group, and how surely.

Users are what is drawn: rows of one user are not independent, so whatever a number is, its variance
is that of a sum over users of what each contributes to it, its *influence* (linearisation by
Taylor's theorem: Särndal, Swensson and Wretman 1992, §5.5; users as clusters drawn by themselves).
A user of both periods has one influence. Student's t with Satterthwaite's degrees of freedom (1946,
Biometrics Bulletin 2:110), (Σz²)² / Σz⁴, makes intervals wide where few users matter.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from conversation_analytics.reports.arrays import Numbers, Reals, placed

LEVEL: Final = 0.95
"""What intervals cover."""

_AT_ONCE: Final = 2**18  # groups × kinds of users


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


class Both(NamedTuple):
    """What rows have in both periods, those of each in the order of its rows."""

    now: Reals
    before: Reals


class Draws:
    """The rows of two periods, by their users and the groups they are in.

    Groups may overlap: a row is in one of each kind, and the groups of all kinds are numbered
    together. So what all of them have to do with a change is found at once.

    Args:
        now: number of the user of each row, the same in both periods.
        before: those of the period before.
        groups: kinds × rows, those of the period before after those of now: number of the group.
        count: how many groups there are.
    """

    def __init__(self, now: Numbers, before: Numbers, groups: Numbers, count: int) -> None:
        self._now, self._before = now, before
        self._count = count
        self._users = int(max(now.max(initial=0), before.max(initial=0))) + 1
        keys = groups * self._users + np.concatenate([now, before])
        pairs, place = placed(keys, count * self._users)
        self._group, self._user = pairs // self._users, pairs % self._users
        self._places = (place[:, : len(now)], place[:, len(now) :])

    def volume(self, values: Both) -> list[Part]:
        """What of the change of a sum is due to each group: the difference.

        How many users come is chance as well, so the variance of a sum is the sum of squares.

        Args:
            values: what is summed up.
        """
        now, before = self._by_pair(values)
        change = now - before
        squares = change**2
        sums = (_summed(self._group, of, self._count) for of in (change, squares, squares**2))
        return [Part(one) for one in _estimates(*sums)]

    def rate(self, tops: Both, bottoms: Both) -> list[Part]:
        """What of the change of a rate Σtop/Σbottom is due to each group.

        With w a group's share of the denominator and r its rate (0: before, 1: now), that is
        (w1 − w0)(r0 − R0), its share having changed, and w1(r1 − r0), its rate having changed
        (Kitagawa 1955, J. Am. Stat. Assoc. 50:1168, with the weights of now for rates and those of
        before for shares, so that no third term is left). A group that is new has the rate R0
        before. Those of one kind of groups add up to the change.

        Where rates are near 0 or 1 the influences of the difference say too little of chance; those
        as if both periods were one do not (as in the score test), and the larger variance is taken.

        Args:
            tops: the numerators.
            bottoms: the denominators.

        Raises:
            ZeroDivisionError: the denominator of a period is 0.
        """
        one, zero = (
            _Period.of(*own, self._group, self._count, self._users)
            for own in zip(
                (self._now, self._before),
                tops,
                bottoms,
                self._by_pair(tops),
                self._by_pair(bottoms),
                strict=True,
            )
        )
        if not (one.bottom and zero.bottom):
            raise ZeroDivisionError("a rate of nothing has not changed")
        whole = zero.top / zero.bottom
        unlike = np.full(self._count, whole)
        was = np.divide(zero.tops, zero.bottoms, out=unlike, where=zero.bottoms != 0)
        is_ = np.divide(one.tops, one.bottoms, out=was.copy(), where=one.bottoms != 0)
        mix, rate = (one.shares - zero.shares) * (was - whole), one.shares * (is_ - was)
        found = _estimates(mix + rate, *self._spread(one, zero))
        shares = zip(found, mix.tolist(), rate.tolist(), strict=True)
        return [Part(estimate, *parts) for estimate, *parts in shares]

    def _by_pair(self, values: Both) -> Both:
        """Sums over the rows of each user in each group."""
        sums = (
            _summed(place.ravel(), np.tile(some, len(place)), len(self._group))
            for place, some in zip(self._places, values, strict=True)
        )
        return Both(*sums)

    def _spread(self, one: _Period, zero: _Period) -> tuple[Reals, Reals]:
        """Of each group, the sums of squares and of fourth powers of what users contribute.

        What a group contributes is (top1 − R0 bottom1) / Bottom1 − (top0 − R0 bottom0) / Bottom0,
        where those in capitals are of the whole. A user's influence on it has a part that is his
        own rows' in the group, and one that all users have and that depends on their sums of the
        whole alone; there are few different ones of these, so users of no row in the group are
        counted, not gone through.
        """
        was = zero.top / zero.bottom
        drift = (zero.user_tops - was * zero.user_bottoms) / zero.bottom
        users = np.stack([one.user_bottoms / one.bottom, zero.user_bottoms / zero.bottom, drift])
        always = (one.top + zero.top) / (one.bottom + zero.bottom)
        together = one.bottom + zero.bottom
        level = (one.tops + zero.tops - always * (one.bottoms + zero.bottoms)) / together
        own = (one.excess(was) - zero.excess(was), one.excess(always) - zero.excess(always))
        weights = (
            np.stack([-one.level(was), zero.level(was), zero.shares - one.shares]),
            np.stack([-level, level, 0 * level]),
        )
        (squares, fourths), (alike, alike_fourths) = self._powers(own, weights, users)
        larger = alike > squares
        return np.where(larger, alike, squares), np.where(larger, alike_fourths, fourths)

    def _powers(
        self, own: Sequence[Reals], weights: Sequence[Reals], users: Reals
    ) -> list[tuple[Reals, Reals]]:
        """The sums of squares and fourth powers of influences, own + weights · users, by group.

        Args:
            own: of each user within a group.
            weights: parts × groups.
            users: parts × users.
        """
        found = []
        of_users = [part[self._user] for part in users]
        for some, weight in zip(own, weights, strict=True):
            influences = some
            for of_group, of_user in zip(weight, of_users, strict=True):
                influences = influences + of_group[self._group] * of_user
            squares = influences**2
            sums = [_summed(self._group, of, self._count) for of in (squares, squares**2)]
            found.append((sums[0], sums[1]))
        kinds = _Kinds.of(users)
        for groups, others in self._others(kinds):
            for (squares, fourths), weight in zip(found, weights, strict=True):
                outside = (weight[:, groups].T @ kinds.parts) ** 2
                squares[groups] += (others * outside).sum(axis=1)
                fourths[groups] += (others * outside**2).sum(axis=1)
        return found

    def _others(self, kinds: _Kinds) -> Iterator[tuple[slice, Numbers]]:
        """Some groups at a time, and how many users of each kind have no row in each of them."""
        size = len(kinds.sizes)
        step = max(1, _AT_ONCE // size)
        for first in range(0, self._count, step):
            groups = slice(first, min(first + step, self._count))
            pairs = slice(*np.searchsorted(self._group, (groups.start, groups.stop)))
            places = (self._group[pairs] - first) * size + kinds.of_user[self._user[pairs]]
            there = np.bincount(places, minlength=(groups.stop - first) * size)
            yield groups, kinds.sizes - there.reshape(-1, size)


class _Kinds(NamedTuple):
    """Users of whom the same is true: parts × kinds, how many are of each, and of which each is."""

    parts: Reals
    sizes: Numbers
    of_user: Numbers

    @classmethod
    def of(cls, users: Reals) -> _Kinds:
        order = np.lexsort(users)
        ordered = users[:, order]
        starts = np.ones(users.shape[1], dtype=bool)
        starts[1:] = (ordered[:, 1:] != ordered[:, :-1]).any(axis=0)
        kind = np.empty(len(order), dtype=np.int64)
        kind[order] = np.cumsum(starts) - 1
        return cls(ordered[:, starts], np.bincount(kind), kind)


@dataclass(frozen=True)
class _Period:
    """Sums of a period: of everything, by group, by user, and by user within each group."""

    top: float
    bottom: float
    tops: Reals
    bottoms: Reals
    user_tops: Reals
    user_bottoms: Reals
    pair_tops: Reals
    pair_bottoms: Reals

    @classmethod
    def of(
        cls,
        user: Numbers,
        top: Reals,
        bottom: Reals,
        pair_tops: Reals,
        pair_bottoms: Reals,
        group: Numbers,
        groups: int,
        users: int,
    ) -> _Period:
        return cls(
            float(top.sum()),
            float(bottom.sum()),
            _summed(group, pair_tops, groups),
            _summed(group, pair_bottoms, groups),
            _summed(user, top, users),
            _summed(user, bottom, users),
            pair_tops,
            pair_bottoms,
        )

    @property
    def shares(self) -> Reals:
        """Each group's share of the denominator."""
        return self.bottoms / self.bottom

    def level(self, rate: float) -> Reals:
        """What each group has more than a rate says, by the whole denominator."""
        return (self.tops - rate * self.bottoms) / self.bottom

    def excess(self, rate: float) -> Reals:
        """The same of each user within each group."""
        return (self.pair_tops - rate * self.pair_bottoms) / self.bottom


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


def estimated(value: float, influences: Reals) -> Estimate:
    """A number with the interval that the influences of users on it give.

    Without any variance there is an interval only around 0, where nothing happened.
    """
    squares = influences**2
    sums = (np.array([value]), np.array([squares.sum()]), np.array([(squares**2).sum()]))
    return _estimates(*sums)[0]


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
    return np.bincount(places, values, count).astype(np.float64, copy=False)
