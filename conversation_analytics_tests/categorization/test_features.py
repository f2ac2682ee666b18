"""The pass over texts that all models share."""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversation_analytics.categorization.features import BUCKETS, Features, extract
from conversation_analytics.categorization.text import LONGEST, normalized

SAMPLES = [
    "Hello WORLD, don't stop!!! 5G",
    "",
    " \t\n ",
    "สวัสดีครับ I'm fine",
    "你好，世界",
    "👍🏽 ok 👨‍👩‍👧",
    "مرحبا بالعالم",
    "see https://example.com/a?b=c @someone",
    "\ud800 half a pair",
    "\x00nul",
]
# Thai, Lao, Tibetan and Myanmar, Khmer, kana, Han.
UNSPACED = re.compile(
    "[\u0e00-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uaa60-\uaa7f\uf900-\ufaff\U00020000-\U000323af]"
)
texts = st.one_of(
    st.sampled_from(SAMPLES),
    st.text(),
    st.text(alphabet="ab '’!1 \u200b😀ไก่中"),
)


def words(features: Features, doc: int = 0) -> list[str]:
    return written(features, doc, 0)


def written(features: Features, doc: int, kind: int) -> list[str]:
    """The features of a kind of a text, as they are written there."""
    found = features.kinds[kind]
    places = zip(found.starts.tolist(), found.ends.tolist(), strict=True)
    return [features.written(*place) for place in places if features.docs[place[0]] == doc]


def buckets_of(features: Features, doc: int) -> list[int]:
    docs, buckets = features.entries
    return buckets[docs == doc].tolist()


def tidied(text: str) -> list[str]:
    """What shows of a text, character by character, in single spaces: the plain way."""
    out = [" "]
    for character in f"{normalized(text).replace('’', chr(39))} ":
        category = unicodedata.category(character)
        if category in {"Cf", "Cs", "Cn", "Co"} or 0xFE00 <= ord(character) < 0xFE10:
            continue
        space = category[0] == "Z" or category == "Cc"
        out.append(" " if space else character)
    single = [one for n, one in enumerate(out) if not (one == " " == out[n - 1] and n)]
    return [
        one
        for n, one in enumerate(single)
        if n < 2 or one.isdigit() or not one == single[n - 1] == single[n - 2]
    ]


def kind_of(characters: list[str], place: int) -> str:
    one = characters[place]
    if one == "'" and 0 < place < len(characters) - 1:
        beside = (characters[place - 1], characters[place + 1])
        if all(unicodedata.category(c)[0] in "LM" and not UNSPACED.match(c) for c in beside):
            return "wordy"
    if one == " ":
        return "space"
    if UNSPACED.match(one) and unicodedata.category(one)[0] in "LM":
        return "alone"
    return "wordy" if unicodedata.category(one)[0] in "LMN" else "alone"


def plain_words(text: str) -> list[str]:
    characters = tidied(text)
    found: list[str] = []
    for place, one in enumerate(characters):
        kind = kind_of(characters, place)
        if kind == "wordy" and place and kind_of(characters, place - 1) == "wordy":
            found[-1] += one
        elif kind != "space":
            found.append(one)
    return found


def plain_grams(text: str, size: int) -> list[str]:
    joined = "".join(tidied(text))
    pieces = [joined[n : n + size] for n in range(len(joined) - size + 1)]
    return [one for one in pieces if " " not in one[1:-1] and one != "  "]


@given(texts)
def test_words_are_runs_of_letters_and_digits_and_everything_else_alone(text: str) -> None:
    assert words(extract([text])) == plain_words(text)


@given(texts)
def test_pairs_are_words_with_the_next(text: str) -> None:
    found = [pair.split() for pair in written(extract([text]), 0, 1)]
    own = plain_words(text)
    together = list(pairwise(own))
    assert ["".join(pair) for pair in found] == ["".join(pair) for pair in together]


@pytest.mark.parametrize("size", [2, 3, 4, 5])
@given(text=texts)
def test_pieces_have_spaces_only_at_their_ends(size: int, text: str) -> None:
    assert written(extract([text]), 0, size) == plain_grams(text, size)


@given(st.lists(texts, max_size=5))
def test_a_text_has_the_same_features_whatever_is_around_it(some: list[str]) -> None:
    together = extract(some)
    assert together.count == len(some)
    for doc, text in enumerate(some):
        assert buckets_of(together, doc) == buckets_of(extract([text]), 0)


@given(st.lists(texts, min_size=1, max_size=5), st.data())
def test_some_of_the_texts_are_as_if_they_were_alone(some: list[str], data: st.DataObject) -> None:
    first = data.draw(st.integers(0, len(some)))
    end = data.draw(st.integers(first, len(some)))
    part, alone = extract(some).between(first, end), extract(some[first:end])
    assert part.count == alone.count
    for doc in range(end - first):
        assert buckets_of(part, doc) == buckets_of(alone, doc)
        for kind in range(len(alone.kinds)):
            assert written(part, doc, kind) == written(alone, doc, kind)


@given(st.lists(texts, max_size=3))
def test_entries_are_in_order_and_each_once(some: list[str]) -> None:
    docs, buckets = extract(some).entries
    keys = docs.astype(np.int64) * BUCKETS + buckets
    assert (np.diff(keys) > 0).all()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("hel\u200blo", "hello"),
        ("ＨＥＬＬＯ", "hello"),
        ("straﬀ", "straff"),
        ("❤\ufe0f", "❤"),
        ("\u202ehello\u202c", "hello"),
        ("soooooo", "soo"),
        ("see www.example.com", "see https://example.org/?q=1"),
        ("@anna hi", "@bob hi"),
        ("look:\n```python\nprint('bad')\n```", "look:"),
        ("don’t", "don't"),
        ("a\u00a0 b", "a b"),
    ],
)
def test_what_reads_the_same_is_the_same(one: str, other: str) -> None:
    assert buckets_of(extract([one]), 0) == buckets_of(extract([other]), 0)


@pytest.mark.parametrize(
    ("one", "other"),
    [("111", "11"), ("ab ba", "ba ab"), ("a b", "ab"), ("no good", "good no"), ("é", "e")],
)
def test_what_reads_otherwise_is_not(one: str, other: str) -> None:
    assert buckets_of(extract([one]), 0) != buckets_of(extract([other]), 0)


def test_no_two_of_many_words_have_the_same_hash() -> None:
    some = [f"{a}{b}{c}" for a in "abcdefgh" for b in "aeiouyö" for c in range(400)]
    features = extract(some)
    assert len(features.words.hashes) == len(some)
    assert len(np.unique(features.words.hashes)) == len(some)


def test_of_a_long_text_beginning_and_end_count() -> None:
    features = extract([f"first {'middle ' * 200_000} last"])
    assert len(features.codes) < LONGEST + 10
    assert words(features)[0] == "first"
    assert words(features)[-1] == "last"


@given(st.lists(texts, max_size=5))
def test_texts_without_words_are_empty(some: list[str]) -> None:
    features = extract(some)
    assert features.empty.tolist() == [not words(features, doc) for doc in range(len(some))]


@given(some=st.lists(texts, max_size=5), random=st.randoms(use_true_random=False))
def test_groups_of_texts_have_what_they_would_have_alone(some: list[str], random: Random) -> None:
    groups = np.array([random.randrange(3) for _ in some], dtype=np.int64)

    for number, part in enumerate(extract(some).entries.parted(groups, 3)):
        alone = extract([text for text, n in zip(some, groups, strict=True) if n == number])
        assert part.docs.tolist() == alone.entries.docs.tolist()
        assert part.buckets.tolist() == alone.entries.buckets.tolist()


@given(some=st.lists(texts, max_size=5), random=st.randoms(use_true_random=False))
def test_chosen_texts_have_the_features_they_would_have_alone(
    some: list[str], random: Random
) -> None:
    chosen = np.array([random.random() < 0.5 for _ in some], dtype=bool)

    part = extract(some).only(chosen)

    alone = extract([text for text, own in zip(some, chosen, strict=True) if own])
    assert part.count == alone.count
    for found, expected in zip(part.entries, alone.entries, strict=True):
        assert found.tolist() == expected.tolist()
    for kind, expected_kind in zip(part.kinds, alone.kinds, strict=True):
        assert kind.hashes.tolist() == expected_kind.hashes.tolist()
        owners = alone.docs[expected_kind.starts]
        assert part.docs[kind.starts].tolist() == owners.tolist()


def test_entries_of_many_texts_are_those_of_each() -> None:
    some = [f"word{number % 7} and more" for number in range(5_000)]
    docs, buckets = extract(some).entries
    ends = np.searchsorted(docs, np.arange(len(some) + 1))
    each = [extract([text]).entries.buckets.tolist() for text in some[:7]]
    for number in range(len(some)):
        assert buckets[ends[number] : ends[number + 1]].tolist() == each[number % 7]


@given(st.lists(texts, max_size=5))
def test_texts_that_are_joined_have_what_each_has_once(some: list[str]) -> None:
    joined = extract(some).joined(np.zeros(len(some), dtype=np.int64), 1)

    there = {bucket for text in some for bucket in extract([text]).entries.buckets.tolist()}
    assert joined.count == 1
    assert joined.entries.buckets.tolist() == sorted(there)
    assert set(joined.entries.docs.tolist()) <= {0}
