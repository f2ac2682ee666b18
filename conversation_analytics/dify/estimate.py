"""What asking would cost, before anything is paid."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from conversation_analytics.dify.batches import batches
from conversation_analytics.dify.ledger import Ledger
from conversation_analytics.dify.questions import Question, Reply
from conversation_analytics.dify.rates import LEARNT_FROM, Rates
from conversation_analytics.dify.standing import Askable, standing_of
from conversation_analytics.storage.store import ObjectStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What is known of some questions, and what asking the others would come to.

    Attributes:
        questions: different questions.
        answered: those whose answer is known.
        failed: those that will not be asked again.
        under_way: those whose call has not ended yet, or was cut off.
        to_pay: those that would be paid for.
        calls: calls that takes.
        tokens: tokens of them; null if no call was made lately to learn from.
        cost: their cost by currency; null likewise.
        reason: why tokens or cost are null.
    """

    questions: int
    answered: int
    failed: int
    under_way: int
    to_pay: int
    calls: int
    tokens: int | None
    cost: Mapping[str, Decimal] | None
    reason: str | None


class EstimatingAsker:
    """Tells what is known, and adds up what asking for the rest would come to; an `Asker`.

    Pays for nothing and writes nothing. What is asked about again counts once. Every method may
    raise `StorageError`.
    """

    def __init__(
        self,
        store: ObjectStore,
        workflow: str,
        *,
        batch_size: int = 20,
        batch_characters: int = 8_000,
        max_attempts: int = 3,
        io_threads: int = 8,
    ) -> None:
        """Set up without any I/O.

        Args:
            store: the lake's.
            workflow: see `Contract.workflow`.
            batch_size: see `PaidAsker`, like the following.
            batch_characters: most characters of several questions in a call.
            max_attempts: most calls for a question.
            io_threads: requests to the store in flight at once.
        """
        self._ledger = Ledger(store, workflow, io_threads=io_threads)
        self._batch_size = batch_size
        self._batch_characters = batch_characters
        self._max_attempts = max_attempts
        self._seen: set[str] = set()
        self._counts: Counter[str] = Counter()

    def ask(self, questions: Sequence[Question]) -> dict[str, Reply]:
        """See `Asker`."""
        by_key = {question.key: question for question in questions}
        now = datetime.now(UTC)
        standings = {
            key: standing_of(key, history, now, max_attempts=self._max_attempts)
            for key, history in self._ledger.histories(list(by_key)).items()
        }
        fresh = {key: one for key, one in standings.items() if key not in self._seen}
        self._seen |= fresh.keys()
        askable = [Askable(by_key[key], one) for key, one in fresh.items() if one.may_be_asked]
        most, most_characters = self._batch_size, self._batch_characters
        self._counts["calls"] += len(batches(askable, most=most, most_characters=most_characters))
        self._counts["to_pay"] += len(askable)
        self._counts["under_way"] += sum(one.under_way is not None for one in fresh.values())
        self._counts.update(one.reply.status for one in fresh.values() if one.is_settled)
        return {key: one.reply for key, one in standings.items()}

    @property
    def estimate(self) -> Estimate:
        """What asking all of it would come to."""
        to_pay = self._counts["to_pay"]
        rates = Rates.of(self._ledger.recent(LEARNT_FROM)) if to_pay else Rates()
        tokens, cost = rates.tokens_of_questions(to_pay), rates.cost_of_questions(to_pay)
        return Estimate(
            questions=len(self._seen),
            answered=self._counts["succeeded"],
            failed=self._counts["failed"],
            under_way=self._counts["under_way"],
            to_pay=to_pay,
            calls=self._counts["calls"],
            tokens=tokens if to_pay else 0,
            cost=(cost or None) if to_pay else {},
            reason=_reason(self._ledger.workflow, tokens, cost) if to_pay else None,
        )


def _reason(workflow: str, tokens: int | None, cost: Mapping[str, Decimal]) -> str | None:
    if tokens is None and not cost:
        return f"no calls of {workflow} in the last 60 days to learn from"
    if tokens is None or not cost:
        what = "tokens" if tokens is None else "price"
        return f"Dify told no {what} of the latest calls of {workflow}"
    return None
