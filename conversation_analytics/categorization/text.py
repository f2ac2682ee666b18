"""Texts made ready to be looked at: one way of writing, and no more than can matter."""

from __future__ import annotations

import re
import unicodedata

LONGEST = 8_000
"""Characters of a text that are looked at: the first three quarters and the last quarter."""

_URL = re.compile(r"(?:https?://|www\.)\S+")
_MENTION = re.compile(r"(?<!\w)@\w+")
_CODE = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)


def shortened(text: str) -> str:
    """The beginning and the end of a text longer than `LONGEST`."""
    if len(text) <= LONGEST:
        return text
    tail = LONGEST // 4
    return f"{text[: LONGEST - tail - 1]} {text[-tail:]}"


def without_code(text: str) -> str:
    """A text without fenced blocks of code, in which nobody speaks."""
    return _CODE.sub(" ", text) if "```" in text else text


def normalized(text: str) -> str:
    """A text in lower case and Unicode's compatibility form (NFKC), links and names replaced.

    So that what reads the same is the same: full-width and half-width letters, ligatures, case.
    A link becomes `http`, a mention `@user`; fenced code goes, as does the middle of a long text.
    """
    text = unicodedata.normalize("NFKC", without_code(shortened(text))).lower()
    if "http" in text or "www." in text:
        text = _URL.sub(" http ", text)
    if "@" in text:
        text = _MENTION.sub("@user", text)
    return text


def as_read(text: str) -> str:
    """A text on one line as `normalized` has it: texts that read the same are the same."""
    return " ".join(normalized(text).split())


def spoken(text: str) -> str:
    """A text on one line without code, links and mentions: what tells its language."""
    text = without_code(shortened(text))
    if "http" in text or "www." in text:
        text = _URL.sub(" ", text)
    if "@" in text:
        text = _MENTION.sub(" ", text)
    return " ".join(text.split())
