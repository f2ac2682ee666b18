"""What people are shown of a day's translations."""

from __future__ import annotations

from conversation_analytics.translation.summary import disagreement, language_rows

BY_LANGUAGE = {
    "de": {"succeeded": 2, "failed": 1, "sentiment_compared": 2},
    "th": {
        "succeeded": 4,
        "pending": 3,
        "sentiment_compared": 3,
        "sentiment_differing": 1,
    },
}


def test_each_language_is_a_row_with_what_became_of_its_texts_and_how_labels_compare() -> None:
    assert language_rows(BY_LANGUAGE) == [
        {
            "language": "de",
            "succeeded": 2,
            "failed": 1,
            "pending": 0,
            "sentiment differs": "0 of 2 (0%)",
            "intent differs": None,
        },
        {
            "language": "th",
            "succeeded": 4,
            "failed": 0,
            "pending": 3,
            "sentiment differs": "1 of 3 (33%)",
            "intent differs": None,
        },
    ]


def test_the_share_of_all_languages_weighs_each_by_what_was_compared() -> None:
    assert disagreement(BY_LANGUAGE) == {"sentiment": 0.2}


def test_where_nothing_was_compared_there_is_no_share() -> None:
    assert disagreement({"th": {"failed": 3}}) == {}
    assert disagreement({}) == {}
