"""What a lake must hold, worked out slowly from the written rules and from nothing of ours.

Rows come in, what each day must show comes out. Plain dicts and loops: the point is that it can
be checked by reading it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from conversation_analytics_tests.oracle_rows import (
    DIFY_CONVERSATION,
    PLAIN_CONVERSATION,
    UNKNOWN,
    Row,
    Source,
    an_object,
    conversation_values,
    message_values,
    read_row,
)

TABLES = ("conversations", "messages")


@dataclass
class Day:
    """What one day must hold."""

    conversations: list[Row] = field(default_factory=list)
    messages: list[Row] = field(default_factory=list)
    quarantine: list[tuple[str, str | None, str]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


# ---- all rows


def expected(
    conversations: list[Row | bytes],
    messages: list[Row | bytes],
    *,
    profile: str,
    timezone: str,
    start: date,
    now: datetime,
    escalation: str = "#AGENT",
) -> dict[date | str, Day]:
    """What each day must hold; a day without any source row is left out."""
    zone = ZoneInfo(timezone)
    today = now.astimezone(zone).date()

    def local_day(moment: datetime | None) -> date | str:
        if moment is None:
            return UNKNOWN
        day = moment.astimezone(zone).date()
        return day if start <= day <= today else UNKNOWN

    tables = {
        table: [read_row(row, profile, table, n) for n, row in enumerate(rows)]
        for table, rows in zip(TABLES, (conversations, messages), strict=True)
    }
    winners: dict[str, dict[str, Source]] = {}
    for table, rows in tables.items():
        for read in rows:
            if read.reason is None and read.created and local_day(read.created) == UNKNOWN:
                read.reason = "out_of_range"
        winners[table] = settle_duplicates(rows)

    # Where conversations live: by their own time, else by that of their first message.
    started: dict[str, datetime] = {}
    for id_, read in winners["conversations"].items():
        times = [m.created for m in winners["messages"].values() if m.owner == id_]
        first = read.created or min((t for t in times if t), default=None)
        if first is None:
            read.reason = "bad_time"
        else:
            started[id_] = first
    for read in tables["conversations"]:
        read.day = local_day(started.get(read.id or "", read.created))
    for read in tables["messages"]:
        kept = winners["messages"].get(read.id or "")
        owner = kept.owner if read.fate in ("duplicate", "old") and kept else read.owner
        read.day = local_day(started.get(owner or "", read.created))

    days: dict[date | str, Day] = {}
    for read in (*tables["conversations"], *tables["messages"]):
        outcome = settle(read, winners["conversations"], started)
        day = days.setdefault(read.day, Day())
        day.counts["read"] += 1
        day.counts[outcome] += 1
        if outcome == "quarantined":
            day.quarantine.append((read.table, read.id, str(read.reason)))
    shown = [read for read in tables["messages"] if read.fate == "represented"]
    for id_, read in winners["conversations"].items():
        if read.fate == "represented":
            own = [m for m in shown if m.owner == id_]
            show(days[read.day], read, own, started[id_], profile, escalation)
    for day in days.values():
        day.quarantine.sort(key=str)
    return days


def settle_duplicates(rows: list[Source]) -> dict[str, Source]:
    """Of the usable rows of each id the newest, the first of equally new ones."""
    winners: dict[str, Source] = {}
    usable = [read for read in rows if read.reason is None and read.id is not None]
    long_ago = datetime(1, 1, 1, tzinfo=UTC)
    for read in usable:
        best = winners.get(read.id or "")
        age = read.updated or read.created or long_ago
        if best is None or age > (best.updated or best.created or long_ago):
            winners[read.id or ""] = read
    for read in usable:
        best = winners[read.id or ""]
        if read is not best:
            read.fate = "duplicate" if read.same == best.same else "old"
    return winners


def settle(read: Source, conversations: dict[str, Source], started: dict[str, datetime]) -> str:
    """What becomes of a row: one of the four terms of the account."""
    if read.fate == "duplicate":
        return "identical_duplicates"
    if read.fate == "old":
        read.reason = "duplicate_id"
    elif read.reason is None and read.table == "messages" and read.owner not in started:
        read.reason = "orphan_message"
    if read.reason is not None:
        read.fate = "quarantined"
    elif read.deleted or (read.table == "messages" and conversations[read.owner or ""].deleted):
        read.fate = "soft_deleted"
    else:
        read.fate = "represented"
    return read.fate


# ---- what is shown


def show(
    day: Day, read: Source, own: list[Source], began: datetime, profile: str, escalation: str
) -> None:
    """Add a conversation and its messages to its day."""
    values = conversation_values(read.row, profile)
    parts: list[Row] = []
    for source in own:
        for which, part in enumerate(message_values(source.row, profile)):
            assert source.created is not None
            part["created_at"] = source.created + timedelta(seconds=part.pop("later"))
            part["place"] = (part["created_at"], source.created, source.position, which)
            parts.append(part)
    parts.sort(key=lambda part: part.pop("place"))
    user = values["user_id"]
    if user is None:
        named = [p["own_user"] for p in parts if p["role"] == "user" and p["own_user"] is not None]
        user = named[0] if named else None
    for turn, part in enumerate(parts):
        before = parts[turn - 1] if turn else None
        answers = part["role"] in ("assistant", "agent") and before and before["role"] == "user"
        waited = part["created_at"] - before["created_at"] if before and answers else None
        part["conversation_id"] = read.id
        part["user_id"] = user
        part["turn_index"] = turn
        part["response_seconds"] = None if waited is None else waited.total_seconds()
        part["escalated"] = part["role"] == "assistant" and escalation in part["content"]
        for name in ("model", "prompt_tokens", "completion_tokens", "latency_ms", "cost"):
            part.setdefault(name, None)
        for name in ("currency", "error", "feedback_score"):
            part.setdefault(name, None)
        del part["own_user"]
    day.messages += parts
    day.conversations.append(totals(read, values, parts, began, user, profile))


def totals(
    read: Source, values: Row, parts: list[Row], began: datetime, user: str | None, profile: str
) -> Row:
    """A conversation with what its messages add up to."""
    known = PLAIN_CONVERSATION if profile == "plain" else DIFY_CONVERSATION
    attributes = {k: v for k, v in read.row.items() if v is not None and k not in known}
    if profile == "dify":
        inputs = an_object(read.row.get("inputs"))
        attributes = {k: v for k, v in inputs.items() if v is not None} | attributes
    sums: dict[str | None, Decimal] = {}
    for part in parts:
        if part["cost"] is not None:
            sums[part["currency"]] = sums.get(part["currency"], Decimal(0)) + part["cost"]
    if len(sums) > 1:
        attributes["cost_by_currency"] = {str(k): str(v) for k, v in sums.items()}
    one = next(iter(sums.items())) if len(sums) == 1 else (None, None)
    models = [part["model"] for part in parts if part["model"] is not None]
    most = max(models, key=lambda m: (models.count(m), -models.index(m))) if models else None
    asked = next((n for n, part in enumerate(parts) if part["role"] == "user"), None)
    later = [] if asked is None else parts[asked + 1 :]
    reply = next((part for part in later if part["role"] in ("assistant", "agent")), None)
    first_response = None
    if asked is not None and reply:
        first_response = (reply["created_at"] - parts[asked]["created_at"]).total_seconds()
    ended = parts[-1]["created_at"] if parts else began
    prompt = sum(part["prompt_tokens"] or 0 for part in parts)
    completion = sum(part["completion_tokens"] or 0 for part in parts)
    scores = [part["feedback_score"] for part in parts if part["feedback_score"] is not None]
    return values | {
        "conversation_id": read.id,
        "user_id": user,
        "model": values["model"] or most,
        "started_at": began,
        "ended_at": ended,
        "source_created_at": read.created,
        "source_updated_at": read.updated,
        "message_count": len(parts),
        "user_message_count": sum(part["role"] == "user" for part in parts),
        "assistant_message_count": sum(part["role"] == "assistant" for part in parts),
        "duration_seconds": (ended - began).total_seconds(),
        "first_response_seconds": first_response,
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "cost": one[1],
        "currency": one[0],
        "error_count": sum(part["error"] is not None for part in parts),
        "feedback_score": sum(scores) / len(scores) if scores else None,
        "escalated": any(part["escalated"] for part in parts),
        "attributes": attributes,
    }
