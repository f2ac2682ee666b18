"""What in a text speaks for a label, where no spaces part its words."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conversation_analytics.categorization.classifier import Classifier
from conversation_analytics.categorization.features import extract
from conversation_analytics.categorization.linear import LinearModel
from conversation_analytics.categorization.training.classifier import train_classifier
from conversation_analytics_tests.categorization.examples import BLIND, labelled

THINGS = ["รถ", "บ้าน", "โทรศัพท์", "ตั๋ว", "หนังสือ", "เสื้อ", "อาหาร", "กระเป๋า", "โรงแรม", "ทีวี"]
SAID = {"cancel": "ขอยกเลิก{}", "status": "{}อยู่ที่ไหน"}


@pytest.fixture(scope="module")
def trained() -> Classifier:
    texts = [
        labelled(said.format(thing), label, "th")
        for label, said in SAID.items()
        for thing in THINGS
    ]
    return train_classifier(texts, "intent", BLIND)


def test_what_speaks_for_a_label_is_a_stretch_that_people_can_read(trained: Classifier) -> None:
    text = ["ขอยกเลิกนาฬิกา"]
    first = trained.evidence(text, extract(text), "cancel")[0]
    assert "ยกเลิก" in first.text
    assert first.text in text[0]


@settings(deadline=None)
@given(st.text(st.sampled_from("ขอยกเลิกอยู่ที่ไหน 你好です"), max_size=30))
def test_stretches_add_up_to_the_score_and_begin_with_no_mark(
    trained: Classifier, text: str
) -> None:
    features = extract([text])
    found = trained.evidence([text], features, "cancel")
    assert isinstance(trained.model, LinearModel)
    number = trained.labels.index("cancel")
    score = trained.scores([text], features)[0, number] - trained.model.bias[number]
    assert sum(one.weight for one in found) == pytest.approx(score, abs=1e-4)
    bare = [word for word in text.split() if unicodedata.category(word[0])[0] == "M"]
    marks = [one.text for one in found if unicodedata.category(one.text[0])[0] == "M"]
    assert bare or not marks
