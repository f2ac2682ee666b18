"""Words and letters that tell languages apart which fastText's model confuses in short texts."""

from __future__ import annotations

import re
from typing import Final

_WORD: Final = re.compile(r"[^\W\d_]+")
_ENOUGH: Final = 2  # Hindi words in Latin letters, and
_OFTEN: Final = 0.2  # of all words: less is a name or a loan


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


# Languages written in a script of which one alone is not certain.
_WRITTEN_IN: Final = {
    "Cyrillic": _set(
        "ab av ba be bg bxr ce cv kk krc kv ky mhr mk mn mrj myv os ru rue sah sr tg tt tyv uk xal"
        " sh"
    ),
    "Arabic": _set("ar arz azb ckb fa ku mzn pnb ps sd ug ur yi"),
    "Devanagari": _set("bh dty gom hi mai mr ne new sa"),
    "Bengali": _set("as bn bpy"),
}
_NEVER_LATIN: Final = (
    frozenset().union(*_WRITTEN_IN.values())
    | _set("am bo dv el gu he hy ja ka km kn ko lo ml my or pa si ta te th wuu xmf yue zh")
) - {"hi", "kk", "ku", "sh", "sr", "tt"}

# Letters that a language does not have, but the second one does.
_LETTERS: Final = (
    ("cs", frozenset("ľĺŕôä"), "sk"),
    ("sk", frozenset("ěřů"), "cs"),
    ("da no", frozenset("äö"), "sv"),
    ("ru bg mk", frozenset("іїєґ"), "uk"),
    ("uk bg mk", frozenset("ыэё"), "ru"),
    ("ru bg mk uk", frozenset("ђћ"), "sr"),
    ("hi ne", frozenset("ळ"), "mr"),
    ("ar fa", frozenset("ٹڈڑں"), "ur"),
)
_FOREIGN: Final = {
    language: [
        (letters, instead) for said, letters, instead in _LETTERS if language in said.split()
    ]
    for language in _set(" ".join(said for said, _, _ in _LETTERS))
}

# Only what the other of the two neither says nor writes so.
_INDONESIAN: Final = _set(
    "aja akun bahwa banget berbeda bisa coba dibatalkan dikirim enggak gak gimana gue handphone"
    " kalian kantor kapan karena kartu kebutuhan kualitas layanan mobil nggak pengiriman perusahaan"
    " ponsel rekening rusak sepeda silahkan silakan telepon terdaftar uang udah universitas"
)
_MALAY: Final = _set(
    "akaun antarabangsa awak berbeza berkahwin cuba dihantar emel encik hantar hendaklah ialah"
    " jantina kad kedai kerana khidmat kualiti nak pejabat penghantaran perkhidmatan sahaja"
    " sebarang sekiranya semak sesiapa syarikat talian telefon universiti wang"
)
_HINDI: Final = _set(
    "aap aapka abhi accha achha bahut bhai chahiye gaya hai hain hoga hoon hua kaha kahan kaise"
    " karna karo karte kaun koi kuch kya kyon kyu kyun lekin mera mere meri mujhe nahi nahin"
    " phir raha rahe rahi sabhi sakta tha thi tumhara yaar yeh"
)


def is_written_in(language: str, script: str) -> bool:
    """Whether people write a language in a script; unknown of scripts not listed."""
    if script == "Latin":
        return language not in _NEVER_LATIN
    return script not in _WRITTEN_IN or language in _WRITTEN_IN[script]


def told_apart(language: str, text: str, script: str) -> str:
    """The language of a text, where its letters or words tell better than a model that says one.

    Args:
        language: what the model says.
        text: the text.
        script: which it is written in.
    """
    low = text.lower()
    for letters, instead in _FOREIGN.get(language, ()):
        if not letters.isdisjoint(low):
            return instead
    if script != "Latin":
        return language
    words = _WORD.findall(low)
    if not _HINDI.isdisjoint(words):
        hindi = sum(word in _HINDI for word in words)
        if hindi >= _ENOUGH and hindi >= _OFTEN * len(words):
            return "hi"
    if language in ("id", "ms"):
        malay = sum(word in _MALAY for word in words)
        indonesian = sum(word in _INDONESIAN for word in words)
        if malay != indonesian:
            return "ms" if malay > indonesian else "id"
    return language
