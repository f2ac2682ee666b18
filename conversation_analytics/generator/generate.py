"""Writes an export: conversation by conversation, in the order in which they start."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from conversation_analytics.generator.contamination import Contamination, choose_faults
from conversation_analytics.generator.conversations import ConversationMaker
from conversation_analytics.generator.dify import DifyRows
from conversation_analytics.generator.dirt import Dirt
from conversation_analytics.generator.options import GeneratorOptions
from conversation_analytics.generator.output import Counts, export_to
from conversation_analytics.generator.plain import PlainRows
from conversation_analytics.generator.profile import RowShape

Progress = Callable[[int], None]
"""Told, now and then and at the end, how many message rows have been written."""

_ROWS_BETWEEN_REPORTS = 10_000


@dataclass(frozen=True, slots=True)
class GeneratorSummary:
    """What was made.

    Attributes:
        out: folder of the export.
        conversations: what must become of the rows of the conversations table.
        messages: what must become of the rows of the messages table.
        first_day: first day on which a conversation starts.
        last_day: last day on which one can.
        languages: clean conversations by language code, most frequent first.
    """

    out: Path
    conversations: Counts
    messages: Counts
    first_day: date
    last_day: date
    languages: dict[str, int]


def generate(options: GeneratorOptions, progress: Progress | None = None) -> GeneratorSummary:
    """Write ``conversations.jsonl`` and ``messages.jsonl``, in memory that does not grow.

    A dirty export also has ``expected_quarantine.jsonl``, one line a row that cannot be used
    (table, source_id, reason), and ``expected_counts.json``, what becomes of all rows by table.
    Its dirty rows are part of the wanted number, except where they would be more than half of
    it or leave a day empty: then they come on top.

    Raises:
        SettingsError: the folder cannot be made.
        StoreUnavailable: a file cannot be written.
    """
    faults = choose_faults(options)
    clean_rows = _clean_rows(options, sum(fault.messages for fault in faults))
    shape = _shape(options)
    maker = ConversationMaker(options)
    languages: Counter[str] = Counter()
    reported = 0
    with export_to(options.out, dirty=options.dirty) as output:
        contamination = Contamination(faults, clean_rows, Dirt(shape, maker, output))
        for conversation in maker.stream(clean_rows):
            rows = shape.message_rows(conversation)
            output.keep("conversations", [shape.conversation_row(conversation)])
            output.keep("messages", rows)
            contamination.after(conversation, len(rows))
            languages[conversation.person.language.code] += 1
            written = output.counts["messages"].read
            if progress is not None and written - reported >= _ROWS_BETWEEN_REPORTS:
                progress(written)
                reported = written
        contamination.finish()
    if progress is not None:
        progress(output.counts["messages"].read)
    return GeneratorSummary(
        out=options.out,
        conversations=output.counts["conversations"],
        messages=output.counts["messages"],
        first_day=options.start,
        last_day=options.last_day,
        languages=dict(languages.most_common()),
    )


def _clean_rows(options: GeneratorOptions, dirty_rows: int) -> int:
    clean = options.rows - dirty_rows
    return clean if clean >= max(dirty_rows, options.days) else options.rows


def _shape(options: GeneratorOptions) -> RowShape:
    if options.profile == "dify":
        return DifyRows(seed=options.seed)
    return PlainRows(deletable=options.dirty)
