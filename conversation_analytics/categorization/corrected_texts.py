"""The texts that people labelled, to measure labels by and to learn from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from conversation_analytics.categorization.corrections import Corrections
from conversation_analytics.storage.lake import Lake
from conversation_analytics.storage.layout import MESSAGES_UNIT

SOURCE: Final = "people"
_COLUMNS: Final = ["message_id", "conversation_id", "role", "content"]

_Labels = dict[tuple[str, str | None], dict[str, str]]


def corrected_texts(lake: Lake, corrections: Corrections) -> Iterator[dict[str, Any]]:
    """What was said where people gave a label, as rows that `read_labelled` reads.

    The text of a label of a whole conversation is all that its users say. Conversations and
    messages that the lake has not are left out.

    Args:
        lake: where the messages are.
        corrections: the labels; of several topics, the main one is taken.

    Yields:
        `text`, `labels` by task, `source` (`people`), `conversation_id` and `message_id` (null
        for a whole conversation), by day, conversation and message.

    Raises:
        StorageError: the lake cannot be read.
    """
    labels: _Labels = {}
    for target, (main, *_) in corrections.labels.items():
        of_text = labels.setdefault((target.conversation_id, target.message_id), {})
        of_text[target.task] = main
    owners = sorted({conversation_id for conversation_id, _ in labels})
    if not owners:
        return
    days = sorted(set(lake.index.snapshot().days_of(owners).values()))
    for day in days:
        yield from _of_day(lake, day, owners, labels)


def _of_day(
    lake: Lake, day: date, owners: list[str], labels: Mapping[tuple[str, str | None], Any]
) -> Iterator[dict[str, Any]]:
    found = lake.read_day(MESSAGES_UNIT, day, {MESSAGES_UNIT.tables[0].name: _COLUMNS})
    if found is None:
        return
    messages = found[1][MESSAGES_UNIT.tables[0].name]
    wanted = pc.is_in(messages["conversation_id"], pa.array(owners, pa.string()))
    said: dict[str, list[str]] = {}
    for row in messages.filter(wanted).to_pylist():
        owner, text = row["conversation_id"], row["content"]
        if row["role"] == "user":
            said.setdefault(owner, []).append(text)
        if some := labels.get((owner, row["message_id"])):
            yield _row(text, some, owner, row["message_id"])
    for owner, texts in said.items():
        if some := labels.get((owner, None)):
            yield _row("\n".join(texts), some, owner, None)


def _row(
    text: str, labels: Mapping[str, str], conversation_id: str, message_id: str | None
) -> dict[str, Any]:
    return {
        "text": text,
        "labels": labels,
        "source": SOURCE,
        "conversation_id": conversation_id,
        "message_id": message_id,
    }
