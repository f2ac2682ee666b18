"""Topics are found, named and counted, and nobody is recognised by them."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from conversation_analytics.categorization.discovery import clusters, texts
from conversation_analytics.categorization.discovery.discover import Discovery, discover
from conversation_analytics.categorization.discovery.texts import Conversations
from conversation_analytics_tests.categorization.discovery.corpus import (
    SAID,
    START,
    THAI,
    conversations,
    rows,
)


def things(found: Discovery) -> list[set[str]]:
    """What the conversations of each topic are really about."""
    about: dict[int, set[str]] = {topic.id: set() for topic in found.topics}
    for row in found.members.to_pylist():
        about[row["topic_id"]].add(row["conversation_id"].rpartition("-")[0])
    return list(about.values())


def test_each_thing_that_is_talked_about_is_a_topic_named_by_it() -> None:
    found = discover(conversations(rows()), min_users=5)
    assert sorted(things(found), key=min) == [{thing} for thing in sorted(SAID)]
    for topic, about in zip(found.topics, things(found), strict=True):
        assert about.pop() in topic.name
    assert [one.origin for one in found.lineage.began] == ["born"] * 4


def test_all_that_is_said_of_a_topic_is_counted_from_its_conversations() -> None:
    some = rows(users=7)
    found = discover(conversations(some), min_users=5)
    of = {row["conversation_id"]: row for row in some}
    members = found.members.to_pylist()
    for topic in found.topics:
        own = [of[one["conversation_id"]] for one in members if one["topic_id"] == topic.id]
        assert topic.size == len(own)
        assert topic.share == len(own) / len(some)
        assert topic.users == len({one["user_id"] for one in own}) == 7
        assert topic.first_seen == min(one["started_at"] for one in own)
        assert topic.last_seen == max(one["started_at"] for one in own)
        assert topic.language == "en"
        chosen = [of[one.conversation_id] for one in topic.representatives]
        assert len({one["user_id"] for one in chosen}) == 3
        assert [one["text"] for one in chosen] == [one.text for one in topic.representatives]
    assert found.unclustered + sum(topic.size for topic in found.topics) == len(some)


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_the_conversations_changes_nothing(seed: int) -> None:
    some = rows() + rows(THAI, language="th")
    mixed = random.Random(seed).sample(some, len(some))
    assert discover(conversations(mixed), min_users=5) == discover(conversations(some), min_users=5)


def test_what_few_users_talk_about_is_counted_but_not_shown() -> None:
    few = {"battery": SAID["battery"]}
    many = {thing: said for thing, said in SAID.items() if thing != "battery"}
    found = discover(conversations(rows(few, users=4) + rows(many)), min_users=5)
    assert (found.hidden, found.hidden_conversations) == (1, 40)
    assert len(found.lineage.ids) == 4
    assert "battery" not in repr(found.topics)
    assert "battery" not in repr(found.members.to_pylist())


def test_a_word_of_few_users_is_never_among_the_terms() -> None:
    some = rows()
    for row in some:
        thing, _, number = row["conversation_id"].rpartition("-")
        if thing == "parcel" and int(number) < 20:
            row["text"] += " widgetron"
            row["user_id"] = f"user-{int(number) % 4}"
    for least, shown in ((4, True), (5, False)):
        topics = discover(conversations(some), min_users=least).topics
        terms = [term for topic in topics for term in topic.terms]
        assert len(topics) == 4
        assert any("widgetron" in term.text for term in terms) == shown
        assert min(term.users for term in terms) >= least


def test_conversations_without_a_user_count_as_of_one() -> None:
    some = [{**row, "user_id": None} for row in rows()]
    found = discover(conversations(some), min_users=2)
    assert (len(found.topics), found.hidden) == (0, 4)
    assert {topic.users for topic in discover(conversations(some), min_users=1).topics} == {1}


def test_languages_are_clustered_apart_and_glyphs_named_by_whole_pieces() -> None:
    found = discover(conversations(rows() + rows(THAI, language="th")), min_users=5)
    assert {topic.language for topic in found.topics} == {"en", "th"}
    assert sorted(things(found), key=min) == [{thing} for thing in sorted([*SAID, *THAI])]
    for topic, about in zip(found.topics, things(found), strict=True):
        if topic.language == "th":
            assert about.pop() in topic.terms[0].text


def test_no_term_is_part_of_another() -> None:
    for topic in discover(conversations(rows() + rows(THAI, language="th")), min_users=2).topics:
        for term in topic.terms:
            others = [one.text for one in topic.terms if one != term]
            assert not any(f" {term.text} " in f" {other} " for other in others)
            assert topic.language == "en" or not any(term.text in other for other in others)


def test_a_later_run_knows_the_topics_again() -> None:
    first = discover(conversations(rows()), min_users=5)
    later = discover(conversations(rows(first=10)), first.state, min_users=5)
    much_later = discover(conversations(rows(first=100)), later.state, min_users=5)
    names = [{one.id: one.name for one in run.topics} for run in (first, later, much_later)]
    assert {one.fate for one in later.lineage.ended} == {"continued"}
    assert {one.fate for one in much_later.lineage.ended} == {"continued"}
    for id_, name in names[0].items():
        assert set(name.split(" / ")) & set(names[2][id_].split(" / "))


def test_what_is_beyond_the_sample_goes_where_the_nearest_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(clusters, "SAMPLE", 100)
    found = discover(conversations(rows(each=100)), min_users=5)
    assert sorted(things(found), key=min) == [{thing} for thing in sorted(SAID)]
    assert found.unclustered < 20


def test_chunks_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = discover(conversations(rows()), min_users=5)
    monkeypatch.setattr(texts, "_CHUNK", 500)
    parts = discover(conversations(rows()), min_users=5)
    assert [(one.name, one.terms) for one in parts.topics] == [
        (one.name, one.terms) for one in whole.topics
    ]
    assert parts.members == whole.members


def test_of_a_long_text_the_beginning_tells() -> None:
    plain = discover(conversations(rows()), min_users=5)
    some = [{**row, "text": row["text"] + " " * 1000 + "tail " * n} for n, row in enumerate(rows())]
    long = discover(conversations(some), min_users=5)
    assert [(topic.name, topic.size) for topic in long.topics] == [
        (topic.name, topic.size) for topic in plain.topics
    ]


def test_vectors_of_an_encoder_take_the_place_of_words() -> None:
    some = [{**row, "text": "the same"} for row in rows()]
    places = [list(SAID).index(row["conversation_id"].rpartition("-")[0]) for row in some]
    noise = np.random.default_rng(0).normal(size=(len(some), 8)) / 10
    vectors = (np.eye(8)[places] + noise).astype(np.float32)
    order = random.Random(0).sample(range(len(some)), len(some))
    table = conversations(some).table
    ids = [row["conversation_id"] for row in some]
    mixed = table.take([table["conversation_id"].to_pylist().index(ids[n]) for n in order])
    found = discover(Conversations.of(mixed, vectors[order]), min_users=5)
    assert sorted(things(found), key=min) == [{thing} for thing in sorted(SAID)]
    assert len({topic.name for topic in found.topics}) == 4


@pytest.mark.parametrize(
    "said",
    [
        [],
        ["hello"],
        ["hello there"] * 15,
        ["hello there"] * 200,
        [""] * 200,
        [None] * 200,
        ["👍"] * 200,
        ["👍🏽", "❤️", "😀", "🙏"] * 50,
        [" \t\n"] * 200,
        ["\ud83d broken"] * 50,
        ["12345", "67890"] * 100,
    ],
)
def test_what_cannot_be_told_apart_gives_no_topics(said: list[str | None]) -> None:
    table = pa.table(
        {
            "conversation_id": [str(n) for n in range(len(said))],
            "user_id": [str(n) for n in range(len(said))],
            "started_at": pa.array([START] * len(said), pa.timestamp("us", "UTC")),
            "text": pa.array([one and one.encode("utf-8", "replace") for one in said], pa.binary())
            .cast(pa.string()),
            "language": pa.array(["en"] * len(said), pa.string()),
        }
    )  # fmt: skip
    found = discover(Conversations.of(table), min_users=1)
    assert (found.topics, found.hidden, found.unclustered) == ((), 0, len(said))
    assert found.members.num_rows == 0


def test_what_many_write_in_the_same_letters_is_a_topic() -> None:
    some = rows()
    for row in some:
        row["text"] = "reset it" if row["conversation_id"].startswith("pass") else "call me back"
    found = discover(conversations(some), min_users=5)
    assert {(topic.name, topic.size) for topic in found.topics} == {
        ("reset it", 40),
        ("call me / me back", 120),
    }


def test_nothing_after_something_tells_that_all_died() -> None:
    before = discover(conversations(rows()), min_users=5)
    now = discover(conversations([]), before.state, min_users=5)
    assert {one.fate for one in now.lineage.ended} == {"died"}
    assert now.state.next_id == 5


def test_columns_may_be_encoded_as_parquet_and_other_readers_give_them() -> None:
    table = conversations(rows()).table
    plain = discover(Conversations.of(table), min_users=5)
    dictionary = pa.dictionary(pa.int32(), pa.string())
    schema = table.schema
    for name, type_ in (
        ("conversation_id", pa.large_string()),
        ("user_id", dictionary),
        ("started_at", pa.timestamp("ms", "UTC")),
        ("text", pa.large_string()),
        ("language", dictionary),
    ):
        schema = schema.set(schema.get_field_index(name), pa.field(name, type_))
    half = len(table) // 2
    parts = [table[:half].cast(schema), table[half:].cast(schema)]
    found = discover(Conversations.of(pa.concat_tables(parts)), min_users=5)
    assert [topic.name for topic in found.topics] == [topic.name for topic in plain.topics]
    assert found.members == plain.members


def without(column: str) -> pa.Table:
    return conversations(rows()).table.drop_columns([column])


def test_columns_and_ids_that_are_missing_are_told() -> None:
    with pytest.raises(ValueError, match="lack the columns user_id"):
        Conversations.of(without("user_id"))
    some: list[dict[str, Any]] = rows()
    with pytest.raises(ValueError, match="'parcel-0' is there more than once"):
        conversations([*some, some[0]])
    with pytest.raises(ValueError, match="1 conversations have no conversation_id"):
        conversations([{**some[0], "conversation_id": None}])


@pytest.mark.parametrize(
    ("vectors", "told"),
    [
        (np.zeros((3, 2), np.float32), r"the shape \(3, 2\) do not fit 160"),
        (np.zeros(160, np.float32), "do not fit 160"),
        (np.full((160, 2), np.nan, np.float32), "must be finite"),
    ],
)
def test_vectors_that_do_not_fit_are_told(vectors: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Conversations.of(conversations(rows()).table, vectors)


def test_at_least_one_user_must_be_asked_for() -> None:
    with pytest.raises(ValueError, match="min_users is 0"):
        discover(conversations([]), min_users=0)
