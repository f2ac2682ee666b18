"""What the ledger promises of its objects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from threading import Barrier
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conversation_analytics.dify.asking import PaidAsker
from conversation_analytics.dify.ledger import Ledger
from conversation_analytics.dify.questions import Question
from conversation_analytics.dify.records import Call, Claim, shares
from conversation_analytics.dify.runs import WorkflowRun
from conversation_analytics.errors import StorageError
from conversation_analytics.storage.store import LocalStore
from conversation_analytics_tests.dify import faults
from conversation_analytics_tests.dify.askers import (
    LEFT_OUT,
    WORKFLOW,
    Echo,
    MemoryStore,
    answered,
    asker_of,
    echoing,
    paid,
    question,
    questions,
)
from conversation_analytics_tests.dify.clients import client_of
from conversation_analytics_tests.services.dify_contract import PRICE, TOKENS

NOW = datetime(2026, 1, 31, 9, 45, tzinfo=UTC)
KEY = question("a").key


def call_of(*keys: str, **changes: Any) -> Call:
    return Call(keys=keys or (KEY,), asked_at=NOW, until=NOW, **changes)


def objects(store: MemoryStore, folder: str) -> list[dict[str, Any]]:
    keys = store.list(f"_dify/{WORKFLOW}/{folder}/")
    return [orjson.loads(store.objects[key]) for key in keys]


@settings(max_examples=50)
@given(
    st.integers(0, 10**6),
    st.dictionaries(st.text(max_size=3), st.text(max_size=9), min_size=1, max_size=9),
)
def test_shares_add_up_exactly_and_follow_the_size(total: int, texts: dict[str, str]) -> None:
    found = shares(total, {key: {"text": text} for key, text in texts.items()})
    assert sum(found.values()) == total
    assert found.keys() == texts.keys()
    sizes = {key: len(repr(text)) for key, text in texts.items() if text.isalnum()}
    for one, other in ((one, other) for one in sizes for other in sizes):
        assert found[one] >= found[other] or sizes[one] <= sizes[other]


def test_shares_of_an_unknown_total_are_unknown() -> None:
    assert shares(None, {"a": {}}) == {}


def test_an_answered_call_tells_all_that_is_known_and_no_text() -> None:
    dify, store = echoing(), MemoryStore()
    asked = [question("a"), question(LEFT_OUT)]
    asker_of(dify, store, batch_size=2).ask(asked)
    [call] = objects(store, "calls")
    assert (call["state"], call["status"], call["contents"]) == ("ended", "succeeded", {})
    assert call["answers"] == {asked[0].key: "<a>"}
    assert list(call["errors"]) == [asked[1].key]
    assert (call["total_tokens"], call["price"], call["currency"]) == (TOKENS, PRICE, "USD")
    assert call["run_id"] in dify.runs
    assert not call["possibly_repeated"]
    assert [claim["earlier"] for claim in objects(store, "texts")] == [[], []]


def test_a_record_is_what_was_written() -> None:
    call = call_of(
        state="ended",
        contents={KEY: {"text": "half a \ud83d pair"}},
        answers={KEY: {"list": [1, None, "\ud83d"]}},
        price=Decimal("0.00042"),
    )
    assert Call.decoded(call.encoded()) == call


def test_an_answer_that_json_cannot_hold_is_told_and_its_run_kept() -> None:
    dify, store, asked = echoing(), MemoryStore(), questions(1)

    class Odd(Echo):
        def answers(self, run: WorkflowRun, questions: Sequence[Question]) -> dict[str, Any]:
            return {one.key: {1} for one in questions}

    with pytest.raises(TypeError, match="cannot be written as JSON"):
        PaidAsker(store, client_of(dify), Odd(), user="user").ask(asked)
    assert answered(asker_of(dify, store).ask(asked), asked)
    assert dify.starts == 1


# --- Claims -----------------------------------------------------------------------------------


@pytest.mark.parametrize("is_local", [True, False])
def test_of_many_who_claim_an_attempt_one_gets_it(tmp_path: Path, is_local: bool) -> None:
    ledger = Ledger(LocalStore(tmp_path) if is_local else MemoryStore(), WORKFLOW)
    barrier = Barrier(8)

    def claim(number: int) -> list[str]:
        barrier.wait(10)
        return ledger.claim([KEY], [1], [Claim(call=f"2026-01-31/{number}")])

    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(claim, range(8)))
    assert sorted(map(len, got)) == [0] * 7 + [1]


def test_a_claim_whose_answer_was_lost_is_known_to_be_ones_own() -> None:
    class Repeating(MemoryStore):
        """Sends a request again of which the answer was lost, as S3's clients do."""

        def create(self, key: str, data: bytes) -> bool:
            super().create(key, data)
            return super().create(key, data)

    dify, asked = echoing(), questions(2)
    assert answered(asker_of(dify, Repeating()).ask(asked), asked)
    assert dify.starts == 2


def test_where_nothing_is_conditional_what_is_known_is_not_paid_for_again() -> None:
    dify, store, asked = echoing(), MemoryStore(conditional=False), questions(5)
    for _ in range(2):
        assert answered(asker_of(dify, store).ask(asked), asked)
    assert dify.starts == 5


def test_a_lookup_reads_no_more_for_many_calls_of_which_nothing_came() -> None:
    reads: list[str] = []

    class Counting(MemoryStore):
        def get(self, key: str) -> bytes | None:
            reads.append(key)
            return super().get(key)

    dify, store, asked = echoing(), Counting(), questions(1)
    for _ in range(20):
        dify.faults.append(faults.unreachable)
        asker_of(dify, store, max_retries=0).ask(asked)
    reads.clear()
    assert asker_of(dify, store).ledger.histories([asked[0].key])[asked[0].key].attempts == 20
    assert len(reads) <= 4


# --- Damage -----------------------------------------------------------------------------------


def damaged(data: bytes) -> bytes:
    return data[: len(data) // 2]


@pytest.mark.parametrize("folder", ["texts", "calls"])
@pytest.mark.parametrize("damage", [damaged, lambda _: b"", lambda _: b"[]", lambda _: b"\xff{}"])
def test_a_damaged_object_is_told_and_nothing_paid(
    folder: str, damage: Callable[[bytes], bytes]
) -> None:
    dify, store, asked = echoing(), MemoryStore(), questions(1)
    asker_of(dify, store).ask(asked)
    [name] = store.list(f"_dify/{WORKFLOW}/{folder}/")
    store.objects[name] = damage(store.objects[name])
    with pytest.raises(StorageError, match=r"is damaged .* paid for") as raised:
        asker_of(dify, store).ask(asked)
    assert name in str(raised.value)
    assert dify.starts == 1


def test_a_call_that_is_gone_is_told_and_nothing_paid() -> None:
    dify, store, asked = echoing(), MemoryStore(), questions(1)
    asker_of(dify, store).ask(asked)
    store.delete(store.list(f"_dify/{WORKFLOW}/calls/"))
    with pytest.raises(StorageError, match="is gone"):
        asker_of(dify, store).ask(asked)
    assert dify.starts == 1


def test_a_workflow_names_a_folder_and_no_other_place() -> None:
    with pytest.raises(ValueError, match="letters, digits and dashes"):
        Ledger(MemoryStore(), "../raw")


# --- What was asked lately --------------------------------------------------------------------


def test_the_latest_calls_are_found_newest_first_and_not_older_than_two_months() -> None:
    ledger, now = Ledger(MemoryStore(), WORKFLOW), datetime.now(UTC)
    for days in (0, 40, 3, 90, 3):
        ledger.new_call(call_of(f"{days:02}", price=None).changed(asked_at=now - timedelta(days)))
    assert [call.keys[0] for call in ledger.recent(10)] == ["00", "03", "03", "40"]
    assert [call.keys[0] for call in ledger.recent(2)] == ["00", "03"]


def test_texts_of_a_call_that_was_cut_off_are_settled_with_those_beside_them() -> None:
    """A batch is read back whole, though only one of its questions is asked again."""
    dify, store, asked = echoing(seconds=60), MemoryStore(), questions(5)
    dify.faults.append(faults.cut_before_event(2))
    asker_of(dify, store, batch_size=5, run_timeout=0.05).ask(asked)
    for run in dify.runs.values():
        run.end()
    assert answered(asker_of(dify, store).ask([asked[3]]), [asked[3]])
    calls = len(dify.calls)
    assert answered(asker_of(dify, store).ask(asked), asked)
    assert (len(dify.calls), set(paid(dify).values())) == (calls, {1})
