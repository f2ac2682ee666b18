"""Corrected shares are the true ones, as surely as is said, or none with a reason."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conversation_analytics.categorization.confusion import Confusion
from conversation_analytics.reports.corrected import FEWEST_TEXTS, corrected_shares

LABELS = ("negative", "neutral", "positive")
OFTEN_RIGHT = [[80, 15, 5], [10, 85, 5], [5, 20, 75]]


def confusion(counts: Sequence[Sequence[int]], labels: Sequence[str] = LABELS) -> Confusion:
    return Confusion("sentiment", tuple(labels), np.array(counts, dtype=np.int64), "v1", "texts")


@given(
    st.integers(60, 100),
    st.integers(60, 100),
    st.integers(0, 1_000),
    st.integers(1, 1_000),
)
@settings(max_examples=30)
def test_two_labels_are_corrected_as_rogan_and_gladen_say(
    sensitivity: int, specificity: int, said: int, not_said: int
) -> None:
    measured = confusion(
        [[sensitivity, 100 - sensitivity], [100 - specificity, specificity]], ("bad", "good")
    )
    found = corrected_shares({"bad": said, "good": not_said}, measured)
    if found.reason is not None:  # one of the labels is said although it never was
        assert 100 in (sensitivity, specificity)
        return
    apparent = said / (said + not_said)
    expected = (apparent + specificity / 100 - 1) / ((sensitivity + specificity) / 100 - 1)
    assert found.shares[0].share == pytest.approx(min(max(expected, 0), 1), abs=2e-3)
    assert found.shares[0].said == apparent


@given(st.lists(st.integers(1, 50), min_size=3, max_size=3))
@settings(max_examples=30)
def test_what_would_be_said_of_true_shares_gives_these_shares(weights: list[int]) -> None:
    true = np.array(weights) / sum(weights)
    said = true @ (np.array(OFTEN_RIGHT) / 100) * 1_000_000
    counts = dict(zip(LABELS, said.round().astype(int).tolist(), strict=True))
    found = corrected_shares(counts, confusion(OFTEN_RIGHT))
    assert [one.share for one in found.shares] == pytest.approx(true, abs=1e-3)
    assert sum(one.share for one in found.shares) == pytest.approx(1)
    for one in found.shares:
        assert 0 <= one.interval[0] <= one.share <= one.interval[1] <= 1


def test_texts_without_a_label_are_shared_out_among_the_true_ones() -> None:
    labels = ("bad", "good", "unknown")
    measured = confusion([[60, 0, 40], [0, 90, 10], [0, 0, 0]], labels)
    found = corrected_shares({"bad": 300, "good": 450, "unknown": 250}, measured)
    assert {one.label: one.share for one in found.shares} == {
        "bad": pytest.approx(0.5, abs=1e-4),
        "good": pytest.approx(0.5, abs=1e-4),
    }


def test_intervals_cover_the_truth() -> None:
    rng = np.random.default_rng(5)
    true, rates = np.array([0.25, 0.6, 0.15]), np.array(OFTEN_RIGHT) / 100
    covered, simulations = np.zeros(3), 200
    for _ in range(simulations):
        counts = rng.multinomial(400, true @ rates)
        measured = np.stack([rng.multinomial(150, row) for row in rates])
        said = dict(zip(LABELS, counts.tolist(), strict=True))
        found = corrected_shares(said, confusion(measured.tolist()))
        covered += [
            one.interval[0] <= share <= one.interval[1]
            for one, share in zip(found.shares, true, strict=True)
        ]
    assert (covered / simulations >= 0.91).all()
    assert (covered / simulations <= 0.995).all()


def test_fewer_labelled_texts_make_intervals_wider() -> None:
    said = {"negative": 200, "neutral": 300, "positive": 100}
    few, many = (
        corrected_shares(said, confusion((np.array(OFTEN_RIGHT) * times // 5).tolist())).shares
        for times in (2, 50)
    )
    for one, other in zip(few, many, strict=True):
        assert np.diff(one.interval) > np.diff(other.interval)


def test_the_same_counts_are_corrected_alike() -> None:
    said = {"negative": 20, "neutral": 300, "positive": 100}
    again = dict(reversed(said.items()))
    measured = confusion(OFTEN_RIGHT)
    assert corrected_shares(said, measured) == corrected_shares(again, measured)


@pytest.mark.parametrize(
    ("said", "counts", "version", "words"),
    [
        ({}, OFTEN_RIGHT, None, "no conversation has a label"),
        ({"neutral": 0}, OFTEN_RIGHT, None, "no conversation has a label"),
        ({"neutral": 5}, OFTEN_RIGHT, "v2", "labels are of model v2, the confusion of v1"),
        ({"(other)": 5}, OFTEN_RIGHT, None, "how '(other)' is confused was not measured"),
        (
            {"neutral": 5},
            [[10, 5, 0], *OFTEN_RIGHT[1:]],
            None,
            f"'negative' has 15 labelled texts of the {FEWEST_TEXTS} that it takes",
        ),
        (
            {"negative": 5},
            [[0, 0, 0], *OFTEN_RIGHT[1:]],
            None,
            "'negative' has 0 labelled texts",
        ),
        (
            {"negative": 5, "neutral": 5},
            [[0, 90, 10], [0, 95, 5], [0, 20, 75]],
            None,
            "'negative' was said of no labelled text",
        ),
        (
            {"negative": 5, "neutral": 5},
            [[40, 50, 10], [41, 50, 9], [5, 20, 75]],
            None,
            "hardly tells what is true",
        ),
    ],
)
def test_what_cannot_be_corrected_has_a_reason(
    said: dict[str, int], counts: list[list[int]], version: str | None, words: str
) -> None:
    found = corrected_shares(said, confusion(counts), version)
    assert found.shares == ()
    assert found.reason is not None
    assert words in found.reason
    assert found.as_document()["shares"] is None


def test_a_document_says_what_was_said_and_what_is_likely() -> None:
    said = {"negative": 200, "neutral": 300, "positive": 100}
    document = corrected_shares(said, confusion(OFTEN_RIGHT), "v1").as_document()
    assert (document["model_version"], document["data"]) == ("v1", "texts")
    assert document["reason"] is None
    assert [row["value"] for row in document["shares"]] == list(LABELS)
    assert set(document["shares"][0]) == {"value", "said", "share", "interval"}
