"""Where an export goes: its files, and what is true of the rows in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO, Literal

import orjson

from conversation_analytics.errors import SettingsError, StoreUnavailable
from conversation_analytics.generator.profile import Row

Table = Literal["conversations", "messages"]
Reason = Literal[
    "malformed",
    "bad_encoding",
    "too_large",
    "missing_id",
    "wrong_type",
    "bad_time",
    "out_of_range",
    "duplicate_id",
    "orphan_message",
]

CONVERSATIONS = "conversations.jsonl"
MESSAGES = "messages.jsonl"
EXPECTED_QUARANTINE = "expected_quarantine.jsonl"
EXPECTED_COUNTS = "expected_counts.json"
_ALL = (CONVERSATIONS, MESSAGES, EXPECTED_QUARANTINE, EXPECTED_COUNTS)
_BUFFER = 1 << 20


@dataclass(slots=True)
class Counts:
    """What becomes of the rows of one source table; `read` is the sum of the others."""

    read: int = 0
    represented: int = 0
    quarantined: int = 0
    soft_deleted: int = 0
    identical_duplicates: int = 0


def encoded(row: Row) -> bytes:
    """A row as a line of JSON, without its end."""
    return orjson.dumps(row)


class Output:
    """The open files of one export. Every method writes rows and counts them."""

    def __init__(self, conversations: BinaryIO, messages: BinaryIO, expected: BinaryIO | None):
        self._files: dict[Table, BinaryIO] = {"conversations": conversations, "messages": messages}
        self._expected = expected
        self.counts: dict[Table, Counts] = {"conversations": Counts(), "messages": Counts()}

    def keep(self, table: Table, rows: Iterable[Row]) -> None:
        """Rows that can be used."""
        lines = [orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows]
        self._files[table].writelines(lines)
        counts = self.counts[table]
        counts.read += len(lines)
        counts.represented += len(lines)

    def quarantine(self, table: Table, line: bytes, source_id: str | None, reason: Reason) -> None:
        """A row, as the bytes of its line, that cannot be used."""
        self._line(table, line)
        self.counts[table].quarantined += 1
        if self._expected is not None:
            verdict = {"table": table, "source_id": source_id, "reason": reason}
            self._expected.write(encoded(verdict) + b"\n")

    def soft_delete(self, table: Table, row: Row) -> None:
        """A row that says it is deleted, or whose conversation does."""
        self._line(table, encoded(row))
        self.counts[table].soft_deleted += 1

    def repeat(self, table: Table, row: Row) -> None:
        """A row that has been written before, exactly so."""
        self._line(table, encoded(row))
        self.counts[table].identical_duplicates += 1

    def _line(self, table: Table, line: bytes) -> None:
        self._files[table].write(line + b"\n")
        self.counts[table].read += 1


@contextmanager
def export_to(folder: Path, *, dirty: bool) -> Iterator[Output]:
    """Files that replace those of an earlier export once all is written, and not before.

    Raises:
        SettingsError: `folder` cannot be made.
        StoreUnavailable: a file cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(
            f"--out is {folder}: no folder can be made there ({error.strerror}). Choose another."
        ) from error
    names = _ALL if dirty else (CONVERSATIONS, MESSAGES)
    partial = {name: folder / f".{name}.partial" for name in names}
    try:
        with ExitStack() as stack:
            files = {
                name: stack.enter_context(path.open("wb", buffering=_BUFFER))
                for name, path in partial.items()
                if name != EXPECTED_COUNTS
            }
            output = Output(files[CONVERSATIONS], files[MESSAGES], files.get(EXPECTED_QUARANTINE))
            yield output
        if dirty:
            counts = {table: asdict(counts) for table, counts in output.counts.items()}
            text = orjson.dumps(counts, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
            partial[EXPECTED_COUNTS].write_bytes(text)
        for name in _ALL:
            if name in partial:
                partial[name].replace(folder / name)
            else:
                (folder / name).unlink(missing_ok=True)  # what was expected of an earlier export
    except OSError as error:
        raise StoreUnavailable(
            f"{folder}: the export cannot be written ({error.strerror}). "
            "Free some space or choose another --out."
        ) from error
    finally:
        for path in partial.values():
            path.unlink(missing_ok=True)
