"""The models that come with the package."""

from __future__ import annotations

import numpy as np
import pytest

from conversation_analytics.categorization.artefact import SHIPPED, load
from conversation_analytics.categorization.decisions import objects
from conversation_analytics.categorization.features import extract
from conversation_analytics.categorization.sentiment import LABELS, sentiment_model
from conversation_analytics.categorization.vectors import word_vectors

LANGUAGES = {"ar", "de", "en", "es", "fr", "hi", "id", "it", "pt", "th"}
SAID = {
    "de": ("das ist schrecklich, ich hasse es", "ich liebe es, danke, wunderbar!"),
    "en": ("this is terrible, I hate it", "I love it, thank you, great!"),
    "es": ("es horrible, lo odio", "me encanta, gracias, genial!"),
    "fr": ("c'est nul, je déteste", "j'adore, merci, super !"),
    "hi": ("bahut bekar hai, ekdum ghatiya", "bahut accha hai bhai, maza aa gaya, shukriya"),
    "id": ("pelayanan sangat buruk, kecewa", "makanannya enak sekali, suka"),
    "it": ("che schifo, odio tutto", "adoro tutto, grazie, bellissimo!"),
    "pt": ("que horror, odeio isso", "adoro isso, obrigado, ótimo!"),
    "th": ("แย่มาก ไม่ชอบเลย", "ชอบมาก อร่อย ขอบคุณ"),
}


@pytest.mark.parametrize("language", SAID)
def test_plain_praise_and_blame_are_told_apart(language: str) -> None:
    features = extract(SAID[language])
    likely = sentiment_model().probabilities(objects([language] * features.count), features)
    blame, praise = likely[:, LABELS.index("positive")] - likely[:, LABELS.index("negative")]
    assert blame < 0 < praise


def test_hindi_is_told_in_the_letters_in_which_it_was_measured() -> None:
    texts = ["bahut accha hai bhai", "बहुत अच्छा है भाई", "bahut accha hai भाई", "", "great"]
    languages = objects(["hi", "hi", "hi", "hi", "en"])

    likely = sentiment_model().probabilities(languages, extract(texts))

    assert np.isnan(likely).all(axis=1).tolist() == [False, True, False, False, False]


def test_every_language_says_how_well_it_was_measured_to_do() -> None:
    facts = sentiment_model().about["languages"]
    assert set(facts) == LANGUAGES
    for language, measured in facts.items():
        assert measured["ece"] <= 0.05, language
        assert measured["macro_f1"] > 1 / 3, language


def test_words_that_mean_alike_have_vectors_that_are_alike() -> None:
    vectors = word_vectors()
    one, like, other = vectors.of(extract(["cheap hotel", "inexpensive accommodation", "sad song"]))
    assert one @ like > one @ other + 0.2


@pytest.mark.parametrize("model", ["sentiment", "words"])
def test_a_model_holds_numbers_and_no_text(model: str) -> None:
    file = load(SHIPPED, model)
    assert {array.dtype.kind for array in file.arrays.values()} <= set("uif")


def test_the_models_are_small_enough_to_come_along() -> None:
    assert sum(file.stat().st_size for file in SHIPPED.glob("*.npz")) <= 10_000_000
