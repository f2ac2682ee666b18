"""How many calls a run may make and what they may cost."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from conversation_analytics.dify.rates import Rates
from conversation_analytics.dify.records import Call

_GO_ON = "Raise it, or run again, to go on."


@dataclass(frozen=True, slots=True)
class Spending:
    """What the calls of a run came to.

    Attributes:
        calls: calls that were or may have been paid for.
        answered: questions that they answered.
        failed: questions of theirs that have no usable answer.
        lost: calls of which it cannot be told whether a run was started.
        possibly_repeated: calls that may have paid again for one that was lost.
        unpriced: calls whose price is unknown and could not be told from their tokens.
        tokens: tokens of the calls that told.
        cost: by currency; of calls that told tokens and no price it is an estimate.
    """

    calls: int = 0
    answered: int = 0
    failed: int = 0
    lost: int = 0
    possibly_repeated: int = 0
    unpriced: int = 0
    tokens: int = 0
    cost: Mapping[str, Decimal] = field(default_factory=dict)


class Budget:
    """Limits of a run, shared by all who pay in it; safe to use from several threads.

    The number of calls is exact. Costs are known only after a call: one is made while what was
    spent, and what the calls under way and it are expected to cost, stay within the limit. So the
    limit is overshot at most by what the calls under way at that moment cost more than expected.
    A limit of cost holds in each currency by itself.
    """

    def __init__(self, max_calls: int | None = None, max_cost: Decimal | None = None) -> None:
        """Start a run.

        Args:
            max_calls: most calls; null for any number.
            max_cost: most that they may cost; null for any amount.
        """
        self._max_calls = max_calls
        self._max_cost = max_cost
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._cost: dict[str, Decimal] = {}
        self._under_way: Counter[str] = Counter()
        self._rates: dict[str, Rates] = {}
        self._earlier: dict[str, Rates] = {}

    @property
    def spending(self) -> Spending:
        """What has been spent so far."""
        with self._lock:
            return Spending(**self._counts, cost=dict(self._cost))

    def wants_rates(self, workflow: str) -> bool:
        """Whether it makes a difference what calls of a workflow have cost in earlier runs."""
        return self._max_cost is not None and workflow not in self._earlier

    def expect(self, workflow: str, rates: Rates) -> None:
        """Expect calls of a workflow to cost what they did, until some of this run have told."""
        with self._lock:
            self._earlier[workflow] = rates

    def reserve(self, workflow: str) -> str | None:
        """Reserve a call; tells why it must not be made, null if it may.

        Each call that may be made must be settled.
        """
        with self._lock:
            refusal = self._refusal(workflow)
            if refusal is None:
                self._under_way[workflow] += 1
            return refusal

    def settle(self, workflow: str, call: Call | None) -> None:
        """Take note of what became of a reserved call; null if it was not made."""
        with self._lock:
            self._under_way[workflow] -= 1
            if call is None or call.state in ("refused", "unpaid"):
                return
            self._count(call)
            rates = self._rates.setdefault(workflow, Rates())
            rates.add(call)
            cost = rates.cost_of(call) or self._earlier.get(workflow, Rates()).cost_of(call)
            self._counts["unpriced"] += not cost
            _add(self._cost, cost)

    def _count(self, call: Call) -> None:
        self._counts["calls"] += 1
        self._counts["tokens"] += call.total_tokens or 0
        self._counts["answered"] += len(call.answers)
        self._counts["failed"] += len(call.keys) - len(call.answers) if call.state == "ended" else 0
        self._counts["lost"] += call.state in ("asked", "lost")
        self._counts["possibly_repeated"] += call.possibly_repeated

    def _refusal(self, workflow: str) -> str | None:
        made = self._counts["calls"] + self._under_way.total()
        if self._max_calls is not None and made >= self._max_calls:
            return f"not asked: DIFY_MAX_CALLS_PER_RUN={self._max_calls} is reached. {_GO_ON}"
        if self._max_cost is None:
            return None
        for currency, cost in self._expected(workflow).items():
            spent = self._cost.get(currency, Decimal())
            if cost > self._max_cost or spent >= self._max_cost:
                return (
                    f"not asked: DIFY_MAX_COST={self._max_cost} is reached, with {spent:.6g} "
                    f"{currency} spent in this run. {_GO_ON}"
                )
        return None

    def _expected(self, workflow: str) -> dict[str, Decimal]:
        """What will have been spent when the calls under way, and another one, are over."""
        total = dict(self._cost)
        for name, calls in (self._under_way + Counter([workflow])).items():
            _add(total, self._known_rates(name).cost_of_calls(calls))
        return total

    def _known_rates(self, workflow: str) -> Rates:
        own = self._rates.get(workflow)
        return own if own and own.priced_calls else self._earlier.get(workflow, Rates())


def _add(total: dict[str, Decimal], cost: Mapping[str, Decimal]) -> None:
    for currency, amount in cost.items():
        total[currency] = total.get(currency, Decimal()) + amount
