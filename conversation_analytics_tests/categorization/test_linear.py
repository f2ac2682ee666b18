"""Linear models: how texts become rows, and how weights are fitted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from conversation_analytics.categorization.features import buckets, extract
from conversation_analytics.categorization.linear import LinearModel, Vocabulary, softmax
from conversation_analytics.categorization.training.fit import (
    fit,
    telling_vocabulary,
    vocabulary_of,
)
from conversation_analytics.categorization.vectors import WordVectors

TEXTS = [
    "where is my card",
    "my card is lost",
    "card not here yet",
    "cancel my order",
    "please cancel it",
    "cancel the order now",
    "what is the weather",
    "weather tomorrow?",
]
LABELS = np.array([0, 0, 0, 1, 1, 1, 2, 2])
NOTHING = np.zeros((len(TEXTS), 0), dtype=np.float32)


def vocabulary(texts: list[str], least: int = 1) -> Vocabulary:
    features = extract(texts)
    return vocabulary_of(features.entries[1], features.count, least=least)


@given(st.lists(st.sampled_from([*TEXTS, "", "ไม่รู้จัก", "card card card"]), max_size=5))
def test_a_row_has_length_1_and_does_not_depend_on_the_others(some: list[str]) -> None:
    known = vocabulary(TEXTS)
    rows = known.matrix(extract(some)).toarray()
    lengths = np.linalg.norm(rows, axis=1)
    assert set(np.round(lengths, 5)) <= {0.0, 1.0}
    for row, text in zip(rows, some, strict=True):
        assert row == pytest.approx(known.matrix(extract([text])).toarray()[0])


def test_only_what_enough_texts_have_is_known_and_the_rare_counts_more() -> None:
    known = vocabulary(TEXTS, least=2)
    everything = vocabulary(TEXTS)
    assert 0 < len(known.buckets) < len(everything.buckets)
    assert known.rarity.max() == pytest.approx(np.log(9 / 3) + 1)
    assert everything.rarity.max() == pytest.approx(np.log(9 / 2) + 1)


def test_what_only_one_label_has_counts_more_than_what_all_have() -> None:
    features = extract(TEXTS)
    known = telling_vocabulary(features.entries, LABELS, 3, least=2, most=1000, rare=False)
    counts = dict(zip(known.buckets.tolist(), known.rarity.tolist(), strict=True))

    def count(word: str) -> float:
        (bucket,) = buckets(extract([word]).words.hashes).tolist()
        return counts[bucket]

    assert count("cancel") > count("my") > 0
    assert count("cancel") > count("is")


def test_the_buckets_that_tell_most_are_kept() -> None:
    features = extract(TEXTS)
    everything = telling_vocabulary(features.entries, LABELS, 3, least=1, most=1000, rare=False)
    best = telling_vocabulary(features.entries, LABELS, 3, least=1, most=10, rare=False)
    assert len(best.buckets) == 10
    assert set(best.buckets.tolist()) < set(everything.buckets.tolist())
    assert best.rarity.mean() > everything.rarity.mean()


def test_weights_are_those_of_a_multinomial_logistic_regression() -> None:
    matrix = vocabulary(TEXTS).matrix(extract(TEXTS))
    ours = fit(matrix, NOTHING, LABELS, 3, strength=4.0)
    peer = LogisticRegression(C=4.0, tol=1e-8, max_iter=1000).fit(matrix, LABELS)
    scores = matrix @ ours.sparse + ours.bias
    assert softmax(scores) == pytest.approx(peer.predict_proba(matrix), abs=0.005)


def test_a_text_that_matters_more_is_fitted_better() -> None:
    matrix = vocabulary(TEXTS).matrix(extract(TEXTS))
    importance = np.ones(len(TEXTS), dtype=np.float32)
    importance[0] = 10

    def likelihood(weights: np.ndarray | None) -> float:
        found = fit(matrix, NOTHING, LABELS, 3, strength=1.0, importance=weights)
        return float(softmax(matrix @ found.sparse + found.bias)[0, 0])

    assert likelihood(importance) > likelihood(None) + 0.05


def test_a_model_scores_further_numbers_too() -> None:
    known = vocabulary(TEXTS)
    numbers = np.arange(len(TEXTS), dtype=np.float32)[:, None]
    model = LinearModel(
        labels=("a", "b"),
        vocabulary=known,
        weights=np.zeros((len(known.buckets), 2), dtype=np.float32),
        dense=np.array([[2.0, 0.0]], dtype=np.float32),
        bias=np.array([1.0, 0.0], dtype=np.float32),
    )
    found = model.scores(known.matrix(extract(TEXTS)), numbers)
    assert found == pytest.approx(np.array([[2.0 * n + 1, 0] for n in range(len(TEXTS))]))


def test_a_vector_of_a_text_is_the_direction_of_the_sum_of_its_words() -> None:
    hashes = extract(["red blue"]).words.hashes
    vectors = WordVectors(
        hashes, np.array([[3, 0], [0, 2]], dtype=np.int8), np.array([1.0, 2.0], dtype=np.float32)
    )
    found = vectors.of(extract(["Blue red", "red", "green", "", "red red blue"]))
    assert found == pytest.approx(
        np.array([[0.6, 0.8], [1, 0], [0, 0], [0, 0], np.array([6, 4]) / 52**0.5]), abs=1e-6
    )
