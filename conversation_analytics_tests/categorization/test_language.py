"""Languages of texts."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversation_analytics.categorization.language import UNDETERMINED, Language, languages_of

SENTENCES = {
    "ar": "أين طلبي؟ لقد انتظرت أكثر من أسبوع",
    "bn": "আমার অর্ডার কোথায়?",
    "bo": "ངའི་མངགས་ཉོ་ག་པར་ཡོད།",
    "de": "Wo ist meine Bestellung geblieben?",
    "el": "Πού είναι η παραγγελία μου;",
    "en": "Where is my order, please?",
    "es": "¿Dónde está mi pedido, por favor?",
    "fa": "سفارش من کجاست؟ لطفاً کمک کنید",
    "fr": "Où est ma commande, s'il vous plaît ?",
    "he": "איפה ההזמנה שלי?",
    "hi": "मेरा ऑर्डर कहाँ है?",
    "id": "Di mana pesanan saya? Saya sudah menunggu seminggu",
    "it": "Dov'è il mio ordine, per favore?",
    "ja": "注文した商品はどこですか",
    "km": "តើការបញ្ជាទិញរបស់ខ្ញុំនៅឯណា",
    "ko": "제 주문은 어디에 있나요?",
    "lo": "ຄໍາສັ່ງຂອງຂ້ອຍຢູ່ໃສ",
    "my": "ကျွန်တော့်အော်ဒါ ဘယ်မှာလဲ",
    "pt": "Onde está o meu pedido, por favor? Não chegou ainda",
    "ru": "Где мой заказ? Я жду уже неделю",
    "ta": "என் ஆர்டர் எங்கே?",
    "th": "ออเดอร์ของฉันอยู่ที่ไหน",
    "tr": "Siparişim nerede kaldı acaba?",
    "vi": "Đơn hàng của tôi đâu rồi?",
    "zh": "我的订单在哪里？",
}


def language_of(text: str) -> Language:
    (found,) = languages_of([text])
    return found


@pytest.mark.parametrize("code", SENTENCES)
def test_a_sentence_is_recognised(code: str) -> None:
    found = language_of(SENTENCES[code])
    assert found.code == code
    assert found.confidence > 0.3
    assert found.shares == {code: 1.0}


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n",
        "ok",
        "12345 !!!",
        "๑๒๓๔๕ ฿",
        "😀😀😀",
        "https://example.com/abc",
        "@someone",
        "```print(1)```",
    ],
)
def test_what_has_fewer_than_three_letters_is_undetermined(text: str) -> None:
    assert language_of(text) == Language(UNDETERMINED, 0.0)


@pytest.mark.parametrize(
    ("text", "code", "others"),
    [
        ("ขอเปลี่ยน password ของบัญชีหน่อยครับ", "th", {"en"}),
        ("我的iPhone订单什么时候到？", "zh", set()),
        ("Please translate this for me into Thai: สวัสดี", "en", {"th"}),
        ("where is my order ออเดอร์อยู่ไหน", "en", {"th"}),
        ("ช่วย reset password ให้หน่อยครับ", "th", {"en"}),
        ("मेरा order कब आएगा, please बताइए", "hi", {"en"}),
    ],
)
def test_mixed_languages_are_told_by_their_share(text: str, code: str, others: set[str]) -> None:
    found = language_of(text)
    assert found.code == code
    assert others <= set(found.shares)
    assert max(found.shares, key=lambda one: found.shares[one]) == code


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("mera order kahan hai bhai", "hi"),
        ("mujhe refund chahiye, order abhi tak nahi aaya", "hi"),
        ("Paano po mag-refund ng order ko?", "tl"),
        ("please check my order for Mr. Bhai", "en"),
        ("mein Paket und mein Geld sind weg", "de"),
    ],
)
def test_mixed_in_latin_letters_a_text_is_in_the_language_of_its_sentence(
    text: str, code: str
) -> None:
    assert language_of(text).code == code


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Syarikat ini tidak menjawab kerana tutup", "ms"),
        ("Perusahaan ini tidak menjawab karena tutup", "id"),
        ("Можно вернуть деньги за этот заказ?", "ru"),
        ("Де моє замовлення і коли його привезуть?", "uk"),
        ("माझी ऑर्डर कुठे आहे, मला वेळ नाही", "mr"),
    ],
)
def test_neighbours_are_told_apart_by_words_and_letters_of_their_own(text: str, code: str) -> None:
    assert language_of(text).code == code


@pytest.mark.parametrize("text", ["Cần phải khuyến khích", "lý trí và lương tâm"])
def test_accents_written_apart_are_the_letters_they_look_like(text: str) -> None:
    apart = unicodedata.normalize("NFD", text)
    assert language_of(apart) == language_of(text)
    assert language_of(apart).code == "vi"


def test_a_text_is_in_no_language_that_is_written_in_another_script() -> None:
    text = "có thẩm quyền".translate({ord("ẩ"): "a", ord("ề"): "e"})
    assert language_of(text).code not in {"ru", "zh", "ja"}


def test_a_link_and_code_do_not_count() -> None:
    assert language_of("ดูที่ https://example.com/some/english/words ครับ").shares == {"th": 1.0}
    assert language_of("ช่วยดูหน่อย\n```\nprint the number of words\n```").shares == {"th": 1.0}


@given(
    st.lists(st.one_of(st.text(max_size=40), st.sampled_from(list(SENTENCES.values()))), max_size=4)
)
def test_a_text_has_the_same_language_whatever_is_around_it(texts: list[str]) -> None:
    assert list(languages_of(texts)) == [language_of(text) for text in texts]


def test_a_megabyte_of_text_has_a_language() -> None:
    assert language_of("Where is my order? " * 60_000).code == "en"
