"""NocoDB's `where` language.

Two grammars read it. The plain one cuts text at brackets and commas, knows no quotes, and parses
fast. With a leading ``@`` a real grammar takes over: it nests and quotes, and costs the server
about 6 ms a request, so it is used only where a filter needs it. Neither can escape a quote.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from conversation_analytics.errors import SourceSchemaError

Operator = Literal["eq", "gt", "gte", "lt", "lte", "in", "blank"]

_PLAIN = re.compile(r"[\w.:+/@-][\w .:+/@-]*(?<! )", re.ASCII)
_SPLITS_PLAIN_GRAMMAR = re.compile(r"\(\(|\(~|~(and|or|not)|\)\)|\)$")


@dataclass(frozen=True, slots=True)
class Clause:
    """One comparison: a column's title, an operator, and the values it takes."""

    column: str
    operator: Operator
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """Filters of which all, or any, must hold."""

    joint: Literal["and", "or"]
    parts: tuple[Filter, ...]


Filter = Clause | Group


def compare(column: str, operator: Operator, value: str | int) -> Clause:
    """A column against one value."""
    return Clause(column, operator, (str(value),))


def at(column: str, operator: Operator, moment: datetime) -> Clause:
    """A time column against a moment, at whole seconds: NocoDB reads no finer."""
    return Clause(column, operator, ("exactDate", f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}"))


def one_of(column: str, values: Sequence[str]) -> Clause:
    """A column equal to one of the values."""
    return Clause(column, "eq" if len(values) == 1 else "in", tuple(values))


def blank(column: str) -> Clause:
    """A column that is null or empty."""
    return Clause(column, "blank")


def every(first: Filter, *others: Filter | None) -> Filter:
    """All of the filters; null ones ask for nothing."""
    parts: list[Filter] = []
    for part in (first, *others):
        if isinstance(part, Group) and part.joint == "and":
            parts.extend(part.parts)
        elif part is not None:
            parts.append(part)
    return Group("and", tuple(parts)) if len(parts) > 1 else parts[0]


def either(first: Filter, *others: Filter) -> Filter:
    """At least one of the filters."""
    return Group("or", (first, *others)) if others else first


def first_with_value(
    columns: Sequence[str], holds: Callable[[str], Filter], *, or_none: bool = False
) -> Filter:
    """`holds` for the first of the columns that has a value, which is how rows are read.

    Args:
        columns: titles, the preferred first.
        holds: the filter a column's value must pass.
        or_none: whether to select rows without any value, too.
    """
    *earlier, last = columns
    wanted = either(holds(last), blank(last)) if or_none else holds(last)
    for column in reversed(earlier):
        wanted = either(holds(column), every(blank(column), wanted))
    return wanted


def is_plain(text: str) -> bool:
    """Whether both grammars read the text as it is, without quotes."""
    return _PLAIN.fullmatch(text) is not None and text.lower() != "null"


def quotable(text: str) -> bool:
    """Whether the text can be quoted; a quote inside quotes cannot be escaped."""
    return bool(text) and not text.endswith("\\") and not {'"', "'"} <= set(text)


def render(wanted: Filter) -> str:
    """The filter as text, in the plain grammar if that can carry it.

    Raises:
        SourceSchemaError: a value can be written in neither grammar.
    """
    parts = wanted.parts if isinstance(wanted, Group) else (wanted,)
    flat = [part for part in parts if isinstance(part, Clause)]
    conjunction = len(flat) == len(parts) and (isinstance(wanted, Clause) or wanted.joint == "and")
    texts = [text for clause in flat for text in (clause.column, *clause.values)]
    if conjunction and all(is_plain(text) for text in texts):
        return _joined(flat, str)
    if not conjunction or all(is_plain(text) or quotable(text) for text in texts):
        return "@" + _nested(wanted, top=True)
    values = [value for clause in flat for value in clause.values]
    uncuttable = all(value and not _SPLITS_PLAIN_GRAMMAR.search(value) for value in values)
    if not uncuttable or not all(is_plain(clause.column) for clause in flat):
        raise _inexpressible(texts)
    return _joined(flat, str)


def _nested(wanted: Filter, *, top: bool = False) -> str:
    if isinstance(wanted, Clause):
        return _joined([wanted], _quoted)
    inner = f"~{wanted.joint}".join(_nested(part) for part in wanted.parts)
    return inner if top else f"({inner})"


def _joined(clauses: Sequence[Clause], write: Callable[[str], str]) -> str:
    return "~and".join(
        f"({','.join([write(clause.column), clause.operator, *map(write, clause.values)])})"
        for clause in clauses
    )


def _quoted(text: str) -> str:
    if is_plain(text):
        return text
    if not quotable(text):
        raise _inexpressible([text])
    return f"'{text}'" if '"' in text else f'"{text}"'


def _inexpressible(texts: Sequence[str]) -> SourceSchemaError:
    culprits = [text for text in texts if not is_plain(text) and not quotable(text)]
    return SourceSchemaError(
        f"NocoDB's filters cannot express the value {culprits[0] if culprits else texts!r}: it "
        "mixes both kinds of quotes, or ends in a backslash, with brackets. Change that key in the "
        "source, or read an export through SOURCE_DIR."
    )
