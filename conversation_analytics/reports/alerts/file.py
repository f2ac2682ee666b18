"""The file of alert rules, read and checked; says what is wrong with it, and where."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import TypeAdapter, ValidationError

from conversation_analytics.errors import AlertsInvalid
from conversation_analytics.reports.alerts.rules import KINDS, AnyRule, Rule, allowed_fields
from conversation_analytics.settings import FIXED_DIMENSIONS, Settings

_LIST: Final = "alerts"
_RULES: Final[TypeAdapter[Rule]] = TypeAdapter(AnyRule)
# Where pydantic says what it could not do rather than what is allowed.
_ALLOWED: Final = {
    "missing": "is missing",
    "string_type": "must be a text, so put numbers and yes or no in quotes",
    "float_type": "must be a number",
    "int_type": "must be a whole number",
    "string_pattern_mismatch": "must be small letters, digits, - and _, at most 60",
}


def load_rules(file: Path, dimensions: Collection[str] = FIXED_DIMENSIONS) -> tuple[Rule, ...]:
    """Read the rules of a file, in its order.

    Args:
        file: YAML, with a list of rules under ``alerts``.
        dimensions: those that reports have.

    Raises:
        AlertsInvalid: names every mistake with its line.
    """
    try:
        text = file.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise AlertsInvalid(f"{file} cannot be read: {error}") from error
    return read_rules(text, file, dimensions)


def rules_of(settings: Settings) -> tuple[Rule, ...]:
    """The rules of the file that ALERTS_FILE names; none if it names none.

    Raises:
        AlertsInvalid: names every mistake with its line.
    """
    if settings.alerts_file is None:
        return ()
    return load_rules(settings.alerts_file, (*FIXED_DIMENSIONS, *settings.dimensions))


def read_rules(
    text: str, file: Path, dimensions: Collection[str] = FIXED_DIMENSIONS
) -> tuple[Rule, ...]:
    """Read the text of a file of rules.

    Raises:
        AlertsInvalid: names every mistake with its line.
    """
    try:
        root = yaml.compose(text, Loader=yaml.CSafeLoader)
        reader = _Reader(dimensions)
        rules = tuple(reader.rules(root))
    except yaml.YAMLError as error:
        raise AlertsInvalid(f"{file} is not YAML: {' '.join(str(error).split())}") from error
    if reader.mistakes:
        listed = "; ".join(f"line {line}: {what}" for line, what in sorted(reader.mistakes))
        raise AlertsInvalid(f"{file}: {listed}")
    return rules


@dataclass
class _Reader:
    """Turns YAML nodes into rules, and collects what is wrong with them."""

    dimensions: Collection[str]
    mistakes: list[tuple[int, str]] = field(default_factory=list)

    def rules(self, root: Any) -> list[Rule]:
        found: list[tuple[int, Rule]] = []
        for node in self._listed(root):
            rule = self._rule(node)
            if rule is not None:
                found.append((_line(node), rule))
        counts = Counter(rule.name for _, rule in found)
        for line, rule in found:
            if counts[rule.name] > 1:
                self._say(line, f"{rule.name!r} is there {counts[rule.name]} times")
        return [rule for _, rule in found]

    def _listed(self, root: Any) -> Iterator[Any]:
        if not isinstance(root, yaml.MappingNode):
            self._say(_line(root), f"must be a mapping with a list of {_LIST}")
            return
        for key, value in root.value:
            if key.value != _LIST:
                self._say(_line(key), f"{key.value!r} is not {_LIST}")
            elif not isinstance(value, yaml.SequenceNode):
                self._say(_line(value), f"{_LIST} must be a list")
            else:
                yield from value.value

    def _rule(self, node: Any) -> Rule | None:
        if not isinstance(node, yaml.MappingNode):
            self._say(_line(node), "a rule must be a mapping with a name, a grain and a kind")
            return None
        lines: dict[str, int] = {}
        for key, _ in node.value:
            name = str(key.value)
            if name in lines:
                self._say(_line(key), f"{name!r} is there twice")
            lines[name] = _line(key)
        values = yaml.CSafeLoader("")
        said: dict[str, Any] = values.construct_document(node)
        try:
            return _RULES.validate_python(said, context={"dimensions": self.dimensions})
        except ValidationError as error:
            called = f"rule {said['name']!r}: " if said.get("name") else ""
            for problem in error.errors():
                where, what = _explained(problem, said)
                self._say(lines.get(where, _line(node)), f"{called}{what}")
            return None

    def _say(self, line: int, what: str) -> None:
        self.mistakes.append((line, what))


def _explained(problem: Any, said: dict[str, Any]) -> tuple[str, str]:
    """The field that is wrong, and what is wrong with it."""
    kind = problem["type"]
    if kind.startswith("union_tag"):
        allowed = ", ".join(KINDS)
        if kind == "union_tag_not_found":
            return "kind", f"kind is missing: it is one of {allowed}"
        return "kind", f"kind is {said['kind']!r}: it is one of {allowed}"
    own = problem["loc"][1:]  # the first is the kind
    where = str(own[0]) if own else ""
    message = problem["msg"].removeprefix("Value error, ")
    if kind == "value_error":
        return where, message
    if kind == "extra_forbidden":
        return where, f"{where!r} is none of {', '.join(allowed_fields(said['kind']))}"
    what = _ALLOWED.get(kind, message.replace("Input should be", "must be"))
    given = "" if kind == "missing" else f" is {problem['input']!r}: it"
    return where, f"{where}{given} {what}"


def _line(node: Any) -> int:
    return node.start_mark.line + 1 if node is not None else 1
