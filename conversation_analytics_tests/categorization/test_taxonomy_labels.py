"""Labels of a taxonomy: keywords first, then the model, and honesty where neither knows."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversation_analytics.categorization.decisions import UNKNOWN, Decision, objects
from conversation_analytics.categorization.features import extract
from conversation_analytics.categorization.language import languages_of
from conversation_analytics.categorization.taxonomy import Label, Section, load_taxonomy
from conversation_analytics.categorization.taxonomy_labels import (
    TaxonomyLabeller,
    examples_of,
    taxonomy_labeller,
)
from conversation_analytics.errors import LabelledDataInvalid
from conversation_analytics_tests.categorization.examples import BLIND, SAID, THINGS, labelled, rows

EXAMPLES = {
    label: tuple(said.format(thing) for said in sentences for thing in THINGS)
    for label, sentences in SAID.items()
}
SECTION = Section(
    "intent",
    (
        Label("money"),
        Label("cancel", keywords=("ยกเลิก", "abbestellen"), examples=EXAMPLES["cancel"]),
        Label("refund", parent="money", keywords=("refund", "paid"), examples=EXAMPLES["refund"]),
        Label("status", keywords=("sent yet",), examples=EXAMPLES["status"]),
        Label("pay", parent="money", keywords=("paid", "pay now")),
    ),
)
TOPICS = replace(SECTION, task="topic")


@pytest.fixture(scope="module")
def intents() -> TaxonomyLabeller:
    return TaxonomyLabeller.from_labelled(SECTION, examples_of(SECTION), BLIND)


@pytest.fixture(scope="module")
def topics() -> TaxonomyLabeller:
    return TaxonomyLabeller.from_labelled(TOPICS, examples_of(TOPICS), BLIND)


def decided(labeller: TaxonomyLabeller, text: str, language: str = "en") -> list[Decision]:
    return labeller.label([text], extract([text]), objects([language])).of_each(1)[0]


def test_keywords_decide_in_every_language(intents: TaxonomyLabeller) -> None:
    (decision,) = decided(intents, "ช่วยยกเลิกให้หน่อย", "th")
    assert (decision.label, decision.method, decision.reason) == ("cancel", "rule", None)
    (decision,) = decided(intents, "where is the refund")
    assert (decision.label, decision.method) == ("refund", "rule")


def test_without_keywords_the_model_decides(intents: TaxonomyLabeller) -> None:
    (decision,) = decided(intents, "I no longer want this sofa")
    assert (decision.label, decision.method, decision.details) == ("cancel", "model", None)
    assert 0.5 < decision.confidence <= 1


def test_the_model_says_nothing_in_a_language_it_was_not_measured_in(
    intents: TaxonomyLabeller,
) -> None:
    assert intents.languages == {"en"}
    (decision,) = decided(intents, "I no longer want this sofa", "nl")
    assert (decision.label, decision.reason) == (UNKNOWN, "unmeasured_language")
    assert decision.details == {"candidate": "cancel"}
    assert decision.confidence > 0.5


def test_a_text_too_short_to_tell_its_language_gets_a_label_by_rules_only(
    intents: TaxonomyLabeller,
) -> None:
    (decision,) = decided(intents, "I no longer want this sofa", "und")
    assert (decision.label, decision.reason) == (UNKNOWN, "too_short")
    (decision,) = decided(intents, "refund", "und")
    assert (decision.label, decision.method, decision.reason) == ("refund", "rule", None)


def test_a_text_like_nothing_is_unknown(intents: TaxonomyLabeller) -> None:
    (decision,) = decided(intents, "zebras graze quietly")
    assert (decision.label, decision.method, decision.reason) == (
        UNKNOWN,
        "model",
        "below_threshold",
    )
    assert decision.details is not None
    assert decision.details["candidate"] in SECTION.names


@pytest.mark.parametrize("text", ["", "  \n", "```\ncode\n```"])
def test_a_text_without_words_is_empty(intents: TaxonomyLabeller, text: str) -> None:
    assert decided(intents, text) == [Decision(UNKNOWN, 0.0, "model", "empty_text")]


def test_of_labels_with_as_many_words_the_model_takes_the_likelier(
    intents: TaxonomyLabeller,
) -> None:
    """`paid` is a keyword of two; only one has examples, in which it is said."""
    assert decided(intents, "I paid twice for a sofa")[0].label == "refund"
    assert decided(intents, "paid")[0].label in {"refund", "pay"}


def test_more_words_weigh_more_than_what_the_model_says(intents: TaxonomyLabeller) -> None:
    assert decided(intents, "refund the hotel, I pay now")[0].label == "pay"


def test_a_rule_is_as_sure_as_its_keywords_were_right_on_the_examples() -> None:
    section = Section(
        "intent",
        (
            Label("a", keywords=("good",), examples=tuple(f"good {n}" for n in range(40))),
            Label("b", keywords=("bad",), examples=tuple(f"other {n}" for n in range(20))),
            Label("c", examples=tuple(f"bad {n}" for n in range(40))),
            Label("d", keywords=("never seen",)),
        ),
    )
    good, bad, _, unseen = TaxonomyLabeller.from_labelled(
        section, examples_of(section), BLIND
    ).precision.tolist()
    assert good > 0.9
    assert bad < 0.1
    assert bad < unseen < good  # as the others are


def test_a_label_says_what_it_is_part_of(intents: TaxonomyLabeller) -> None:
    (decision,) = decided(intents, "refund the sofa")
    assert decision.details == {"ancestors": ["money"]}


def test_a_text_has_one_intent_and_may_have_several_topics(
    intents: TaxonomyLabeller, topics: TaxonomyLabeller
) -> None:
    text = "refund it, was it sent yet? abbestellen!"
    assert [one.label for one in decided(intents, text)] == ["status"]
    found = decided(topics, text)
    assert found[0].label == "status"
    assert {one.label for one in found[1:]} == {"refund", "cancel"}
    assert [one.label for one in decided(topics, "where is the sofa")] == ["status"]


def test_at_most_three_topics_are_said_of_a_text(topics: TaxonomyLabeller) -> None:
    text = "refund, sent yet, abbestellen, pay now"
    assert len({one.label for one in decided(topics, text)}) == 3


def test_keywords_alone_make_a_taxonomy() -> None:
    section = Section("intent", (Label("a", keywords=("apple",)), Label("b", keywords=("pear",))))
    labeller = taxonomy_labeller(section, BLIND)
    assert labeller.languages == frozenset()
    (decision,) = decided(labeller, "an apple")
    assert (decision.label, decision.confidence) == ("a", pytest.approx(0.8))
    assert decided(labeller, "a plum") == [Decision(UNKNOWN, 0.0, "rule", "below_threshold")]
    assert decided(labeller, "") == [Decision(UNKNOWN, 0.0, "rule", "empty_text")]
    assert labeller.explain("an apple") == {
        "keywords": {"a": ["apple"]},
        "candidates": [],
        "features": [],
        "thresholds": {},
    }


def test_a_taxonomy_of_one_label_is_told_by_its_keywords_only() -> None:
    label = Label("a", keywords=("apple",), examples=("an apple", "apples"))
    labeller = taxonomy_labeller(Section("intent", (label,)), BLIND)
    assert labeller.classifier is None
    assert decided(labeller, "apple")[0].label == "a"


def test_a_taxonomy_without_labels_says_nothing() -> None:
    labeller = taxonomy_labeller(Section("topic"), BLIND)
    assert decided(labeller, "hello") == [Decision(UNKNOWN, 0.0, "rule", "below_threshold")]


def test_the_version_names_all_that_decides(intents: TaxonomyLabeller) -> None:
    def version(section: Section) -> str:
        return TaxonomyLabeller.from_labelled(section, examples_of(section), BLIND).version

    assert version(SECTION) == intents.version
    more = replace(SECTION.labels[4], keywords=("paid",))
    assert version(replace(SECTION, labels=(*SECTION.labels[:4], more))) != intents.version
    other = TaxonomyLabeller.from_labelled(SECTION, rows(["sofa", "bed", "cup"]), BLIND)
    assert other.version != intents.version


def test_a_taxonomy_is_learnt_once() -> None:
    assert taxonomy_labeller(SECTION, BLIND) is taxonomy_labeller(replace(SECTION), BLIND)


def test_labelled_texts_teach_in_place_of_the_examples() -> None:
    bare = Section("intent", tuple(Label(name) for name in SAID))
    labeller = TaxonomyLabeller.from_labelled(bare, rows(), BLIND)
    assert decided(labeller, "please stop my sofa")[0].label == "cancel"
    with pytest.raises(LabelledDataInvalid, match="'hello' is no intent of the taxonomy"):
        TaxonomyLabeller.from_labelled(bare, [*rows(), labelled("hi", "hello")], BLIND)


def test_a_model_learns_from_the_names_of_labels_that_have_examples() -> None:
    named = {"card_arrival": "where is it", "lost/stolen": "it is gone"}
    labels = [Label(name, examples=(text, f"so {text}")) for name, text in named.items()]
    section = Section("intent", (*labels, Label("top.up", patterns=("^top up$",))))
    labeller = TaxonomyLabeller.from_labelled(section, examples_of(section), BLIND)
    assert labeller.classifier is not None
    assert labeller.classifier.labels == ("card_arrival", "lost/stolen")
    asked = ["the arrival of a card", "stolen"]
    likely = labeller.classifier.probabilities(asked, extract(asked))
    assert likely.argmax(axis=1).tolist() == [0, 1]


def test_an_explanation_shows_keywords_candidates_and_telling_words(
    intents: TaxonomyLabeller,
) -> None:
    why = intents.explain("please stop my sofa refund")
    assert why["keywords"] == {"refund": ["refund"]}
    assert why["candidates"][0]["label"] in {"cancel", "refund"}
    confidences = [one["confidence"] for one in why["candidates"]]
    assert confidences == sorted(confidences, reverse=True)
    assert {"please stop", "stop", "refund"} & {one["text"] for one in why["features"]}
    assert set(why["thresholds"]) == {"en"}


pieces = st.sampled_from(["refund", "sent yet", "sofa", "paid", "stop my", "ยกเลิก", "", "!", "x y"])


@given(
    st.lists(st.lists(pieces, max_size=4).map(" ".join), max_size=6), st.sampled_from(["en", "th"])
)
def test_every_text_gets_what_it_would_get_alone(
    topics: TaxonomyLabeller, texts: list[str], language: str
) -> None:
    languages = objects([language] * len(texts))
    together = topics.label(texts, extract(texts), languages).of_each(len(texts))
    assert len(together) == len(texts)
    for text, decisions in zip(texts, together, strict=True):
        alone = decided(topics, text, language)
        assert [one.label for one in alone] == [one.label for one in decisions]
        assert 1 <= len(decisions) <= 3
        assert len({one.label for one in decisions}) == len(decisions)
        for decision in decisions:
            assert 0 <= decision.confidence <= 1
            assert decision.abstained == (decision.label == UNKNOWN)


def test_the_taxonomy_that_ships_has_enough_examples_to_be_measured_in_six_languages() -> None:
    for section in load_taxonomy().sections.values():
        told = languages_of([row.text for row in examples_of(section)])
        counts = Counter(language.code for language in told)
        assert min(counts[code] for code in ("en", "th", "vi", "id", "zh", "es")) >= 40


def test_the_intents_that_ship_tell_what_is_said_in_other_words() -> None:
    labeller = taxonomy_labeller(load_taxonomy().sections["intent"])
    assert labeller.languages >= {"en", "th", "vi", "id", "zh", "es"}
    (decision,) = decided(labeller, "the app shows a blank page when I pay")
    assert (decision.label, decision.method) == ("report_problem", "model")
