"""The user's intents and topics, read from a YAML file; says what is wrong with it, and where."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, Literal

import orjson
import yaml

from conversation_analytics.categorization.labelled import labelled_rows
from conversation_analytics.errors import LabelledDataInvalid, TaxonomyInvalid

TaxonomyTask = Literal["intent", "topic"]

DEFAULT_FILE: Final = Path(__file__).parent / "default_taxonomy.yaml"
"""The taxonomy that comes with the package."""

_SECTIONS: Final[Mapping[str, TaxonomyTask]] = {"intents": "intent", "topics": "topic"}
_EXAMPLES_FILE: Final = "examples_file"
_TEXT_FIELDS: Final = ("name", "description", "parent")
_LIST_FIELDS: Final = ("keywords", "patterns", "examples")
_FLAGS: Final = ("courtesy",)
_BOOLEAN: Final = "tag:yaml.org,2002:bool"
_TRUE: Final = frozenset({"true", "yes", "on"})
_IN_NAMES: Final = frozenset(" .&/-_")
_RESERVED: Final = frozenset({"unknown"})
_MOST_LABELS: Final = 10_000


@dataclass(frozen=True)
class Label:
    """One intent or topic.

    Attributes:
        name: what it is called everywhere.
        description: what belongs to it, for people.
        parent: the label it is part of.
        keywords: words and phrases that tell it by themselves.
        patterns: regular expressions that do.
        examples: texts that are about it; a model learns from them.
        courtesy: whether it is an intent that leads no conversation, such as a greeting or a yes.
        line: where it is in the file.
    """

    name: str
    description: str = ""
    parent: str | None = None
    keywords: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
    courtesy: bool = False
    line: int = 0


@dataclass(frozen=True)
class Section:
    """The labels of a task.

    Attributes:
        task: the task.
        labels: in the file's order.
    """

    task: TaxonomyTask
    labels: tuple[Label, ...] = ()

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The labels' names."""
        return tuple(label.name for label in self.labels)

    @cached_property
    def version(self) -> str:
        """Hash of everything that decides which text gets which label."""
        decides = [
            [one.name, one.parent, one.keywords, one.patterns, one.examples, *_flags(one)]
            for one in self.labels
        ]
        return blake2b(orjson.dumps([self.task, decides]), digest_size=6).hexdigest()

    @cached_property
    def courtesies(self) -> frozenset[str]:
        """The names of labels that are courtesies."""
        return frozenset(label.name for label in self.labels if label.courtesy)

    def ancestors(self, name: str) -> Iterator[str]:
        """A label's parent, that one's parent, and so on."""
        while (parent := self._parents.get(name)) is not None:
            yield parent
            name = parent

    @cached_property
    def _parents(self) -> dict[str, str | None]:
        return {label.name: label.parent for label in self.labels}


@dataclass(frozen=True)
class Taxonomy:
    """Intents and topics.

    Attributes:
        file: where it was read.
        sections: by task.
        text: what was read, or YAML that is read as the same.
        examples_file: labelled texts whose examples are to be had besides.
    """

    file: Path
    sections: Mapping[TaxonomyTask, Section] = field(default_factory=dict)
    text: str = ""
    examples_file: Path | None = None

    @property
    def version(self) -> str:
        """Hash of all sections' versions."""
        versions = [self.sections[task].version for task in sorted(self.sections)]
        return blake2b("".join(versions).encode(), digest_size=6).hexdigest()


def load_taxonomy(file: Path = DEFAULT_FILE) -> Taxonomy:
    """Read a taxonomy, with the labelled texts that it names.

    Raises:
        TaxonomyInvalid: names every mistake with its line.
    """
    try:
        text = file.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise TaxonomyInvalid(f"{file} cannot be read: {error}") from error
    taxonomy = read_taxonomy(text, file)
    examples = taxonomy.examples_file
    return _with_labelled(taxonomy, examples) if examples else taxonomy


def read_taxonomy(text: str, file: Path) -> Taxonomy:
    """Read the text of a taxonomy, and no other file.

    Args:
        text: the text.
        file: where it is from, for what is said of its mistakes.

    Raises:
        TaxonomyInvalid: names every mistake with its line.
    """
    try:
        root = yaml.compose(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError as error:
        raise TaxonomyInvalid(f"{file} is not YAML: {' '.join(str(error).split())}") from error
    reader = _Reader()
    sections = {section.task: section for section in reader.sections(root)}
    if reader.mistakes:
        listed = "; ".join(f"line {line}: {what}" for line, what in sorted(reader.mistakes))
        raise TaxonomyInvalid(f"{file}: {listed}")
    examples = reader.examples_file
    return Taxonomy(file, sections, text, None if examples is None else file.parent / examples)


def _with_labelled(taxonomy: Taxonomy, file: Path) -> Taxonomy:
    """With the texts of a labelled file among the examples of their labels."""
    sections = dict(taxonomy.sections)
    for task, section in sections.items():
        more: dict[str, list[str]] = {name: [] for name in section.names}
        try:
            for number, row in labelled_rows(file, task):
                if (label := row.labels[task]) not in more:
                    raise LabelledDataInvalid(
                        f"{file}: row {number} has the {task} {label!r}, which the taxonomy has not"
                    )
                more[label].append(row.text)
        except LabelledDataInvalid as error:
            raise TaxonomyInvalid(f"{taxonomy.file}: {_EXAMPLES_FILE}: {error}") from error
        labels = [
            replace(one, examples=tuple(dict.fromkeys((*one.examples, *more[one.name]))))
            for one in section.labels
        ]
        sections[task] = replace(section, labels=tuple(labels))
    return replace(taxonomy, sections=sections, text=_as_yaml(sections))


def _as_yaml(sections: Mapping[TaxonomyTask, Section]) -> str:
    """What is read as these sections, by itself."""
    names = {task: name for name, task in _SECTIONS.items()}
    fields = (*_TEXT_FIELDS, *_FLAGS, *_LIST_FIELDS)
    listed = {
        names[task]: [
            {
                name: list(value) if name in _LIST_FIELDS else value
                for name in fields
                if (value := getattr(label, name))
            }
            for label in section.labels
        ]
        for task, section in sections.items()
    }
    text: str = yaml.dump(listed, Dumper=yaml.CSafeDumper, allow_unicode=True, sort_keys=False)
    return text


def is_name(name: str) -> bool:
    """Whether a label can be called that."""
    return (
        name not in _RESERVED
        and (name[:1].isalnum() or name[:1] == "_")
        and all(one.isalnum() or one in _IN_NAMES or _is_mark(one) for one in name)
    )


def _is_mark(character: str) -> bool:
    """Whether it is written with the letter before it, as many vowels of Thai and Hindi are."""
    return unicodedata.category(character)[0] == "M"


class _Reader:
    """Turns YAML nodes into sections, and collects what is wrong with them."""

    def __init__(self) -> None:
        self.mistakes: list[tuple[int, str]] = []
        self.examples_file: str | None = None

    def sections(self, root: Any) -> Iterator[Section]:
        if not isinstance(root, yaml.MappingNode):
            self._wrong(root, f"must be a mapping with {' and '.join(_SECTIONS)}")
            return
        for key, value in root.value:
            task = _SECTIONS.get(key.value)
            if key.value == _EXAMPLES_FILE:
                self.examples_file = self._text(key.value, value)
            elif task is None:
                allowed = ", ".join((*_SECTIONS, _EXAMPLES_FILE))
                self._wrong(key, f"{key.value!r} is none of {allowed}")
            elif not isinstance(value, yaml.SequenceNode):
                self._wrong(value, f"{key.value} must be a list")
            else:
                labels = [label for node in value.value for label in self._label(node)]
                self._check(labels, task)
                yield Section(task, tuple(labels))

    def _label(self, node: Any) -> Iterator[Label]:
        if not isinstance(node, yaml.MappingNode):
            self._wrong(node, "must be a mapping with a name")
            return
        fields: dict[str, Any] = {}
        for key, value in node.value:
            if key.value in fields:
                self._wrong(key, f"{key.value!r} is there twice")
            elif key.value in _TEXT_FIELDS:
                fields[key.value] = self._text(key.value, value)
            elif key.value in _LIST_FIELDS:
                fields[key.value] = tuple(self._texts(key.value, value))
            elif key.value in _FLAGS:
                fields[key.value] = self._flag(key.value, value)
            else:
                allowed = ", ".join((*_TEXT_FIELDS, *_LIST_FIELDS, *_FLAGS))
                self._wrong(key, f"{key.value!r} is none of {allowed}")
        name = fields.get("name")
        if not name:
            self._wrong(node, "has no name")
        elif not is_name(name):
            self._wrong(node, f"{name!r} cannot be a name: use letters, digits, spaces and .&/-_")
        else:
            yield Label(line=_line(node), **fields)

    def _text(self, field_: str, node: Any) -> str | None:
        if not isinstance(node, yaml.ScalarNode):
            self._wrong(node, f"{field_} must be a text")
            return None
        return node.value or None if field_ == "parent" else node.value

    def _flag(self, field_: str, node: Any) -> bool:
        if node.tag != _BOOLEAN:
            self._wrong(node, f"{field_} must be true or false")
            return False
        return node.value.lower() in _TRUE

    def _texts(self, field_: str, node: Any) -> Iterator[str]:
        if not isinstance(node, yaml.SequenceNode):
            self._wrong(node, f"{field_} must be a list of texts")
            return
        for item in node.value:
            if isinstance(item, yaml.SequenceNode):
                yield from self._texts(field_, item)
                continue
            if not isinstance(item, yaml.ScalarNode) or not item.value.strip():
                self._wrong(item, f"{field_} must be texts that are not empty")
                continue
            if field_ == "patterns":
                self._compile(item)
            yield item.value

    def _compile(self, node: Any) -> None:
        try:
            re.compile(node.value)
        except re.error as error:
            self._wrong(node, f"{node.value!r} is no regular expression ({error})")

    def _check(self, labels: list[Label], task: TaxonomyTask) -> None:
        """What only all labels together can get wrong."""
        if len(labels) > _MOST_LABELS:
            self._say(labels[_MOST_LABELS].line, f"more than {_MOST_LABELS:,} labels")
        counts = Counter(label.name for label in labels)
        parents = {label.name: label.parent for label in labels}
        used = set(parents.values())
        for label in labels:
            if label.courtesy and task != "intent":
                self._say(label.line, f"{label.name!r} is a {task}: only an intent is a courtesy")
            if counts[label.name] > 1:
                self._say(label.line, f"{label.name!r} is there {counts[label.name]} times")
            if label.parent is not None and label.parent not in parents:
                self._say(label.line, f"{label.name!r} has the parent {label.parent!r}, no label")
            if _is_above_itself(label.name, parents):
                self._say(label.line, f"{label.name!r} is above itself by its parents")
            empty = not (label.keywords or label.patterns or label.examples)
            if empty and label.name not in used:
                self._say(
                    label.line,
                    f"{label.name!r} has neither keywords, patterns nor examples, so nothing "
                    "would ever be one",
                )

    def _wrong(self, node: Any, what: str) -> None:
        self._say(_line(node), what)

    def _say(self, line: int, what: str) -> None:
        self.mistakes.append((line, what))


def _flags(label: Label) -> list[str]:
    """The flags that are set; of a label without any, nothing changes in what it is hashed by."""
    return ["courtesy"] if label.courtesy else []


def _line(node: Any) -> int:
    return node.start_mark.line + 1 if node is not None else 1


def _is_above_itself(name: str, parents: Mapping[str, str | None]) -> bool:
    seen, above = {name}, parents.get(name)
    while above is not None and above not in seen:
        seen.add(above)
        above = parents.get(above)
    return above == name
