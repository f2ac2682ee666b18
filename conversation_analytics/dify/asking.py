"""Has questions answered by a workflow, without paying twice for what is known or under way.

What a question costs at worst: it is part of at most ``max_attempts`` calls that may have been paid
for, ever. One answer is usually one call. A second is paid for if

- the workflow failed or left the question out, at a later `ask`;
- the process was killed, or the connection lost, in the moment between sending the call and Dify
  naming its run. Such a call is repeated once, as ``possibly_repeated``, when its process has given
  no sign of life for the client's idle timeout; a repetition that is lost too is not repeated.

From the moment the run is known it is read back and never paid for again. Clocks of machines that
share a lake have to agree to within a part of the idle timeout, and a process that is suspended for
longer than it may find its call repeated.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from conversation_analytics.dify.batches import batches
from conversation_analytics.dify.budget import Budget
from conversation_analytics.dify.calls import Calls, Made
from conversation_analytics.dify.client import DifyClient
from conversation_analytics.dify.ledger import Ledger
from conversation_analytics.dify.questions import Contract, Question, Reply
from conversation_analytics.dify.rates import LEARNT_FROM, Rates
from conversation_analytics.dify.records import Call
from conversation_analytics.dify.standing import (
    Askable,
    Standing,
    reply_after,
    reply_of,
    standing_of,
)
from conversation_analytics.errors import (
    DifyAccessDenied,
    DifyAppUnusable,
    DifyError,
    DifyOutcomeUnknown,
    DifyQuotaExceeded,
    DifyUnavailable,
)
from conversation_analytics.storage.store import ObjectStore

if TYPE_CHECKING:
    from conversation_analytics.dify.mongo import MongoLedger

_RENEWED_WITHIN = 1 / 4
_MOST_USELESS = 8

# Makes a call or follows one; gives what is still to be done outside of its slot.
_Work = Callable[[], Callable[[], None] | None]


class PaidAsker:
    """Asks a workflow of Dify; implements `Asker`. Safe to use from several threads."""

    def __init__(
        self,
        store: ObjectStore,
        client: DifyClient,
        contract: Contract,
        *,
        user: str,
        batch_size: int = 20,
        batch_characters: int = 8_000,
        max_concurrency: int = 8,
        max_attempts: int = 3,
        budget: Budget | None = None,
        io_threads: int = 8,
        mongo: MongoLedger | None = None,
    ) -> None:
        """Set up without any I/O.

        Args:
            store: the lake's, which keeps the ledger.
            client: runs the workflow.
            contract: makes inputs of questions, and answers of outputs.
            user: whom Dify counts the calls for.
            batch_size: most questions in a call.
            batch_characters: most characters of several questions in a call.
            max_concurrency: most calls at once.
            max_attempts: most calls for a question.
            budget: limits of this run; none if not given.
            io_threads: requests to the store in flight at once.
            mongo: see `Ledger`.
        """
        self.workflow = contract.workflow
        self.ledger = Ledger(store, contract.workflow, io_threads=io_threads, mongo=mongo)
        self.calls = Calls(self.ledger, client, contract, user=user)
        self.batch_size = batch_size
        self.batch_characters = batch_characters
        self.max_concurrency = max_concurrency
        self.max_attempts = max_attempts
        self.budget = budget or Budget()
        self.renewed_seconds = client.idle_timeout * _RENEWED_WITHIN

    def ask(self, questions: Sequence[Question]) -> dict[str, Reply]:
        """See `Asker`. Whatever ends it early, results of calls under way are recorded first."""
        with self.ledger.copied():
            return _Asking(self, questions).replies()

    def learn_rates(self) -> None:
        """Let the budget know what calls have cost lately, if it has to."""
        if self.budget.wants_rates(self.workflow):
            self.budget.expect(self.workflow, Rates.of(self.ledger.recent(LEARNT_FROM)))


class NoAsker:
    """Answers nothing, where no workflow is set up; implements `Asker`.

    Args:
        reason: why not, for people.
    """

    def __init__(self, reason: str) -> None:
        self._reply = Reply(status="pending", error=reason)

    def ask(self, questions: Sequence[Question]) -> dict[str, Reply]:
        """See `Asker`."""
        return {question.key: self._reply for question in questions}


class _Asking:
    """One `ask`.

    It goes in rounds: look up what is open; pay for what may be paid for, and follow the calls that
    others make. A question that a round leaves open was claimed by somebody else or lost, so it has
    one attempt more in the next, and there are few rounds.
    """

    def __init__(self, asker: PaidAsker, questions: Sequence[Question]) -> None:
        self._asker = asker
        self._open = {question.key: question for question in questions}
        self._replies: dict[str, Reply] = {}
        self._lock = threading.Lock()
        self._halted = threading.Event()
        self._stopped: str | None = None
        self._error: DifyError | None = None
        self._useless = 0
        self._to_pay: deque[list[Askable]] = deque()
        self._to_follow: deque[tuple[str, list[str]]] = deque()
        self._under_way = 0
        self._slot_freed = threading.Condition()

    def replies(self) -> dict[str, Reply]:
        """A reply for the key of every question."""
        keys = list(self._open)
        is_first = True
        while self._open and self._stopped is None:
            self._perform(self._look_up(is_first=is_first))
            is_first = False
        if self._error is not None:
            raise self._error
        self._settle(self._open, _pending(self._stopped))
        return {key: self._replies[key] for key in keys}

    def _look_up(self, *, is_first: bool) -> dict[str, Standing]:
        """Where the open questions stand that there is something to do about; settles the rest."""
        now = datetime.now(UTC)
        found = {}
        for key, history in self._asker.ledger.histories(list(self._open)).items():
            standing = standing_of(key, history, now, max_attempts=self._asker.max_attempts)
            # What was asked meanwhile, here or elsewhere, is asked again only if it was lost.
            is_due = standing.may_be_asked and (is_first or standing.repeats)
            if standing.under_way or is_due:
                found[key] = standing
            else:
                self._settle([key], standing.reply)
        return found

    def _perform(self, standings: dict[str, Standing]) -> None:
        self._to_pay, self._to_follow = self._batched(standings)
        if self._to_pay:
            self._asker.learn_rates()
        # What came of a call is written down by one thread while another one makes the next.
        most = 2 * self._asker.max_concurrency
        with ThreadPoolExecutor(most, "dify") as pool:
            try:
                count = min(most, len(self._to_pay) + len(self._to_follow))
                at_work = {pool.submit(self._work_off) for _ in range(count)}
                while at_work:
                    done, at_work = wait(at_work, self._asker.renewed_seconds, FIRST_EXCEPTION)
                    for future in done:
                        future.result()
                    self._asker.calls.renew()
            except BaseException:
                self._halted.set()
                raise

    def _batched(
        self, standings: dict[str, Standing]
    ) -> tuple[deque[list[Askable]], deque[tuple[str, list[str]]]]:
        """The batches to pay for, and the calls to follow with the questions they are for."""
        asker = self._asker
        askable = []
        followed: dict[str, list[str]] = {}
        for key, standing in standings.items():
            if standing.under_way:
                followed.setdefault(standing.under_way, []).append(key)
            else:
                askable.append(Askable(self._open[key], standing))
        filled = batches(askable, most=asker.batch_size, most_characters=asker.batch_characters)
        return deque(filled), deque(followed.items())

    def _work_off(self) -> None:
        """Do what there is to be done, one after the other."""
        while (work := self._next()) is not None:
            try:
                record = work()
            except BaseException:
                self._halted.set()
                raise
            finally:
                self._free_slot()
            if record is not None:
                record()

    def _next(self) -> _Work | None:
        """What to do next, in a slot of its own; null if there is nothing more to do."""
        with self._slot_freed:
            while (work := self._startable()) is None:
                if self._halted.is_set() or not (self._to_pay or self._to_follow):
                    self._slot_freed.notify()  # the others are not needed either
                    return None
                self._slot_freed.wait()
            self._under_way += 1
            return work

    def _startable(self) -> _Work | None:
        """What to do now, if there is anything to be done now."""
        if self._halted.is_set() or self._under_way == self._asker.max_concurrency:
            return None
        if self._to_pay:
            refusal = self._asker.budget.reserve(self._asker.workflow)
            if refusal is None:
                return partial(self._pay, self._to_pay.popleft())
            if not self._under_way:  # else calls under way may turn out to cost nothing, or less
                self._settle(
                    (one.question.key for batch in self._to_pay for one in batch),
                    _pending(refusal),
                )
                self._to_pay.clear()
        return partial(self._follow, *self._to_follow.popleft()) if self._to_follow else None

    def _free_slot(self) -> None:
        with self._slot_freed:
            self._under_way -= 1
            self._slot_freed.notify()

    def _pay(self, batch: list[Askable]) -> Callable[[], None] | None:
        """Make a call; gives what writes down what came of it."""
        asker = self._asker
        call = None
        try:
            if batch[0].standing.repeats and not self._is_dify_there():
                return None
            made = asker.calls.make(batch)
            call = made.call
        finally:
            asker.budget.settle(asker.workflow, call)
        if made.is_told:
            self._note_use(call)
        self._heed(made.error)
        return partial(self._record, batch, made)

    def _record(self, batch: list[Askable], made: Made) -> None:
        made.record()
        if not made.is_told:
            return
        before = {one.question.key: one.standing for one in batch}
        most = self._asker.max_attempts
        for key in made.call.keys:
            self._settle([key], reply_after(key, before[key], made.call, max_attempts=most))

    def _follow(self, id_: str, keys: list[str]) -> None:
        try:
            reply = self._asker.calls.follow(id_, self._halted)
        except DifyError as error:
            reply = _pending(str(error))
            self._heed(error)
        if reply is not None:
            self._settle(keys, reply)

    def _note_use(self, call: Call) -> None:
        """Start no more calls if one after the other answers nothing, as when the model is down."""
        with self._lock:
            self._useless = 0 if call.answers else self._useless + 1
            useless = self._useless
        if useless >= _MOST_USELESS:
            last = reply_of(call.keys[0], call).error
            self._stop(
                f"not asked, since {useless} calls in a row answered nothing, the last: {last}"
            )

    def _heed(self, error: DifyError | None) -> None:
        """Start no more calls if an error says that they would fare no better."""
        if isinstance(error, DifyAccessDenied | DifyAppUnusable):
            self._error = self._error or error
            self._stop(str(error))
        elif isinstance(error, DifyQuotaExceeded | DifyUnavailable):
            self._stop(str(error))
        elif isinstance(error, DifyOutcomeUnknown):
            self._is_dify_there()

    def _is_dify_there(self) -> bool:
        """Whether it pays to make calls; a proxy in front of a Dify that is down loses them all."""
        there = self._asker.calls.is_dify_there()
        if not there:
            self._stop("Dify gave no answer to a call, and now does not answer at all. Ask later.")
        return there

    def _stop(self, reason: str) -> None:
        self._halted.set()
        with self._lock:
            self._stopped = self._stopped or reason

    def _settle(self, keys: Iterable[str], reply: Reply) -> None:
        with self._lock:
            for key in list(keys):
                self._replies[key] = reply
                del self._open[key]


def _pending(reason: str | None) -> Reply:
    return Reply(status="pending", error=reason)
