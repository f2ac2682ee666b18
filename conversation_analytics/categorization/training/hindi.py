"""Feeling words of Hindi as people write them in chats: in Latin letters, spelt as they like.

The published word list is in Devanagari, which those texts are not. Its words are written in Latin
letters by sound, in the spellings that are usual; words of chats that it lacks are listed here.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from itertools import product
from typing import Final

_CONSONANTS: Final = "कखगघङचछजझञटठडढणतथदधनपफबभमयरलवशषसह"
_AS_CONSONANTS: Final = (
    "k kh g gh n ch chh j jh n t th d dh n t th d dh n p ph b bh m y r l v sh sh s h"
)
_AS_VOWELS: Final = "a aa i ee u oo ri e ai o au"
_AS_SIGNS: Final = "aa i ee u oo ri e ai o au o e"
_SOUNDS: Final = dict(zip(_CONSONANTS, _AS_CONSONANTS.split(), strict=True))
_DOTTED: Final = {"क": "q", "ज": "z", "फ": "f"}  # with a nukta; others sound as without
_VOWELS: Final = dict(zip("अआइईउऊऋएऐओऔ", _AS_VOWELS.split(), strict=True))
_SIGNS: Final = dict(zip("ािीुूृेैोौॉॅ", _AS_SIGNS.split(), strict=True))
_NUKTA: Final = "\u093c"
_VIRAMA: Final = "\u094d"
_NASALS: Final = "\u0901\u0902"
_SILENT: Final = "\u0903\u200c\u200d"

_ALSO_SPELT: Final = (
    ("aa", "a"),
    ("ee", "i"),
    ("oo", "u"),
    ("v", "w"),
    ("chchh", "chh"),
    ("chchh", "cch"),
    ("chchh", "ch"),
    ("z", "j"),
    ("ph", "f"),
)
_SHORT_AT_THE_END: Final = (("aa", "a"), ("ee", "i"))
_MOST_WORDS: Final = 2
_LEAST_LETTERS: Final = 4  # a shorter word may be anything

_INTENSIFIERS: Final = (
    "bahut bahot bohot bohat bhot bht boht bhut kitna kitni itna itni ekdum ekdam sabse zyada "
    "jyada bilkul"
)
INTENSIFIERS: Final = dict.fromkeys(_INTENSIFIERS.split(), 0.3)
_OF_CHATS: Final = {
    3: "zabardast jabardast shandar shaandar lajawab lajawaab behtareen behtarin kamaal kamal "
    "gazab gajab gzb jhakaas jhakas bindaas umda mubarak badhai badhaai",
    2: "accha acha achha acchi achi achhi acche ache achhe badhiya badiya bdhiya mast mst "
    "sundar khubsurat khoobsurat pyara pyaara pyari pyaari pyare pyar pyaar mohabbat ishq "
    "khush khushi maza mazaa mja maja mazedar mazedaar shukriya dhanyawad dhanyavaad "
    "shabash jeet jeeta dua imandar pasand pasnd vishwas bharosa himmat sukoon garv "
    "zindabad shubh",
    1: "sahi shi thik theek thk waah wah umeed ummid sach fayda faida",
    -1: "kam nakli jhagda shak thak bhook bukhar majboor gareeb garib",
    -2: "bura buri bure kharab kharaab khrab bekar bekaar ganda gandi gande gussa dukh dukhi "
    "dard drd rona royi udas udaas pareshan preshan jhooth jhuth jhoot jhutha dhokha dhoka "
    "gaddar chor bhrashtachar mushkil takleef taklif maut maar mara badnam sharam sharm "
    "besharam galat glat galti mahanga mehnga bimar dar darr afsos haar pagal paagal "
    "bewakoof bevkuf faltu ghamand chinta khatra khatarnak shikayat naraz naraaz akela "
    "akeli tanha dushman nuksan",
    -3: "bakwas bakwaas ghatiya harami haraami kamina kamine kutta kutte kutiya chutiya chutiye "
    "madarchod behenchod bhosdike gandu randi nafrat lanat barbad barbaad tabah",
}


@dataclass
class _Syllable:
    consonant: str
    vowel: str
    inherent: bool = False  # an `a` that is not written, and at some places not said


def words_in_latin(listed: Mapping[str, float], *, others: Container[str]) -> dict[str, float]:
    """Valences of Hindi words, by how they are spelt in Latin letters.

    Args:
        listed: valences of words in Devanagari; words in other letters are left out.
        others: words that mean something in English, which they are then taken for.
    """
    found: dict[str, float] = {}
    for phrase, valence in listed.items():
        words = [_spellings(word) for word in phrase.split()]
        if len(words) > _MOST_WORDS:
            continue
        for spelt in product(*words):
            whole = " ".join(spelt)
            if len(whole) >= _LEAST_LETTERS and not any(word in others for word in spelt):
                found.setdefault(whole, valence)
    chats = {word: float(by) for by, words in _OF_CHATS.items() for word in words.split()}
    return found | chats


def _spellings(word: str) -> list[str]:
    """How a word is spelt in Latin letters; nothing if it is not in Devanagari."""
    sound = romanised(word)
    found = reduce(
        lambda known, swap: known | {one.replace(*swap) for one in known},
        _ALSO_SPELT,
        {sound} if sound else set(),
    )
    for long, short in _SHORT_AT_THE_END:
        found |= {f"{one.removesuffix(long)}{short}" for one in found if one.endswith(long)}
    return sorted(found)


def romanised(word: str) -> str:
    """A word in Devanagari by its sound, in Latin letters; empty if it has others.

    An inherent vowel is not said at the end, nor between syllables that have a vowel of their own
    (the schwa deletion of Hindi, after Ohala 1983).
    """
    try:
        syllables = list(_syllables(unicodedata.normalize("NFD", word)))
    except KeyError:
        return ""
    if len(syllables) > 1 and syllables[-1].inherent:
        syllables[-1].vowel = ""
    for number in range(len(syllables) - 2, 0, -1):
        before, here, after = syllables[number - 1 : number + 2]
        if here.inherent and before.vowel and after.consonant and after.vowel:
            here.vowel = ""
    return "".join(one.consonant + one.vowel for one in syllables)


def _syllables(word: str) -> Iterator[_Syllable]:
    """Consonants with their vowels.

    Raises:
        KeyError: a character is none of Devanagari's.
    """
    place = 0
    while place < len(word):
        letter, place = word[place], place + 1
        if letter in _NASALS:
            yield _Syllable("n", "")
        elif letter in _VOWELS:
            yield _Syllable("", _VOWELS[letter])
        elif letter not in _SILENT:
            sound = _SOUNDS[letter]
            if word[place : place + 1] == _NUKTA:
                sound, place = _DOTTED.get(letter, sound), place + 1
            sign = word[place : place + 1]
            if sign == _VIRAMA or sign in _SIGNS:
                place += len(sign)
                yield _Syllable(sound, _SIGNS.get(sign, ""))
            else:
                yield _Syllable(sound, "a", inherent=True)
