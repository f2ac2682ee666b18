"""Makes single calls, each recorded in the ledger step by step."""

from __future__ import annotations

import contextlib
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from conversation_analytics.dify.client import DifyClient
from conversation_analytics.dify.ledger import Ledger
from conversation_analytics.dify.questions import Contract, Question, Reply, Unanswered
from conversation_analytics.dify.records import Call, Claim, State, shares
from conversation_analytics.dify.runs import WorkflowRun
from conversation_analytics.dify.standing import Askable
from conversation_analytics.errors import (
    DifyBusy,
    DifyCallRefused,
    DifyError,
    DifyOutcomeUnknown,
    DifyRunNotFound,
    DifyRunUnfinished,
    DifyUnavailable,
    StorageError,
)
from conversation_analytics.storage.failpoints import (
    DIFY_CALL,
    DIFY_CLAIM,
    DIFY_INTENT,
    DIFY_RESULT,
    DIFY_STARTED,
    failpoint,
)

# Far longer than Dify lets a run take: nobody works on one that is still going on then.
_FORGOTTEN_AFTER = timedelta(days=1)
_CLAIMED_ELSEWHERE = "another process asks these questions"
_MOST_POLL_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Made:
    """What came of making a call.

    Attributes:
        call: the call.
        record: writes it down, as whoever makes it must; raises `StorageError`.
        error: what went wrong, if anything.
    """

    call: Call
    record: Callable[[], None]
    error: DifyError | None = None

    @property
    def is_told(self) -> bool:
        """Whether its questions need not be looked into once more."""
        return self.call.state != "lost" and self.call.error != _CLAIMED_ELSEWHERE


class Calls:
    """Makes calls of one workflow, and follows those of others.

    Args:
        ledger: where they are recorded.
        client: runs the workflow.
        contract: makes inputs of questions, and answers of outputs.
        user: whom Dify counts the calls for.
    """

    def __init__(
        self, ledger: Ledger, client: DifyClient, contract: Contract, *, user: str
    ) -> None:
        self._ledger = ledger
        self._client = client
        self._contract = contract
        self._user = user
        self._lease = timedelta(seconds=client.idle_timeout)
        self._under_way: set[_Recorded] = set()
        self._lock = threading.Lock()

    def make(self, batch: Sequence[Askable]) -> Made:
        """Ask the questions of a batch that nobody else has claimed meanwhile.

        What comes of it is not written down yet, so that another call can be made meanwhile.

        Raises:
            StorageError: the ledger cannot be written; what came of the call is read back or asked
                for again later.
        """
        recorded = self._begun(batch)
        try:
            won = self._claimed(batch, recorded)
            if won:
                failpoint(DIFY_CALL)
                changes, error = self._made(recorded, [one.question for one in won])
            else:
                changes, error = _over("unpaid", _CLAIMED_ELSEWHERE), None
            call = recorded.call.changed(**changes)
        except BaseException:
            self._done_with(recorded)
            raise
        return Made(call, partial(self._record, recorded, changes), error)

    def renew(self) -> None:
        """Let others know that the calls under way are not abandoned.

        Raises:
            StorageError: the ledger cannot be written.
        """
        with self._lock:
            under_way = list(self._under_way)
        for recorded in under_way:
            recorded.renew(self._lease)

    def follow(self, id_: str, halted: threading.Event) -> Reply | None:
        """Wait for a call that some process has made, until it is over or given up.

        Args:
            id_: the call.
            halted: is set when nobody wants to know any more.

        Returns:
            What to tell of its questions for now; null if the ledger has more of them.

        Raises:
            DifyError: its run cannot be read back at all.
            StorageError: the ledger cannot be used.
        """
        poll = min(_MOST_POLL_SECONDS, self._lease.total_seconds() / 10)
        while True:
            call = self._ledger.call(id_)
            if call.state == "started" and call.run_id:
                untold = self._read_back(id_, call, call.run_id)
                if untold is None:
                    return None
                return Reply(status="pending", error=untold, run_id=call.run_id)
            if not call.is_under_way(_now()):
                return None
            if halted.wait(poll):
                return Reply(status="pending", error="stopped while another process was asking.")

    def is_dify_there(self) -> bool:
        """Whether Dify answers something that costs nothing."""
        try:
            self._client.read_run(str(uuid.uuid4()))
        except (DifyUnavailable, DifyBusy):
            return False
        except DifyError:  # it has no such run
            return True
        return True

    def _begun(self, batch: Sequence[Askable]) -> _Recorded:
        """The record of a call that is about to be made."""
        now = _now()
        contents = {one.question.key: dict(one.question.content) for one in batch}
        call = Call(
            keys=tuple(contents),
            contents=contents,
            asked_at=now,
            until=now + self._lease,
            possibly_repeated=batch[0].standing.repeats,
        )
        failpoint(DIFY_INTENT)
        recorded = _Recorded(self._ledger, self._ledger.new_call(call), call)
        with self._lock:
            self._under_way.add(recorded)
        return recorded

    def _record(self, recorded: _Recorded, changes: Mapping[str, Any]) -> None:
        try:
            recorded.change(**changes)
        finally:
            self._done_with(recorded)

    def _done_with(self, recorded: _Recorded) -> None:
        with self._lock:
            self._under_way.discard(recorded)

    def _claimed(self, batch: Sequence[Askable], recorded: _Recorded) -> list[Askable]:
        """The questions that are ours; the record is of no others."""
        failpoint(DIFY_CLAIM)
        keys = self._ledger.claim(
            [one.question.key for one in batch],
            [one.standing.attempts + 1 for one in batch],
            [Claim(call=recorded.id, earlier=one.standing.tried) for one in batch],
        )
        won = [one for one in batch if one.question.key in set(keys)]
        if 0 < len(won) < len(batch):
            contents = {one.question.key: dict(one.question.content) for one in won}
            recorded.change(keys=tuple(contents), contents=contents)
        return won

    def _made(
        self, recorded: _Recorded, questions: Sequence[Question]
    ) -> tuple[dict[str, Any], DifyError | None]:
        """What is to be written down of a call, which is made now, and what went wrong."""
        try:
            run = self._client.run_workflow(
                self._contract.inputs(questions), self._user, on_started=recorded.started
            )
        except DifyOutcomeUnknown as error:
            return _over("lost", str(error)), error
        except DifyError as error:
            return self._failed(recorded, error), error
        return self._result(run, recorded.call.contents), None

    def _failed(self, recorded: _Recorded, error: DifyError) -> dict[str, Any]:
        """What is to be written down of a call of which there is no result."""
        if recorded.call.run_id is None:
            return _over("refused" if isinstance(error, DifyCallRefused) else "unpaid", str(error))
        if error.run_id is None or isinstance(error, DifyRunUnfinished):
            return {"error": str(error)}  # it can be read back later
        return _ended(str(error))

    def _read_back(self, id_: str, call: Call, run_id: str) -> str | None:
        """Settle a call whose run is known; tells why it cannot be settled yet."""
        found = self._outcome(call, run_id)
        if isinstance(found, str):
            return found
        self._settle(id_, found)
        return None

    def _outcome(self, call: Call, run_id: str) -> dict[str, Any] | str:
        """What is to be written down of a run, or why that cannot be told yet."""
        age = _now() - call.asked_at
        is_recent = age.total_seconds() < self._client.run_timeout
        try:
            run = (self._client.wait_for_run if is_recent else self._client.read_run)(run_id)
        except (DifyRunUnfinished, DifyUnavailable, DifyBusy) as error:
            return str(error)
        except DifyRunNotFound as error:
            return _ended(str(error))
        if run.is_over:
            return self._result(run, call.contents)
        told = f"run {run_id} of Dify, started at {call.asked_at:%Y-%m-%d %H:%M}, is {run.status}."
        return _ended(told) if age > _FORGOTTEN_AFTER else told

    def _settle(self, id_: str, changes: Mapping[str, Any]) -> None:
        """Write down the result of another process's call, unless that has done so itself."""
        call = self._ledger.call(id_)
        if call.state == "started":
            failpoint(DIFY_RESULT)
            self._ledger.write(id_, call.changed(**changes))

    def _result(
        self, run: WorkflowRun, contents: Mapping[str, Mapping[str, Any]]
    ) -> dict[str, Any]:
        """What is to be written down of a run that is over."""
        questions = [Question(key, content) for key, content in contents.items()]
        answers: dict[str, Any] = {}
        errors = {}
        given = self._contract.answers(run, questions)
        for key in contents:
            answer = given.get(key, Unanswered("the workflow left this question out"))
            if isinstance(answer, Unanswered):
                errors[key] = answer.error
            else:
                answers[key] = answer
        return {
            **_ended(run.error),
            "run_id": run.run_id,
            "task_id": run.task_id,
            "status": run.status,
            "answers": answers,
            "errors": errors,
            "elapsed_seconds": run.elapsed_seconds,
            "total_tokens": run.total_tokens,
            "tokens": shares(run.total_tokens, contents),
            "price": run.total_price,
            "currency": run.currency,
        }


class _Recorded:
    """A call of this process and its record; safe to use from several threads."""

    def __init__(self, ledger: Ledger, id_: str, call: Call) -> None:
        self._ledger = ledger
        self._lock = threading.Lock()
        self._is_written = True
        self.id = id_
        self.call = call

    def change(self, **changes: Any) -> Call:
        """Write down something else of the call."""
        failpoint(DIFY_RESULT)
        with self._lock:
            self._write(self.call.changed(**changes))
            return self.call

    def started(self, run_id: str, task_id: str | None) -> None:
        """Write down the run that was started."""
        failpoint(DIFY_STARTED)
        # Its result is still to be had, and is written with its id; till then `renew` tries.
        with contextlib.suppress(StorageError), self._lock:
            self._write(self.call.changed(state="started", run_id=run_id, task_id=task_id))

    def renew(self, lease: timedelta) -> None:
        """Have others wait on, once part of the time is over and the run still not known."""
        if not self._lock.acquire(blocking=False):
            return  # something is being written down, which tells as much
        try:
            now = _now()
            if not self._is_written:
                self._write(self.call)
            elif self.call.state == "asked" and self.call.until - now < lease * 2 / 3:
                self._write(self.call.changed(until=now + lease))
        finally:
            self._lock.release()

    def _write(self, call: Call) -> None:
        self.call = call
        self._is_written = False
        self._ledger.write(self.id, call)
        self._is_written = True


def _ended(error: str | None) -> dict[str, Any]:
    return {**_over("ended", error), "ended_at": _now()}


def _over(state: State, error: str | None) -> dict[str, Any]:
    return {"state": state, "contents": {}, "error": error}


def _now() -> datetime:
    return datetime.now(UTC)
