"""What asking would cost, before anything is paid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from conversation_analytics.dify.batches import batches
from conversation_analytics.dify.ledger import Ledger
from conversation_analytics.dify.questions import Question
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


def estimate(
    store: ObjectStore,
    workflow: str,
    questions: Sequence[Question],
    *,
    batch_size: int = 20,
    batch_characters: int = 8_000,
    max_attempts: int = 3,
    io_threads: int = 8,
) -> Estimate:
    """What asking some questions would cost now; pays for nothing and writes nothing.

    Args:
        store: the lake's.
        workflow: see `Contract.workflow`.
        questions: the questions.
        batch_size: see `PaidAsker`, like the following.
        batch_characters: most characters of several questions in a call.
        max_attempts: most calls for a question.
        io_threads: requests to the store in flight at once.

    Raises:
        StorageError: the ledger cannot be read.
    """
    ledger = Ledger(store, workflow, io_threads=io_threads)
    by_key = {question.key: question for question in questions}
    now = datetime.now(UTC)
    standings = {
        key: standing_of(key, history, now, max_attempts=max_attempts)
        for key, history in ledger.histories(list(by_key)).items()
    }
    askable = [Askable(by_key[key], one) for key, one in standings.items() if one.may_be_asked]
    calls = len(batches(askable, most=batch_size, most_characters=batch_characters))
    rates = Rates.of(ledger.recent(LEARNT_FROM)) if askable else Rates()
    tokens, cost = rates.tokens_of_questions(len(askable)), rates.cost_of_questions(len(askable))
    settled = [one.reply.status for one in standings.values() if one.is_settled]
    return Estimate(
        questions=len(by_key),
        answered=settled.count("succeeded"),
        failed=settled.count("failed"),
        under_way=sum(one.under_way is not None for one in standings.values()),
        to_pay=len(askable),
        calls=calls,
        tokens=tokens if askable else 0,
        cost=(cost or None) if askable else {},
        reason=_reason(workflow, tokens, cost) if askable else None,
    )


def _reason(workflow: str, tokens: int | None, cost: Mapping[str, Decimal]) -> str | None:
    if tokens is None and not cost:
        return f"no calls of {workflow} in the last 60 days to learn from"
    if tokens is None or not cost:
        what = "tokens" if tokens is None else "price"
        return f"Dify told no {what} of the latest calls of {workflow}"
    return None
