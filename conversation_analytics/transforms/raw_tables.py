"""The raw tables of a day, and the account of every source row that belongs to it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from conversation_analytics.partitions import DayCalendar, to_micros
from conversation_analytics.schemas import QUARANTINE, RAW_CONVERSATIONS, RAW_MESSAGES
from conversation_analytics.schemas.base import TIMESTAMP
from conversation_analytics.schemas.quarantine import REASONS
from conversation_analytics.schemas.raw import REPRESENTED, SOFT_DELETED
from conversation_analytics.schemas.validation import CheckResult
from conversation_analytics.sources.base import SOURCE_TABLES, SourceTable
from conversation_analytics.storage.layout import Day
from conversation_analytics.transforms.staging import Placement

TERMS = ("represented", "quarantined", "soft_deleted", "identical_duplicates")
_MOST_COLLAPSED = 1_000
_RAW_OF = {"conversations": RAW_CONVERSATIONS.name, "messages": RAW_MESSAGES.name}


def raw_table(table: SourceTable) -> str:
    """The raw table that keeps the rows of a source table."""
    return _RAW_OF[table]


def raw_tables(
    placement: Placement, day: Day
) -> tuple[dict[str, pa.Table], dict[SourceTable, pa.Table]]:
    """The raw tables and the quarantine of a day, and the placed rows they were made from."""
    placed: dict[SourceTable, pa.Table] = {
        table: placement.rows(table, day) for table in SOURCE_TABLES
    }
    kept = {table: _kept(rows) for table, rows in placed.items()}
    quarantine = pa.concat_tables([_quarantine(table, rows) for table, rows in placed.items()])
    return {
        RAW_CONVERSATIONS.name: _raw_conversations(kept["conversations"]),
        RAW_MESSAGES.name: _raw_messages(kept["messages"]),
        QUARANTINE.name: quarantine.sort_by([(name, "ascending") for name in QUARANTINE.order]),
    }, placed


def account(
    tables: dict[str, pa.Table], placed: dict[SourceTable, pa.Table]
) -> tuple[dict[str, int], list[CheckResult]]:
    """Count the source rows of a day and check that none is lost or doubled.

    read = represented + quarantined + soft-deleted + identical duplicates, per source table;
    everything but `read` and the duplicates is counted in the tables that will be written.

    Returns:
        The counts (``conversations_read``, ``messages_quarantined``, ``read`` … and
        ``quarantined_<reason>``), and a check for each source table.
    """
    counts: dict[str, int] = {}
    checks = []
    quarantine = tables[QUARANTINE.name]
    for table, rows in placed.items():
        dispositions = tables[_RAW_OF[table]]["disposition"]
        terms = {
            "read": rows.num_rows,
            "represented": _count(dispositions, REPRESENTED),
            "quarantined": _count(quarantine["source_table"], table),
            "soft_deleted": _count(dispositions, SOFT_DELETED),
            "identical_duplicates": _count(rows["fate"], "duplicate"),
        }
        counts |= {f"{table}_{term}": number for term, number in terms.items()}
        total = sum(terms[term] for term in TERMS)
        words = " + ".join(f"{terms[term]} {term}" for term in TERMS)
        problem = f"{terms['read']} rows read, but {words} = {total}"
        fits = total == terms["read"]
        checks.append(
            CheckResult(_RAW_OF[table], "accounting", fits, () if fits else (problem,), terms)
        )
    for term in ("read", *TERMS):
        counts[term] = sum(counts[f"{table}_{term}"] for table in placed)
    reasons = quarantine["reason"]
    counts |= {f"quarantined_{r}": n for r in REASONS if (n := _count(reasons, r))}
    return counts, checks


def collapsed(placed: dict[SourceTable, pa.Table]) -> dict[SourceTable, dict[str, str]]:
    """The hashes of identical duplicates by source key, of at most a thousand a table.

    Looks know them by it. More would burden every reader of the manifest; they only cost that a
    look finds them new as long as their time is in its window.
    """
    found = {}
    for table, rows in placed.items():
        duplicates = rows.filter(pc.equal(rows["fate"], "duplicate"))
        named = duplicates.filter(duplicates["pk"].is_valid()).slice(0, _MOST_COLLAPSED)
        found[table] = dict(zip(named["pk"].to_pylist(), named["hash"].to_pylist(), strict=True))
    return found


def check_placement(table: pa.Table, calendar: DayCalendar, day: Day) -> CheckResult:
    """Check that every conversation of a raw day started on that day."""
    begin, end = (to_micros(moment) for moment in calendar.window(day))  # type: ignore[arg-type]
    started = table["started_at"].cast(pa.int64())
    wrong = pc.or_(pc.less(started, begin), pc.greater_equal(started, end))
    ids = table.filter(wrong)["conversation_id"].to_pylist()
    problems = (
        (f"{len(ids)} conversations did not start on {day}, such as {ids[0]}",) if ids else ()
    )
    figures = {"conversations": table.num_rows}
    return CheckResult(RAW_CONVERSATIONS.name, "placement", not ids, problems, figures)


def _kept(rows: pa.Table) -> pa.Table:
    kept = pc.is_in(rows["fate"], pa.array([REPRESENTED, SOFT_DELETED]))
    # Mostly all are, and a filter would copy their payloads.
    return rows if pc.all(kept).as_py() else rows.filter(kept)


def _count(column: pa.ChunkedArray, value: str) -> int:
    found: int = pc.sum(pc.equal(column, value)).as_py()
    return found or 0


def _time(micros: pa.ChunkedArray) -> pa.ChunkedArray:
    return micros.cast(pa.int64()).cast(TIMESTAMP)


def _raw_conversations(rows: pa.Table) -> pa.Table:
    columns = [
        rows["id"],
        _time(rows["started"]),
        _time(rows["updated"]),
        rows["fate"],
        rows["pk"],
        rows["hash"],
        rows["payload"],
    ]
    return pa.table(columns, schema=RAW_CONVERSATIONS.arrow)


def _raw_messages(rows: pa.Table) -> pa.Table:
    columns = [
        rows["id"],
        rows["conversation_id"],
        _time(rows["created"]),
        _tie_order(rows),
        _time(rows["updated"]),
        rows["fate"],
        rows["pk"],
        rows["hash"],
        rows["payload"],
    ]
    return pa.table(columns, schema=RAW_MESSAGES.arrow)


def _tie_order(rows: pa.Table) -> pa.Array:
    """Number rows of one conversation made in the same instant; rows are in source order.

    A number within the tie, not a position in the source, so that a row added elsewhere changes
    nothing here.
    """
    count = rows.num_rows
    same = np.zeros(count, bool)
    if count > 1:
        same[1:] = np.logical_and.reduce(
            [
                pc.equal(rows[name].slice(1), rows[name].slice(0, count - 1)).to_numpy()
                for name in ("conversation_id", "created")
            ]
        )
    places = np.arange(count)
    firsts = np.maximum.accumulate(np.where(same, 0, places))
    return pa.array(places - firsts)


def _quarantine(table: SourceTable, rows: pa.Table) -> pa.Table:
    bad = rows.filter(pc.equal(rows["fate"], "quarantined"))
    columns = [
        pa.repeat(pa.scalar(table), bad.num_rows),
        *(
            bad[name]
            for name in ("id", "conversation_id", "reason", "detail", "payload", "pk", "hash")
        ),
    ]
    return pa.table(columns, schema=QUARANTINE.arrow)
