"""Classifiers: what they learn, what they say of themselves, and when they say nothing."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversation_analytics.categorization.classifier import MEANING, CentroidModel, Classifier
from conversation_analytics.categorization.features import extract
from conversation_analytics.categorization.kernel import KernelModel
from conversation_analytics.categorization.linear import LinearModel
from conversation_analytics.categorization.training import classifier as training
from conversation_analytics.categorization.training.classifier import (
    MEASURED_FROM,
    folds_of,
    train_classifier,
)
from conversation_analytics.errors import LabelledDataInvalid
from conversation_analytics_tests.categorization.examples import (
    BLIND,
    THINGS,
    Sighted,
    labelled,
    rows,
)

UNSEEN = {
    "cancel the sofa": "cancel",
    "please stop my sofa": "cancel",
    "refund the sofa": "refund",
    "where is the sofa": "status",
}


def said(classifier: Classifier, texts: list[str]) -> list[str]:
    likely = classifier.probabilities(texts, extract(texts))
    return [classifier.labels[n] for n in likely.argmax(axis=1)]


@pytest.fixture(scope="module")
def trained() -> Classifier:
    return train_classifier(rows(), "intent", BLIND)


def test_it_tells_texts_it_has_not_seen(trained: Classifier) -> None:
    assert said(trained, list(UNSEEN)) == list(UNSEEN.values())


def test_it_says_how_often_it_is_right_in_the_languages_it_was_measured_in(
    trained: Classifier,
) -> None:
    assert list(trained.measured) == ["en"]
    texts, accuracy, threshold = trained.measured["en"]
    assert texts == 90
    assert accuracy > 0.9
    assert 0 < threshold < 1


def test_confidence_is_a_probability_and_low_for_what_is_like_nothing(trained: Classifier) -> None:
    texts = [*UNSEEN, "zebras graze quietly", ""]
    likely = trained.probabilities(texts, extract(texts))
    assert likely.sum(axis=1) == pytest.approx(np.ones(len(texts)), abs=1e-5)
    threshold = trained.measured["en"].threshold
    assert (likely.max(axis=1) >= threshold).tolist() == [True] * 4 + [False] * 2


def test_the_order_of_the_examples_does_not_matter(trained: Classifier) -> None:
    shuffled = rows()
    random.Random(1).shuffle(shuffled)
    again = train_classifier(shuffled, "intent", BLIND)
    assert again.measured["en"] == pytest.approx(trained.measured["en"], abs=1e-3)
    texts = list(UNSEEN)
    assert again.probabilities(texts, extract(texts)) == pytest.approx(
        trained.probabilities(texts, extract(texts)), abs=1e-3
    )


def test_what_is_said_often_counts_as_often() -> None:
    often = [labelled("hello", "refund")] * 30 + [labelled("hello", "cancel")] * 10
    classifier = train_classifier([*rows(), *often], "intent", BLIND)
    (likely,) = classifier.probabilities(["hello"], extract(["hello"]))
    cancel, refund, status = likely
    assert refund > 2 * cancel > 10 * status
    assert classifier.measured["en"].texts == 130


def test_a_hint_that_is_an_example_is_not_learnt_from_where_the_example_is_not(
    trained: Classifier,
) -> None:
    again = train_classifier(rows(), "intent", BLIND, hints=rows())
    assert again.measured["en"] == pytest.approx(trained.measured["en"])


def test_a_language_of_few_examples_is_not_measured() -> None:
    few = [
        labelled(f"{word} {n}", label, "nl")
        for label, word in (("cancel", "annuleer"), ("status", "waar"))
        for n in range(MEASURED_FROM // 2 - 1)
    ]
    assert list(train_classifier([*rows(), *few], "intent", BLIND).measured) == ["en"]
    more = [labelled("annuleer dit", "cancel", "nl"), labelled("waar is dit", "status", "nl")]
    assert list(train_classifier([*rows(), *few, *more], "intent", BLIND).measured) == ["en", "nl"]


def test_one_example_a_label_is_learnt_from_but_measures_nothing() -> None:
    few = [labelled(f"word{n} thing{n}", f"l{n}") for n in range(30)]
    classifier = train_classifier(few, "intent", BLIND)
    assert classifier.measured == {}
    assert said(classifier, ["word7", "thing23"]) == ["l7", "l23"]


def test_a_label_of_one_example_does_not_keep_the_others_from_being_measured() -> None:
    classifier = train_classifier([*rows(), labelled("hello", "greet")], "intent", BLIND)
    assert classifier.measured["en"].texts == 90
    assert said(classifier, ["hello"]) == ["greet"]


def test_the_same_text_under_two_labels_is_likely_to_be_either() -> None:
    both = [*rows(), labelled("well then", "cancel"), labelled("well then", "refund")]
    classifier = train_classifier(both, "intent", BLIND)
    (likely,) = classifier.probabilities(["well then"], extract(["well then"]))
    cancel, refund, status = likely
    assert cancel == pytest.approx(refund, abs=0.05)
    assert status < 0.2


def test_hints_are_learnt_from_but_measure_nothing(trained: Classifier) -> None:
    hints = [labelled("annuler", "cancel"), labelled("remboursement", "refund")]
    classifier = train_classifier(rows(), "intent", BLIND, hints=hints)
    assert classifier.measured["en"].texts == trained.measured["en"].texts
    assert said(classifier, ["annuler la commande", "un remboursement"]) == ["cancel", "refund"]


@pytest.mark.parametrize("some", [[], [labelled("hello", "greet"), labelled("hi", "greet")]])
def test_there_must_be_something_to_tell_apart(some: list[training.Labelled]) -> None:
    with pytest.raises(LabelledDataInvalid, match="two labels"):
        train_classifier(some, "intent", BLIND)


def test_of_very_many_labels_each_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "_MOST_WEIGHTS", 1000)
    many = [
        labelled(f"{verb} word{n} thing{n}", f"l{n:03}")
        for n in range(300)
        for verb in ("take", "bring", "want")
    ]
    classifier = train_classifier(many, "intent", BLIND)
    assert isinstance(classifier.model, CentroidModel)
    assert classifier.measured["en"].accuracy > 0.95
    assert said(classifier, ["give word17", "thing299 please"]) == ["l017", "l299"]
    assert classifier.evidence(["word17"], extract(["word17"]), "l017")[0].text == "word17"


def test_few_texts_are_fitted_as_many_are(
    trained: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the texts' products or by all weights: the same model."""
    monkeypatch.setattr(training, "_fit_few", training.fit)
    slow = train_classifier(rows(), "intent", BLIND)
    assert isinstance(slow.model, LinearModel)
    texts = list(UNSEEN)
    assert slow.scores(texts, extract(texts)) == pytest.approx(
        trained.scores(texts, extract(texts)), abs=0.05
    )


def test_what_a_text_is_about_counts_the_more_the_longer_its_vector() -> None:
    marks = {"cancel": "✂", "refund": "€", "status": ""}
    told = [(row.text, row.labels["intent"]) for row in rows()]
    marked = [labelled(f"{text}{marks[label]}", label) for text, label in told]
    asked = ["cancel the sofa€", "refund the sofa✂"]
    assert said(train_classifier(marked, "intent", Sighted(3)), asked) == ["refund", "cancel"]
    assert said(train_classifier(marked, "intent", Sighted(0.1)), asked) == ["cancel", "refund"]


def test_comparing_finds_a_label_of_texts_of_two_kinds() -> None:
    """What has both marks or none is of one label: no weights of the marks tell that."""
    kinds = {"": "even", "✂€": "even", "✂": "odd", "€": "odd"}
    marked = [
        labelled(f"{thing}{marks}", label) for thing in THINGS for marks, label in kinds.items()
    ]
    classifier = train_classifier(marked, "intent", Sighted(2, compares=True))
    assert isinstance(classifier.model, KernelModel)
    assert classifier.measured["en"].accuracy == 1
    assert said(classifier, ["sofa", "sofa€", "✂sofa", "✂ sofa €"]) == [
        "even",
        "odd",
        "odd",
        "even",
    ]


def test_evidence_of_a_text_that_is_compared_adds_up_to_how_likely_the_label_is() -> None:
    classifier = train_classifier(rows(), "intent", Sighted(2, compares=True))
    text = ["please cancel the sofa✂"]
    found = classifier.evidence(text, extract(text), "cancel")
    assert {"cancel", "the sofa", MEANING} <= {one.text for one in found}
    added = sum(one.weight for one in found)
    score = classifier.scores(text, extract(text))[0, classifier.labels.index("cancel")]
    assert score == pytest.approx(np.log(1 / 3 + added + 0.03), abs=1e-4)


def test_evidence_adds_up_to_the_score(trained: Classifier) -> None:
    text = ["please cancel the sofa, the sofa!"]
    found = trained.evidence(text, extract(text), "cancel")
    assert found[0].text == "cancel"
    assert {"sofa", "the sofa", MEANING} <= {one.text for one in found}
    assert isinstance(trained.model, LinearModel)
    number = trained.labels.index("cancel")
    score = trained.scores(text, extract(text))[0, number] - trained.model.bias[number]
    assert sum(one.weight for one in found) == pytest.approx(score, abs=1e-4)


words = st.lists(st.sampled_from(["a", "b", "c", "d", "é"]), min_size=1, max_size=4).map(" ".join)


@given(st.lists(st.tuples(words, st.integers(0, 3)), min_size=1, max_size=40, unique=True))
def test_folds_share_out_each_labels_texts_evenly(some: list[tuple[str, int]]) -> None:
    texts, labels = [text for text, _ in some], np.array([label for _, label in some])
    folds = folds_of(texts, labels, 3)
    again = folds_of(texts[::-1], labels[::-1], 3)[::-1]
    assert folds.tolist() == again.tolist()
    for label in set(labels.tolist()):
        own = folds[labels == label]
        if len(own) == 1:
            assert own.tolist() == [-1]
        else:
            counts = np.bincount(own, minlength=3)
            assert counts.max() - counts.min() <= 1
