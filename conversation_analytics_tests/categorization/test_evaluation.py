"""What is measured of decisions, and that nothing is measured by what it was learnt from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score, recall_score

from conversation_analytics.categorization.calibration import Calibration
from conversation_analytics.categorization.decisions import UNKNOWN, Decision
from conversation_analytics.categorization.evaluation import Figures, evaluate, likeliest
from conversation_analytics.categorization.features import extract
from conversation_analytics.categorization.labelled import Labelled
from conversation_analytics.categorization.lexicon import Lexicon
from conversation_analytics.categorization.linear import LinearModel, Vocabulary
from conversation_analytics.categorization.predictors import (
    Predictor,
    by_language,
    by_sentiment,
    decide,
    decide_unseen,
    learner,
    without,
)
from conversation_analytics.categorization.sentiment import LABELS, Head, SentimentModel, numbers_of
from conversation_analytics.categorization.taxonomy import Label, Section
from conversation_analytics_tests.categorization.examples import BLIND, labelled, rows


def given_(label: str, confidence: float = 0.9) -> Decision:
    return Decision(label, confidence, "model")


def withheld(candidate: str, confidence: float = 0.4) -> Decision:
    return Decision(UNKNOWN, confidence, "model", "below_threshold", {"candidate": candidate})


def test_accuracy_asks_for_the_likeliest_label_and_precision_for_those_given() -> None:
    true = ["a", "a", "b", "b"]
    said = [given_("a"), withheld("a"), given_("a"), withheld("a")]
    overall = evaluate(true, said, ["en"] * 4).overall
    assert overall == Figures(
        texts=4,
        accuracy=0.5,
        macro_f1=pytest.approx(1 / 3),
        macro_recall=0.5,
        ece=pytest.approx(0.25),
        coverage=0.5,
        precision=0.5,
        accuracy_given=0.25,
        out_of_scope=0,
        out_of_scope_recall=None,
    )


@pytest.mark.parametrize("name", ["oos", "out_of_scope", "unknown"])
def test_texts_out_of_scope_count_only_as_given_a_label_or_not(name: str) -> None:
    true = ["a", name, name, name]
    said = [given_("a"), given_("a"), withheld("a"), withheld("b")]
    found = evaluate(true, said, ["en"] * 4)
    assert (found.overall.texts, found.overall.accuracy, found.overall.coverage) == (1, 1, 1)
    assert found.overall.out_of_scope == 3
    assert found.overall.out_of_scope_recall == pytest.approx(2 / 3)
    assert found.confusion == []
    assert found.reasons == {}


def test_nothing_given_has_no_precision_and_nothing_in_scope_no_figures() -> None:
    assert evaluate(["a"], [withheld("a")], ["en"]).overall.precision is None
    overall = evaluate(["oos"], [withheld("a")], ["en"]).overall
    assert (overall.texts, overall.accuracy, overall.macro_f1, overall.ece) == (0, None, None, None)
    assert evaluate([], [], []).overall.texts == 0


def test_languages_are_told_apart_and_mistakes_counted() -> None:
    true, languages = ["a", "a", "b", "b"], ["en", "en", "th", "th"]
    found = evaluate(true, [given_("a"), given_("b"), withheld("a"), withheld("a")], languages)
    assert found.languages["en"].accuracy == 0.5
    assert found.languages["th"].accuracy == 0
    assert found.confusion == [("b", "a", 2), ("a", "b", 1)]
    assert found.reasons == {"below_threshold": 2}


def test_a_decision_that_withholds_a_label_may_name_none() -> None:
    assert likeliest(Decision(UNKNOWN, 0.0, "model", "empty_text")) == ""


names = st.sampled_from(["a", "b", "c"])


@given(st.lists(st.tuples(names, names), min_size=1))
def test_means_over_labels_are_scikit_learns(pairs: list[tuple[str, str]]) -> None:
    true, said = [one for one, _ in pairs], [other for _, other in pairs]
    overall = evaluate(true, [given_(one) for one in said], ["en"] * len(true)).overall
    there = sorted(set(true))
    f1 = f1_score(true, said, labels=there, average="macro", zero_division=0)
    recall = recall_score(true, said, labels=there, average="macro", zero_division=0)
    assert overall.macro_f1 == pytest.approx(f1)
    assert overall.macro_recall == pytest.approx(recall)


def test_nothing_is_measured_by_what_it_was_learnt_from() -> None:
    texts = [*rows(), labelled("hello", "greet")]
    learnt: list[set[str]] = []

    def learn(some: Sequence[Labelled]) -> Predictor:
        own = {row.text for row in some}
        learnt.append(own)

        def predict(asked: Sequence[str], languages: Sequence[str]) -> list[Decision]:
            assert not own & set(asked)
            return [given_(text) for text in asked]

        return predict

    found = sorted(
        (place, decision.label)
        for place, decision in decide_unseen(learn, texts, ["en"] * len(texts), "intent", 4)
    )
    assert found == [(place, row.text) for place, row in enumerate(texts)]
    assert len(learnt) == 4


def test_rows_without_others_share_no_text() -> None:
    left = without(rows(["lamp", "book"]), [labelled(row.text, "x") for row in rows(["lamp"])])
    assert left == rows(["book"])


def test_a_learner_takes_as_many_texts_a_label_as_it_is_told() -> None:
    texts = [*rows(), labelled("zebras graze", "oos")]
    predict = learner("intent", BLIND, shots=2)(texts)
    labels = {likeliest(one) for one in predict(["cancel", "refund", "where is it"], ["en"] * 3)}
    assert labels <= {"cancel", "refund", "status"}
    again = learner("intent", BLIND, shots=2)(texts[::-1])
    asked = [row.text for row in rows()]
    said, said_again = (one(asked, ["en"] * len(asked)) for one in (predict, again))
    assert [likeliest(one) for one in said] == [likeliest(one) for one in said_again]


def test_a_learner_with_a_taxonomy_uses_its_keywords() -> None:
    section = Section("intent", tuple(Label(name) for name in ("cancel", "refund", "status")))
    with_words = Section("intent", (Label("cancel", keywords=("annuler",)), *section.labels[1:]))
    (plain,) = learner("intent", BLIND, section)(rows())(["annuler"], ["fr"])
    (known,) = learner("intent", BLIND, with_words)(rows())(["annuler"], ["fr"])
    assert plain.reason == "unmeasured_language"
    assert (known.label, known.method) == ("cancel", "rule")


def test_many_texts_are_decided_chunk_by_chunk() -> None:
    asked: list[int] = []

    def predict(texts: Sequence[str], languages: Sequence[str]) -> list[Decision]:
        assert len(texts) == len(languages)
        asked.append(len(texts))
        return [given_(text) for text in texts]

    many = [labelled(str(n), "a") for n in range(5000)]
    said = list(decide(predict, many, ["en"] * 5000))
    assert [one.label for one in said] == [str(n) for n in range(5000)]
    assert max(asked) <= 2000


def test_languages_are_decided_by_the_text_alone() -> None:
    thai, short = by_language(["ขอบคุณมากครับ", "ok"], ["en", "en"])
    assert (thai.label, thai.method) == ("th", "rule")
    assert (short.label, short.reason) == ("und", "too_short")


def test_sentiment_is_decided_in_the_languages_that_have_a_model() -> None:
    model = _sentiment_that_says("positive")
    said = by_sentiment(model)(["love it", "love it", "hate it"], ["en", "xx", "en"])
    assert [one.label for one in said] == ["positive", UNKNOWN, "positive"]
    assert said[1].reason == "unmeasured_language"


def test_nothing_said_has_no_sentiment_in_any_language() -> None:
    said = by_sentiment(_sentiment_that_says("positive"))(["", " ", "love it"], ["en", "xx", "en"])
    assert [one.reason for one in said] == ["empty_text", "empty_text", None]


def _sentiment_that_says(label: str) -> SentimentModel:
    bias = np.array([5.0 if one == label else 0.0 for one in LABELS], dtype=np.float32)
    nothing = Vocabulary(np.zeros(0, np.int32), np.zeros(0, np.float32))
    lexicon = Lexicon(np.zeros(0, np.uint64), np.zeros(0, np.uint8), np.zeros(0, np.float32))
    numbers = numbers_of((lexicon,), extract(["x"])).shape[1]
    dense = np.zeros((numbers, len(LABELS)), np.float32)
    linear = LinearModel(LABELS, nothing, np.zeros((0, len(LABELS)), np.float32), dense, bias)
    calibration = Calibration(1.0, np.zeros(len(LABELS), np.float32))
    return SentimentModel("1", {"en": Head(linear, (lexicon,))}, {"en": calibration}, {})
