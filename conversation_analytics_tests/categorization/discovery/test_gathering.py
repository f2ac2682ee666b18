"""Topics are sought among what no topic fits, and followed from one discovery to the next."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from conversation_analytics.categorization.discovery.discover import Discovery
from conversation_analytics.categorization.discovery.gathering import rediscover, without_topic
from conversation_analytics.categorization.discovery.texts import LONGEST, Conversations
from conversation_analytics.errors import CategorizationError
from conversation_analytics.storage.days import commit_days
from conversation_analytics_tests.builders import Pipeline, conversation, message
from conversation_analytics_tests.categorization.discovery.corpus import exported, rows

FIRST, SECOND = DAYS = date(2024, 1, 2), date(2024, 1, 3)
AT = f"{FIRST}T10:00:00+00:00"
STATE = "_topics/state.json"
KEYWORDS = "topics: [{name: orders, keywords: [parcel]}]"
FEW_EXAMPLES = """
topics:
  - {name: orders, examples: [where is my parcel, it has not come]}
  - {name: weather, examples: [will it rain tomorrow, how warm is it]}
"""


def filled(folder: Path, taxonomy: str = KEYWORDS, labels: str = "") -> Pipeline:
    """A lake that is labelled by a taxonomy and by people, without any day yet."""
    (folder / "taxonomy.yaml").write_text(taxonomy)
    (folder / "labels.jsonl").write_text(labels)
    return Pipeline(
        folder,
        categories=True,
        taxonomy_file=folder / "taxonomy.yaml",
        human_labels_file=folder / "labels.jsonl",
    )


@pytest.fixture(scope="module")
def lake_of_talk(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """Four things that are talked about, one of them a topic; some without a user's name."""
    some = rows(each=16)
    for row in some:
        if row["conversation_id"].startswith("invoice"):
            row["user_id"] = None
    pipeline = filled(tmp_path_factory.mktemp("talk"))
    pipeline.export(*exported(some, *DAYS))
    assert pipeline.run(*DAYS).errors == []
    return pipeline


@pytest.fixture
def talk(lake_of_talk: Pipeline) -> Iterator[Pipeline]:
    yield lake_of_talk
    lake_of_talk.lake.store.delete([STATE])


def ids(found: Conversations) -> set[str]:
    return set(found.table["conversation_id"].to_pylist())


def things(found: Discovery) -> dict[str, int]:
    """The ids of the topics shown, by what they are really about."""
    return {
        row["conversation_id"].rpartition("-")[0]: row["topic_id"]
        for row in found.members.to_pylist()
    }


def test_only_what_users_say_and_no_topic_fits_is_gathered(tmp_path: Path) -> None:
    said = {
        "other": [("user", "the battery drains")],
        "parcel": [("user", "my parcel is late")],
        "told": [("user", "nothing came to my doorstep")],
        "wordless": [("user", "\u200b \n")],
        "unasked": [("assistant", "can I help you?")],
        "silent": [],
    }
    by_people = {"conversation_id": "told", "task": "topic", "label": "orders"}
    pipeline = filled(tmp_path, labels=json.dumps(by_people))
    pipeline.export(
        [conversation(id_, AT) for id_ in said],
        [
            message(f"{id_}:{n}", id_, AT, role, content=text)
            for id_, some in said.items()
            for n, (role, text) in enumerate(some)
        ],
    )
    assert pipeline.run(FIRST).errors == []

    assert ids(without_topic(pipeline.lake, DAYS)) == {"other"}


def test_what_is_said_in_a_language_without_a_model_is_gathered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    pipeline = filled(tmp_path, FEW_EXAMPLES)
    pipeline.export([conversation()], [message(content="แบตเตอรี่หมดเร็วมาก")])
    pipeline.run(FIRST)
    (reason,) = [
        row["reason"]
        for row in pipeline.table("categories", "categories", FIRST).to_pylist()
        if row["task"] == "topic"
    ]
    assert reason == "unmeasured_language"

    (row,) = without_topic(pipeline.lake, DAYS).table.to_pylist()

    assert (row["conversation_id"], row["language"]) == ("c1", "th")


def test_a_text_is_what_the_user_says_first(tmp_path: Path) -> None:
    said = [("user", "it drains"), ("assistant", "what does?"), ("user", "the battery " * 100)]
    pipeline = filled(tmp_path)
    pipeline.export(
        [conversation(at=AT, user_id=None)],
        [
            message(f"m{n}", "c1", f"{FIRST}T10:0{n}:00+00:00", role, content=text)
            for n, (role, text) in reversed(list(enumerate(said)))
        ],
    )
    pipeline.run(FIRST)

    (row,) = without_topic(pipeline.lake, DAYS).table.to_pylist()

    assert row["text"] == f"it drains\n{'the battery ' * 100}"[:LONGEST]
    assert (row["user_id"], row["started_at"].isoformat()) == (None, AT)


def test_a_conversation_on_its_way_to_another_day_counts_once(tmp_path: Path) -> None:
    pipeline = filled(tmp_path)
    pipeline.export([conversation(at=AT)], [message(at=AT, content="the battery drains")])
    pipeline.run(FIRST)
    later = f"{SECOND}T10:00:00+00:00"
    pipeline.export([conversation(at=later)], [message(at=later, content="the battery drains")])
    request = pipeline.request()
    list(commit_days(pipeline.lake, pipeline.raw_days([SECOND], request)))
    for unit in ("messages", "conversations", "categories"):  # of the new day, which comes first
        next(iter(commit_days(pipeline.lake, pipeline.derived_days(unit, [SECOND], request))))
    assert ids(without_topic(pipeline.lake, [FIRST])) == {"c1"}

    (row,) = without_topic(pipeline.lake, DAYS).table.to_pylist()

    assert row["started_at"].isoformat() == later


def test_days_that_are_not_there_have_no_conversations(talk: Pipeline) -> None:
    assert len(without_topic(talk.lake, [date(2024, 1, 1), date(2030, 1, 1)])) == 0
    assert ids(without_topic(talk.lake, [FIRST])) < ids(without_topic(talk.lake, DAYS))


def test_a_topic_of_users_without_an_id_has_one_user(talk: Pipeline) -> None:
    found = rediscover(talk.lake, min_users=5)
    assert things(found).keys() == {"battery", "password"}
    assert (found.hidden, found.hidden_conversations) == (1, 16)

    everything = rediscover(talk.lake, min_users=1)
    assert things(everything).keys() == {"battery", "invoice", "password"}
    assert {topic.users for topic in everything.topics} == {1, 16}


def test_topics_keep_their_ids_from_one_discovery_to_the_next(talk: Pipeline) -> None:
    first = rediscover(talk.lake, min_users=1)

    again = rediscover(talk.lake, min_users=1)

    assert things(again) == things(first)
    assert [one.origin for one in first.lineage.began] == ["born"] * 3
    assert [one.origin for one in again.lineage.began] == ["continued"] * 3


def test_a_look_at_some_days_follows_topics_and_leaves_no_trace(talk: Pipeline) -> None:
    whole = rediscover(talk.lake, min_users=1)
    before = talk.lake.store.get(STATE)

    part = rediscover(talk.lake, [FIRST], min_users=1)

    assert part.conversations == whole.conversations / 2
    assert things(part).items() <= things(whole).items()
    assert talk.lake.store.get(STATE) == before


def test_where_every_conversation_has_a_topic_there_is_nothing_to_discover(
    talk: Pipeline, tmp_path: Path
) -> None:
    rediscover(talk.lake, min_users=1)
    fitting = filled(tmp_path)
    fitting.export([conversation(at=AT)], [message(at=AT, content="my parcel")])
    fitting.run(FIRST)
    fitting.lake.store.put(STATE, talk.lake.store.get(STATE) or b"")

    found = rediscover(fitting.lake, min_users=1)

    assert (found.conversations, found.topics, found.unclustered) == (0, (), 0)
    assert [(one.topic, one.fate) for one in found.lineage.ended] == [
        (id_, "died") for id_ in (1, 2, 3)
    ]
    assert found.state.next_id == 4, "an id is never given to another topic"


def test_a_lake_without_a_day_has_no_topics(tmp_path: Path) -> None:
    found = rediscover(filled(tmp_path).lake, min_users=1)
    assert (found.conversations, found.topics, found.lineage.ended) == (0, (), ())


@pytest.mark.parametrize("left", [b"", b"{", b"\xff", b"[]", b'{"version": 0}', b'{"version": 1}'])
def test_what_cannot_be_followed_is_named_and_stays(talk: Pipeline, left: bytes) -> None:
    talk.lake.store.put(STATE, left)
    with pytest.raises(CategorizationError, match=r"lake/_topics/state\.json.* remove it"):
        rediscover(talk.lake, min_users=1)
    assert talk.lake.store.get(STATE) == left
