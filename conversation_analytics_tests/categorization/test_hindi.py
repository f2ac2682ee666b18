"""Feeling words of Hindi in Latin letters: by their sound, in the spellings people use."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversation_analytics.categorization.training.hindi import romanised, words_in_latin

DEVANAGARI = st.text(st.characters(min_codepoint=0x0900, max_codepoint=0x097F), max_size=20)


@pytest.mark.parametrize(
    ("word", "sound"),
    [
        ("अच्छा", "achchhaa"),
        ("मुश्किल", "mushkil"),
        ("नमस्ते", "namaste"),
        ("सुंदर", "sundar"),
        ("ख़राब", "kharaab"),
        ("ज़िंदगी", "zindagee"),
    ],
)
def test_a_word_is_written_by_its_sound(word: str, sound: str) -> None:
    assert romanised(word) == sound


@pytest.mark.parametrize(("word", "sound"), [("कमल", "kamal"), ("समझना", "samajhnaa")])
def test_a_vowel_that_is_not_said_is_not_written(word: str, sound: str) -> None:
    assert romanised(word) == sound


@pytest.mark.parametrize("letters", ["\u095b", "\u091c\u093c"])
def test_a_dotted_letter_sounds_the_same_however_it_is_encoded(letters: str) -> None:
    assert romanised(f"{letters}रूर") == "zaroor"


@pytest.mark.parametrize("word", ["hello", "अच्छाx", "😀", "१", ""])
def test_what_is_no_word_in_devanagari_has_no_sound(word: str) -> None:
    assert romanised(word) == ""


@given(DEVANAGARI | st.text(max_size=20))
def test_any_word_gives_latin_letters_or_nothing(word: str) -> None:
    sound = romanised(word)
    assert sound == "" or (sound.isascii() and sound.isalpha() and sound.islower())


def test_a_word_has_its_valence_in_every_usual_spelling() -> None:
    words = words_in_latin({"ख़राब आदत": -2.0, "विश्वास": 1.5}, others=())
    assert {words[spelt] for spelt in ("kharaab aadat", "kharab aadat", "kharab adat")} == {-2.0}
    assert {words[spelt] for spelt in ("vishvaas", "vishvas", "wishwas")} == {1.5}


def test_words_that_mean_something_in_english_are_left_to_english() -> None:
    listed = {"मातम": -2.0, "लालिमा": 2.0}
    words = words_in_latin(listed, others={"matam"})
    assert "matam" not in words
    assert words["maatam"] == -2.0
    assert words["lalima"] == 2.0


def test_words_in_other_letters_short_ones_and_long_phrases_are_left_out() -> None:
    chats = words_in_latin({}, others=())
    listed = {"sad": -2.0, "😀": 2.0, "दम": 1.0, "बहुत ही अच्छा": 3.0}
    assert words_in_latin(listed, others=()) == chats


def test_words_of_chats_count_though_the_list_lacks_them() -> None:
    words = words_in_latin({}, others=())
    assert words["mast"] > 0 > words["bakwas"]
