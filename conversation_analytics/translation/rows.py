"""Translations as rows of the lake."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from conversation_analytics.categorization.rows import hashed
from conversation_analytics.dify.questions import Reply
from conversation_analytics.schemas import TRANSLATIONS
from conversation_analytics.schemas.validation import CheckResult
from conversation_analytics.storage.encoding import digest
from conversation_analytics.translation.selection import Selected

PROVIDER: Final = "dify"

_UNHASHED = TRANSLATIONS.arrow.remove(len(TRANSLATIONS.names) - 1)

Source = tuple[str, str]
"""What a translation follows from: the hash of a text, and the language it is translated into."""


def source_of(text: Selected) -> Source:
    """What the translation of a text follows from."""
    return digest(text.text.encode()), text.target


def translation_rows(
    texts: Sequence[Selected], sources: Sequence[Source], replies: Mapping[Source, Reply]
) -> pa.Table:
    """Texts with their translations as rows of `schemas.TRANSLATIONS`, in its order.

    Args:
        texts: what was to be translated.
        sources: of each text.
        replies: what became of each source.
    """
    rows = [
        {
            "conversation_id": text.conversation_id,
            "message_id": text.message_id,
            "source_language": text.language,
            "target_language": text.target,
            "source_hash": source[0],
            "provider": PROVIDER,
            **_of_reply(replies[source]),
        }
        for text, source in zip(texts, sources, strict=True)
    ]
    return hashed(pa.Table.from_pylist(rows, schema=_UNHASHED), TRANSLATIONS)


def _of_reply(reply: Reply) -> dict[str, Any]:
    return {
        "text": reply.value,
        "workflow_run_id": reply.run_id,
        "elapsed_seconds": reply.elapsed_seconds,
        "total_tokens": reply.total_tokens,
        "status": reply.status,
        "error": reply.error,
        "translated_at": reply.answered_at,
    }


def succeeded_before(rows: pa.Table) -> dict[Source, Reply]:
    """The translations that some rows hold."""
    there = rows.filter(pc.equal(rows["status"], "succeeded"))
    return {
        (row["source_hash"], row["target_language"]): Reply(
            status="succeeded",
            value=row["text"],
            run_id=row["workflow_run_id"],
            elapsed_seconds=row["elapsed_seconds"],
            total_tokens=row["total_tokens"],
            answered_at=row["translated_at"],
        )
        for row in there.to_pylist()
    }


def check_translations(
    translations: pa.Table, texts: Sequence[Selected], conversations: pa.Table, messages: pa.Table
) -> CheckResult:
    """Check that each text has one row a language, nothing else has, and what succeeded has text.

    Args:
        translations: the rows.
        texts: what was to be translated.
        conversations: the day's.
        messages: theirs.
    """
    names = ("conversation_id", "message_id", "target_language")
    found = list(zip(*(translations[name].to_pylist() for name in names), strict=True))
    wanted = {(text.conversation_id, text.message_id, text.target) for text in texts}
    problems = [
        *_described(wanted - {*found}, "texts without a translation's row"),
        *_described({*found} - wanted, "translations of what was not to be translated"),
    ]
    if len(found) != len({*found}):
        problems.append(f"{len(found) - len({*found})} rows too many of the same texts")
    for column, there in (("conversation_id", conversations), ("message_id", messages)):
        named = translations[column].drop_null()
        strange = named.filter(pc.invert(pc.is_in(named, there[column])))
        problems += _described({*strange.to_pylist()}, f"translations of a {column} not there")
    succeeded = pc.equal(translations["status"], "succeeded")
    has_text = pc.fill_null(pc.greater(pc.utf8_length(translations["text"]), 0), fill_value=False)
    wrong = translations.filter(pc.not_equal(succeeded, has_text))["conversation_id"]
    problems += _described({*wrong.to_pylist()}, "rows whose text does not go with their status")
    figures = {"texts": len(wanted), "translations": len(found)}
    return CheckResult(
        TRANSLATIONS.name, "complete", not problems, problems=tuple(problems), figures=figures
    )


def _described(wrong: set[Any], words: str) -> list[str]:
    return [f"{len(wrong)} {words}, such as {next(iter(wrong))}"] if wrong else []
