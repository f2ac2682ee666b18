"""What calls cost on average, learnt from some that were made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Self

from conversation_analytics.dify.records import Call

LEARNT_FROM = 200
"""How many of the latest calls tell what calls cost."""

_NO_CURRENCY = "unknown"


@dataclass(slots=True)
class Rates:
    """Sums over calls; those of which Dify told neither tokens nor price leave no trace.

    Attributes:
        questions: questions of the calls whose tokens are known.
        tokens: their tokens.
        priced_calls: calls whose price is known.
        priced_questions: their questions.
        priced_tokens: their tokens, as far as they are known.
        cost: their prices by currency.
    """

    questions: int = 0
    tokens: int = 0
    priced_calls: int = 0
    priced_questions: int = 0
    priced_tokens: int = 0
    cost: dict[str, Decimal] = field(default_factory=dict)

    @classmethod
    def of(cls, calls: Iterable[Call]) -> Self:
        """The sums over some calls."""
        found = cls()
        for call in calls:
            found.add(call)
        return found

    def add(self, call: Call) -> None:
        """Take a call into account."""
        if call.total_tokens is not None:
            self.questions += len(call.keys)
            self.tokens += call.total_tokens
        if call.price is not None:
            self.priced_calls += 1
            self.priced_questions += len(call.keys)
            self.priced_tokens += call.total_tokens or 0
            currency = call.currency or _NO_CURRENCY
            self.cost[currency] = self.cost.get(currency, Decimal()) + call.price

    def cost_of_calls(self, calls: int) -> dict[str, Decimal]:
        """What some calls cost by currency; empty if no price is known."""
        return _scaled(self.cost, calls, self.priced_calls)

    def cost_of_questions(self, questions: int) -> dict[str, Decimal]:
        """What some questions cost by currency; empty if no price is known."""
        return _scaled(self.cost, questions, self.priced_questions)

    def cost_of(self, call: Call) -> dict[str, Decimal]:
        """What a call cost by currency, by its tokens if Dify did not say; empty if unknown."""
        if call.price is not None:
            return {call.currency or _NO_CURRENCY: call.price}
        if call.total_tokens is None:
            return {}
        return _scaled(self.cost, call.total_tokens, self.priced_tokens)

    def tokens_of_questions(self, questions: int) -> int | None:
        """The tokens that some questions take; null if nothing is known."""
        return round(self.tokens * questions / self.questions) if self.questions else None


def _scaled(cost: Mapping[str, Decimal], number: int, of: int) -> dict[str, Decimal]:
    return {currency: total * number / of for currency, total in cost.items()} if of else {}
