"""Found topics as a piece of a taxonomy's file, for a person to review and put there."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from conversation_analytics.categorization.discovery.discover import Topic
from conversation_analytics.categorization.discovery.naming import unique_name
from conversation_analytics.categorization.features import extract
from conversation_analytics.categorization.rules import Rules
from conversation_analytics.categorization.taxonomy import (
    Label,
    Section,
    Taxonomy,
    read_taxonomy,
)
from conversation_analytics.errors import TaxonomyInvalid

_TELLS: Final = 0.5  # of the texts with a term, how many must be the topic's for it to be a keyword
_SECTION: Final = "topics"


class _Dumper(yaml.SafeDumper):
    """Writes lists as people do: indented below what they belong to."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        super().increase_indent(flow, False)


def propose(topics: Sequence[Topic], taxonomy: Taxonomy) -> str:
    """The patch: a taxonomy's file that has the found topics alone.

    A keyword is a term that mostly its topic has, and no topic of the taxonomy in its keywords or
    examples.

    Args:
        topics: what `discover` shows.
        taxonomy: the one that the topics fit none of.
    """
    section = taxonomy.sections.get("topic") or Section("topic")
    terms = {term.text for topic in topics for term in topic.terms if term.precision >= _TELLS}
    telling = terms - _said(sorted(terms), section)
    taken = set(section.names)
    labels = []
    for topic in topics:
        name = unique_name(topic.name, topic.id, taken)
        taken.add(name)
        labels.append(_label(name, topic, telling))
    return _dumped({_SECTION: labels})


def apply_patch(text: str, patch: str, file: Path) -> str:
    """The text of a taxonomy's file with a patch's topics behind its own, comments and all.

    Args:
        text: of the taxonomy's file.
        patch: what `propose` gave, and a person may have changed; its own comments go.
        file: the taxonomy's, for what is said of its mistakes.

    Raises:
        TaxonomyInvalid: either is none, or both together are none; says where. Or the file has
            a topic of the patch already.
    """
    section = read_taxonomy(text, file).sections.get("topic") or Section("topic")
    labels = _labels(patch)
    if not labels:
        return text
    proposed = [label.get("name") for label in labels if isinstance(label, dict)]
    if there := [name for name in section.names if name in proposed]:
        raise TaxonomyInvalid(
            f"{file} has {', '.join(there)} already: take these topics out of the patch, or give "
            "them other names"
        )
    merged = _merged(text, labels, file)
    read_taxonomy(merged, Path(f"{file} with the patch"))
    return merged


def _said(terms: Sequence[str], section: Section) -> set[str]:
    """The terms that topics of a taxonomy have in their keywords or examples."""
    texts = [text for label in section.labels for text in (*label.keywords, *label.examples)]
    rules = Rules(Section("topic", tuple(Label(term, keywords=(term,)) for term in terms)))
    counts = rules.matched(texts, extract(texts)).sum(axis=0).tolist()
    return {term for term, count in zip(terms, counts, strict=True) if count}


def _label(name: str, topic: Topic, telling: Collection[str]) -> dict[str, Any]:
    days = sorted({f"{day:%Y-%m-%d}" for day in (topic.first_seen, topic.last_seen) if day})
    terms = [term.text for term in topic.terms]
    found = [f"{topic.size} conversations of {topic.users} users", " to ".join(days)]
    label = {
        "name": name,
        "description": ": ".join(
            [", ".join(filter(None, found)), *filter(None, [", ".join(terms)])]
        ),
        "keywords": [text for text in terms if text in telling],
        "examples": [one.text for one in topic.representatives],
    }
    return {field: value for field, value in label.items() if value}


def _labels(patch: str) -> list[dict[str, Any]]:
    """The topics of a patch; whether they can be ones is told when they are in the taxonomy."""
    try:
        root = yaml.load(patch, Loader=yaml.CBaseLoader)  # noqa: S506 - makes nothing but texts
    except yaml.YAMLError as error:
        raise TaxonomyInvalid(f"the patch is not YAML: {' '.join(str(error).split())}") from error
    labels = root.get(_SECTION) if isinstance(root, dict) and set(root) == {_SECTION} else None
    if not isinstance(labels, list):
        raise TaxonomyInvalid(f"the patch must be a mapping with a list of {_SECTION} alone")
    return labels


def _merged(text: str, labels: list[dict[str, Any]], file: Path) -> str:
    root: Any = yaml.compose(text, Loader=yaml.CSafeLoader)
    section = next((value for key, value in root.value if key.value == _SECTION), None)
    if section is None:
        if root.flow_style:
            raise TaxonomyInvalid(f"{file} has no {_SECTION}: write `{_SECTION}: []` where they go")
        ended = text if text.endswith("\n") else f"{text}\n"
        return f"{ended}{_dumped({_SECTION: labels})}"
    if section.flow_style:
        return _into_flow(text, section, labels)
    return _behind(text, section, labels)


def _into_flow(text: str, section: yaml.SequenceNode, labels: list[dict[str, Any]]) -> str:
    """With more in a list in brackets."""
    items = ", ".join(_dumped(label, flow=True).strip() for label in labels)
    if section.value:
        place = section.value[-1].end_mark.index
        return f"{text[:place]}, {items}{text[place:]}"
    place = section.start_mark.index + 1
    return f"{text[:place]}{items}{text[place:]}"


def _behind(text: str, section: yaml.SequenceNode, labels: list[dict[str, Any]]) -> str:
    """With more in a list of lines, behind its last and the comments that belong to that."""
    column = section.start_mark.column
    lines = text.splitlines(keepends=True)
    end = _last_line(section) + 1
    while end < len(lines) and _is_comment_within(lines[end], column):
        end += 1
    if lines[end - 1][-1:] != "\n":
        lines[end - 1] += "\n"
    added = _dumped(labels).splitlines(keepends=True)
    return "".join([*lines[:end], *(f"{' ' * column}{line}" for line in added), *lines[end:]])


def _last_line(node: yaml.Node) -> int:
    """Number of the last line that a node's own text is on, not counting what follows a list."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _last_line(last[1] if isinstance(last, tuple) else last)
    end = node.end_mark
    return int(end.line - 1 if end.column == 0 and end.line > node.start_mark.line else end.line)


def _is_comment_within(line: str, column: int) -> bool:
    bare = line.lstrip(" ")
    return bare.startswith("#") and len(line) - len(bare) > column


def _dumped(value: Any, *, flow: bool = False) -> str:
    text: str = yaml.dump(
        value,
        Dumper=_Dumper,
        allow_unicode=True,
        default_flow_style=flow,
        sort_keys=False,
        width=float("inf"),
    )
    return text
