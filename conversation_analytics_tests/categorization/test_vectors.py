"""Word vectors: distilled from an encoder, kept in a file, read back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from conversation_analytics.categorization.artefact import save
from conversation_analytics.categorization.features import extract
from conversation_analytics.categorization.training.vectors import choose, distil, solve
from conversation_analytics.categorization.vectors import Vectors, WordVectors, word_vectors

WORDS = [f"{a}{b}{c}" for a in "bdgkmn" for b in "aeiou" for c in "lrst"]
MEANINGS = dict(zip(WORDS, np.random.default_rng(0).normal(size=(len(WORDS), 6)), strict=True))


def meaning(text: str) -> Vectors:
    """What a made-up encoder says of a text: the sum of what its words mean."""
    words = text.split()
    vector: Vectors = np.sum([MEANINGS[word] for word in words], axis=0) / len(words) ** 0.5
    return vector


def encode(texts: Sequence[str]) -> Vectors:
    return np.array([meaning(text) for text in texts], dtype=np.float32)


def some_texts(count: int, seed: int) -> list[str]:
    draw = np.random.default_rng(seed)
    return [" ".join(draw.choice(WORDS[:100], size=draw.integers(1, 8))) for _ in range(count)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("words")
    save(folder, "words", {}, distil(some_texts(1500, seed=1), WORDS, encode))
    return folder


def likeness(one: Vectors, other: Vectors) -> Vectors:
    """Texts × texts: the cosines of their vectors."""
    one, other = (some / np.linalg.norm(some, axis=1, keepdims=True) for some in (one, other))
    return one @ other.T


def test_texts_are_as_like_as_the_encoder_finds_them(folder: Path) -> None:
    unseen = some_texts(200, seed=2)
    ours = word_vectors(folder).of(extract(unseen))
    centred = encode(unseen) - encode(some_texts(1500, seed=1)).mean(axis=0)
    found, wanted = (likeness(some, some).ravel() for some in (ours, centred))
    assert np.corrcoef(found, wanted)[0, 1] > 0.95


def test_a_word_that_no_text_had_has_the_vector_the_encoder_gives_it(folder: Path) -> None:
    vectors = word_vectors(folder)
    assert len(vectors.hashes) == len(WORDS)
    assert vectors.of(extract(WORDS[100:])).any(axis=1).all()


def test_vectors_read_back_are_those_that_were_kept(folder: Path) -> None:
    arrays = distil(some_texts(1500, seed=1), WORDS, encode)
    vectors = word_vectors(folder)
    assert vectors.version in {file.stem.partition("-")[2] for file in folder.iterdir()}
    for name, array in arrays.items():
        assert (getattr(vectors, name) == array).all()
        assert array.dtype in {np.dtype(np.uint64), np.dtype(np.int8), np.dtype(np.float32)}


@given(st.lists(st.lists(st.sampled_from([*WORDS[:5], "unheard", "of"]), max_size=6), max_size=6))
def test_a_vector_is_as_long_as_the_share_of_the_words_that_are_known(
    texts: list[list[str]],
) -> None:
    hashes = extract([" ".join(WORDS[:5])]).words.hashes
    values = np.arange(1, 11, dtype=np.int8).reshape(5, 2)
    vectors = WordVectors(hashes, values, np.ones(2, dtype=np.float32))
    lengths = np.linalg.norm(vectors.of(extract([" ".join(words) for words in texts])), axis=1)
    shares = [np.mean([word in WORDS[:5] for word in words]) if words else 0 for words in texts]
    assert lengths == pytest.approx(shares)


@given(st.integers(0, 10_000))
def test_the_solution_is_that_of_the_least_squares_problem(seed: int) -> None:
    draw = np.random.default_rng(seed)
    sums = draw.random((30, 8)) * (draw.random((30, 8)) < 0.5)
    wanted, own = draw.normal(size=(30, 3)), draw.normal(size=(8, 3))
    found = solve(
        csr_matrix(sums.astype(np.float32)), wanted.astype(np.float32), own.astype(np.float32)
    )
    held = np.sqrt(5.0)
    peer, *_ = np.linalg.lstsq(
        np.vstack([sums, held * np.eye(8)]), np.vstack([wanted, held * own]), rcond=None
    )
    assert found == pytest.approx(peer, abs=1e-4)


def test_english_texts_of_every_file_are_chosen_once_and_none_of_an_agent(tmp_path: Path) -> None:
    said = [
        {"text": "Where is my order, please?"},
        {"text": "Where is my order, please?", "role": "user"},
        {"text": "How can I help you today?", "role": "agent"},
        {"text": "¿Dónde está mi pedido, por favor?"},
        {"text": None},
    ]
    also = [{"text": "I would like to book a table"}, {"text": "Where is my order, please?"}]
    for name, rows in (("one.jsonl", said), ("two.jsonl", also)):
        (tmp_path / name).write_bytes(b"\n".join(map(orjson.dumps, rows)))
    assert sorted(choose([tmp_path / "one.jsonl", tmp_path / "two.jsonl"])) == [
        "I would like to book a table",
        "Where is my order, please?",
    ]
