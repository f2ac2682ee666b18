"""How one source row reads and whether it can be used: the row's half of the oracle."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

Row = dict[str, Any]

UNKNOWN = "unknown"
ROLES = {"user": "user", "assistant": "assistant", "agent": "agent", "system": "system"}
ROLES |= {"tool": "tool", "bot": "assistant", "customer": "user"}
TABLES = ("conversations", "messages")
UNKNOWN = "unknown"

PLAIN_CONVERSATION = {"conversation_id", "user_id", "title", "channel", "status", "model"}
PLAIN_CONVERSATION |= {"language", "created_at", "updated_at", "is_deleted"}
PLAIN_MESSAGE = {"message_id", "conversation_id", "user_id", "role", "content", "created_at"}
PLAIN_MESSAGE |= {"updated_at", "is_deleted", "model", "prompt_tokens", "completion_tokens"}
PLAIN_MESSAGE |= {"latency_ms", "cost", "currency", "error", "feedback_score"}
DIFY_CONVERSATION = {"id", "inputs", "from_end_user_id", "from_account_id", "name", "from_source"}
DIFY_CONVERSATION |= {"status", "model_id", "created_at", "updated_at", "is_deleted"}
DIFY_MESSAGE = {"id", "conversation_id", "query", "answer", "created_at", "updated_at", "model_id"}
DIFY_MESSAGE |= {"message_tokens", "answer_tokens", "provider_response_latency", "total_price"}
DIFY_MESSAGE |= {"currency", "status", "error", "inputs", "from_end_user_id", "from_account_id"}
DIFY_MESSAGE |= {"message"}


@dataclass
class Source:
    """A source row with what was made of it."""

    table: str
    position: int
    row: Row
    same: str
    reason: str | None = None
    id: str | None = None
    owner: str | None = None
    created: datetime | None = None
    updated: datetime | None = None
    deleted: bool = False
    fate: str = ""
    day: date | str = UNKNOWN


class Refused(Exception):
    pass


# ---- reading values


def an_id(value: Any) -> str | None:
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise Refused


def a_text(value: Any) -> str | None:
    if isinstance(value, dict | list):
        raise Refused
    return value if value is None or isinstance(value, str) else str(value)


def a_number(value: Any) -> float | None:
    if value is None:
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise Refused from None
    if number < 0:
        raise Refused
    return number


def a_count(value: Any) -> int | None:
    number = a_number(value)
    if number is not None and number != int(number):
        raise Refused
    return None if number is None else int(number)


def an_amount(value: Any) -> Decimal | None:
    if value is not None:
        a_number(value)
    return None if value is None else Decimal(str(value)).quantize(Decimal("0.00000001"))


def a_score(value: Any) -> float | None:
    if value is None:
        return None
    if not isinstance(value, int | float) or not -1 <= value <= 1:
        raise Refused
    return float(value)


def a_role(value: Any) -> str:
    if value not in ROLES:
        raise Refused
    return ROLES[value]


def an_object(value: Any) -> Row:
    if isinstance(value, str):
        value = json.loads(value)
    if value is not None and not isinstance(value, dict):
        raise Refused
    return value or {}


def a_time(value: Any) -> datetime | None:
    """Generated are ISO times, Unix seconds, and rubbish."""
    if value is None:
        return None
    if isinstance(value, int):
        return datetime.fromtimestamp(value, UTC)
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise Refused from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


# ---- one row


def read_row(source: Row | bytes, profile: str, table: str, position: int) -> Source:
    """Judge a row on its own."""
    if isinstance(source, bytes):
        return damaged_line(source, profile, table, position)
    read = Source(table, position, source, json.dumps(source, sort_keys=True))
    own = "id" if profile == "dify" else table[:-1] + "_id"
    if not is_unicode(json.dumps(source, ensure_ascii=False)):
        read.reason = "bad_encoding"
    else:
        try:
            read.reason = reason_of(source, profile, table, own)
        except Refused:
            read.reason = "wrong_type"
    read.id = attempt(an_id, source.get(own))
    read.owner = (
        read.id if table == "conversations" else attempt(an_id, source.get("conversation_id"))
    )
    read.created = attempt(a_time, source.get("created_at"))
    read.updated = attempt(a_time, source.get("updated_at"))
    read.deleted = source.get("is_deleted") is True
    return read


def damaged_line(text: bytes, profile: str, table: str, position: int) -> Source:
    """A line that is no JSON, or not UTF-8 but JSON otherwise."""
    try:
        text.decode()
    except UnicodeDecodeError:
        row = json.loads(text.decode(errors="replace"))
        read = read_row(row, profile, table, position)
        read.reason = "bad_encoding"
        return read
    return Source(table, position, {}, text.decode(), "malformed")


def attempt(read: Any, value: Any) -> Any:
    try:
        found = read(value)
    except Refused:
        return None
    return None if isinstance(found, str) and not is_unicode(found) else found


def is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def reason_of(row: Row, profile: str, table: str, own: str) -> str | None:
    """The first reason that applies to a row of good encoding."""
    if an_id(row.get(own)) is None:
        return "missing_id"
    if table == "conversations":
        conversation_values(row, profile)
    else:
        message_values(row, profile)
    try:
        created = a_time(row.get("created_at"))
        a_time(row.get("updated_at"))
    except Refused:
        return "bad_time"
    return "bad_time" if created is None and table == "messages" else None


def conversation_values(row: Row, profile: str) -> Row:
    if profile == "plain":
        names = ("title", "channel", "status", "model", "language")
        return {"user_id": an_id(row.get("user_id")), **{n: a_text(row.get(n)) for n in names}}
    inputs = an_object(row.get("inputs"))
    return {
        "user_id": dify_user(row),
        "title": a_text(row.get("name")),
        "channel": a_text(row.get("from_source")),
        "status": a_text(row.get("status")),
        "model": a_text(row.get("model_id")),
        "language": a_text(inputs.get("language")),
    }


def dify_user(row: Row) -> str | None:
    named = an_object(row.get("inputs")).get("username")
    for value in (named, row.get("from_end_user_id"), row.get("from_account_id")):
        if value is not None:
            return an_id(value)
    return None


def message_values(row: Row, profile: str) -> list[Row]:
    """The messages of a row, without their times."""
    common = {"model": a_text(row.get("model" if profile == "plain" else "model_id"))}
    common["currency"] = a_text(row.get("currency"))
    an_id(row.get("conversation_id"))
    error = a_text(row.get("error")) or None
    if profile == "plain":
        one = {
            "message_id": an_id(row.get("message_id")),
            "own_user": an_id(row.get("user_id")),
            "role": a_role(row.get("role")),
            "content": a_text(row.get("content")) or "",
            "prompt_tokens": a_count(row.get("prompt_tokens")),
            "completion_tokens": a_count(row.get("completion_tokens")),
            "latency_ms": a_number(row.get("latency_ms")),
            "cost": an_amount(row.get("cost")),
            "error": error,
            "feedback_score": a_score(row.get("feedback_score")),
            "attributes": {
                k: v for k, v in row.items() if v is not None and k not in PLAIN_MESSAGE
            },
            "later": 0.0,
        }
        return [one | common]
    latency = a_number(row.get("provider_response_latency"))
    inputs = {k: v for k, v in an_object(row.get("inputs")).items() if v is not None}
    rest = {k: v for k, v in row.items() if v is not None and k not in DIFY_MESSAGE}
    question = {
        "message_id": f"{row['id']}:q",
        "own_user": dify_user(row),
        "role": "user",
        "content": a_text(row.get("query")) or "",
        "attributes": inputs,
        "later": 0.0,
    }
    answer = {
        "message_id": f"{row['id']}:a",
        "own_user": dify_user(row),
        "role": "assistant",
        "content": a_text(row.get("answer")) or "",
        "prompt_tokens": a_count(row.get("message_tokens")),
        "completion_tokens": a_count(row.get("answer_tokens")),
        "latency_ms": None if latency is None else latency * 1000,
        "cost": an_amount(row.get("total_price")),
        "error": error or ("error" if row.get("status") == "error" else None),
        "attributes": inputs | as_kept(rest),
        "later": latency or 0.0,
    }
    return [question, answer | common]


def as_kept(rest: Row) -> Row:
    """Unit prices as decimals without zeros at their end, metadata as an object."""
    kept = dict(rest)
    for name in ("message_unit_price", "answer_unit_price"):
        if name in kept:
            written = f"{Decimal(str(kept[name])):f}"
            kept[name] = written.rstrip("0").rstrip(".") if "." in written else written
    if str(kept.get("message_metadata")).startswith('{"'):
        kept["message_metadata"] = an_object(kept["message_metadata"])
    return kept
