"""A taxonomy's file: what is read from it, and what is said of its mistakes."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from conversation_analytics.categorization.taxonomy import Taxonomy, load_taxonomy, read_taxonomy
from conversation_analytics.errors import TaxonomyInvalid

GOOD = """
    intents:
      - name: cancel
        description: Wants to end something.
        keywords: [cancel, ยกเลิก]
        examples: [please cancel my order]
      - name: ask
        patterns: ['\\?$']
    topics:
      - name: orders
      - name: delivery
        parent: orders
        keywords: [parcel]
"""


def read(folder: Path, text: str) -> Taxonomy:
    file = folder / "taxonomy.yaml"
    file.write_text(dedent(text), "utf-8")
    return load_taxonomy(file)


def test_labels_are_read_with_all_that_tells_them(tmp_path: Path) -> None:
    taxonomy = read(tmp_path, GOOD)
    assert taxonomy.sections["intent"].names == ("cancel", "ask")
    cancel = taxonomy.sections["intent"].labels[0]
    assert cancel.keywords == ("cancel", "ยกเลิก")
    assert cancel.examples == ("please cancel my order",)
    assert list(taxonomy.sections["topic"].ancestors("delivery")) == ["orders"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "line 1: must be a mapping"),
        ("- a", "line 1: must be a mapping"),
        ("intents: [", "is not YAML"),
        ("labels: []", "line 1: 'labels' is none of intents, topics, examples_file"),
        ("examples_file: [a]", "line 1: examples_file must be a text"),
        ("intents: {a: b}", "line 1: intents must be a list"),
        ("intents:\n  - cancel", "line 2: must be a mapping with a name"),
        ("intents:\n  - keywords: [a]", "line 2: has no name"),
        ("intents:\n  - name: 'a|b'\n    keywords: [a]", "line 2: 'a|b' cannot be a name"),
        ("intents:\n  - name: unknown\n    keywords: [a]", "line 2: 'unknown' cannot be a name"),
        ("intents:\n  - name: a\n    words: [a]", "line 3: 'words' is none of name"),
        ("intents:\n  - name: a\n    keywords: a", "line 3: keywords must be a list"),
        ("intents:\n  - name: a\n    keywords: [a, '']", "line 3: keywords must be texts"),
        ("intents:\n  - name: a\n    name: b\n    keywords: [a]", "line 3: 'name' is there twice"),
        (
            "intents:\n  - name: a\n    keywords: [a]\n    courtesy: often",
            "line 4: courtesy must be",
        ),
        (
            "topics:\n  - {name: a, keywords: [a], courtesy: true}",
            "line 2: 'a' is a topic: only an intent is a courtesy",
        ),
        (
            "topics:\n  - name: a\n    patterns:\n      - fine\n      - '(open'",
            "line 5: '(open' is no regular expression",
        ),
        (
            "topics:\n  - {name: a, keywords: [a]}\n  - {name: a, keywords: [b]}",
            "line 2: 'a' is there 2 times; line 3: 'a' is there 2 times",
        ),
        (
            "topics:\n  - {name: a, keywords: [a], parent: b}",
            "line 2: 'a' has the parent 'b', no label",
        ),
        (
            "topics:\n  - {name: a, parent: b, keywords: [a]}\n  - {name: b, parent: a}",
            "line 2: 'a' is above itself by its parents; line 3: 'b' is above itself",
        ),
        ("topics:\n  - {name: a, parent: a, keywords: [a]}", "line 2: 'a' is above itself"),
        ("topics:\n  - name: a", "line 2: 'a' has neither keywords, patterns nor examples"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(TaxonomyInvalid) as error:
        read(tmp_path, text)
    assert told in str(error.value)
    assert str(tmp_path / "taxonomy.yaml") in str(error.value)


def test_a_file_that_is_not_there_or_not_text_is_told(tmp_path: Path) -> None:
    with pytest.raises(TaxonomyInvalid, match="cannot be read"):
        load_taxonomy(tmp_path / "none.yaml")
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00\xd8")
    with pytest.raises(TaxonomyInvalid, match="cannot be read"):
        load_taxonomy(tmp_path / "bytes.yaml")


@pytest.mark.parametrize("name", ["ที่พัก", "दिल्ली", "ដំណើរ", "Rückgabe", "a.b & c/d-e_1"])
def test_a_name_is_written_in_any_script(tmp_path: Path, name: str) -> None:
    taxonomy = read(tmp_path, f"topics:\n  - {{name: {name}, keywords: [a]}}")
    assert taxonomy.sections["topic"].names == (name,)


def test_what_runs_python_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(TaxonomyInvalid):
        read(tmp_path, "intents: !!python/object/apply:os.system ['true']")


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        ("parcel", "package", {"topic"}),
        ("please cancel my order", "cancel it", {"intent"}),
        ("Wants to end something.", "Wants out.", set()),
        ("- name: ask", "- name: ask\n        courtesy: true", {"intent"}),
        ("- name: ask", "- name: ask\n        courtesy: false", set()),
        ("- name: orders", "- name: orders\n        keywords: [order]", {"topic"}),
    ],
)
def test_a_version_changes_with_what_decides_and_only_for_its_task(
    tmp_path: Path, old: str, new: str, changes: set[str]
) -> None:
    before, after = read(tmp_path, GOOD), read(tmp_path, GOOD.replace(old, new))
    changed = {
        task
        for task, section in before.sections.items()
        if section.version != after.sections[task].version
    }
    assert changed == changes
    assert (before.version != after.version) == bool(changes)


def test_lists_may_be_cut_into_lists(tmp_path: Path) -> None:
    text = """
        intents:
          - name: cancel
            keywords: [stop, [ยกเลิก, 取消]]
            examples:
              - [please stop, "no, thanks"]
              - [ขอยกเลิก]
    """
    (label,) = read(tmp_path, text).sections["intent"].labels
    assert label.keywords == ("stop", "ยกเลิก", "取消")
    assert label.examples == ("please stop", "no, thanks", "ขอยกเลิก")


def test_the_default_tells_every_label_in_words_and_examples() -> None:
    taxonomy = load_taxonomy()
    assert set(taxonomy.sections) == {"intent", "topic"}
    for section in taxonomy.sections.values():
        examples = [text for label in section.labels for text in label.examples]
        assert len(set(examples)) == len(examples)
        for label in section.labels:
            assert label.description, label.name
            assert len(label.examples) >= 4, label.name


def test_what_only_keeps_a_conversation_going_is_a_courtesy_in_the_default() -> None:
    courtesies = load_taxonomy().sections["intent"].courtesies
    assert courtesies == {"greeting", "thanks", "goodbye", "agree", "disagree"}


def test_five_thousand_labels_are_read(tmp_path: Path) -> None:
    labels = "\n".join(f"  - {{name: t{n}, keywords: [word{n}]}}" for n in range(5000))
    taxonomy = read(tmp_path, f"topics:\n{labels}")
    assert len(taxonomy.sections["topic"].labels) == 5000


def test_examples_may_come_from_a_labelled_file(tmp_path: Path) -> None:
    (tmp_path / "texts.csv").write_text(
        "text,intent,topic\nplease cancel my order,cancel,\nno more,cancel,orders\n"
    )
    text = "\n    examples_file: texts.csv" + GOOD
    taxonomy = read(tmp_path, text.replace("- name: ask", "- name: ask\n        courtesy: true"))

    examples = {one.name: one.examples for one in taxonomy.sections["intent"].labels}
    assert examples == {"cancel": ("please cancel my order", "no more"), "ask": ()}
    assert taxonomy.sections["topic"].labels[0].examples == ("no more",)
    assert taxonomy.version != read(tmp_path, GOOD).version
    # What the lake keeps of it needs no other file.
    assert read_taxonomy(taxonomy.text, Path("kept.yaml")).version == taxonomy.version


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        (None, "No such file"),
        ("text,intent\nhello,greeting\n", "row 1 has the intent 'greeting', which the taxonomy"),
        ("intent\ncancel\n", "row 1 has no text in the column `text`"),
    ],
)
def test_what_is_wrong_with_a_labelled_file_is_told(
    tmp_path: Path, texts: str | None, told: str
) -> None:
    if texts is not None:
        (tmp_path / "texts.csv").write_text(texts)
    with pytest.raises(TaxonomyInvalid, match=r"examples_file.*texts\.csv") as raised:
        read(tmp_path, "\n    examples_file: texts.csv" + GOOD)
    assert told in str(raised.value)
