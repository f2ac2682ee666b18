"""What a found topic is called, and which conversations stand for it; texts without contacts."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from conversation_analytics.categorization.discovery.clusters import Cluster
from conversation_analytics.categorization.discovery.terms import Term
from conversation_analytics.categorization.discovery.texts import Conversations
from conversation_analytics.categorization.taxonomy import is_name

_REPRESENTATIVES: Final = 3
_LOOKED_AT: Final = 50  # texts nearest the centre among which the representatives are sought
_LONGEST: Final = 200  # characters of a representative's text
_NAMED_BY: Final = 3  # terms

# In this order: an address or a link may have digits in it.
_MASKS: Final = (
    (re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE), "[link]"),
    (re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"), "[email]"),
    (re.compile(r"(?<!\w)@\w+"), "[user]"),
    (re.compile(r"\+?\d(?:[\s().-]{0,2}\d){5,}"), "[number]"),
)


@dataclass(frozen=True)
class Representative:
    """A conversation that stands for its topic.

    Attributes:
        conversation_id: its id.
        text: what the user wrote, masked and shortened.
    """

    conversation_id: str
    text: str


def masked(text: str) -> str:
    """A text on one line without links, addresses, mentions, and numbers of six digits or more."""
    for pattern, shown in _MASKS:
        text = pattern.sub(shown, text)
    return " ".join(text.split())


def name_of(terms: Sequence[Term], id_: int) -> str:
    """What a taxonomy could call a topic: its most telling terms."""
    words = [term.text for term in terms if is_name(term.text)]
    return " / ".join(words[:_NAMED_BY]) or f"topic {id_}"


def unique_name(name: str, id_: int, taken: Collection[str]) -> str:
    """A name that no other has, in whatever case; a topic's id tells it from its namesake."""
    names = {one.casefold() for one in taken}
    name = name if name.casefold() not in names else f"{name} {id_}"
    while name.casefold() in names:
        name += "_"
    return name


def representatives(conversations: Conversations, cluster: Cluster) -> tuple[Representative, ...]:
    """The conversations nearest to a cluster's centre, each of another user, no text twice."""
    central = cluster.central[:_LOOKED_AT]
    users = conversations.users[central].tolist()
    texts = [_shown(text) for text in conversations.texts(central)]
    chosen: list[Representative] = []
    seen: set[int] = set()
    for id_, user, text in zip(conversations.ids(central), users, texts, strict=True):
        if text and user not in seen and all(text != one.text for one in chosen):
            seen.add(user)
            chosen.append(Representative(id_, text))
            if len(chosen) == _REPRESENTATIVES:
                break
    return tuple(chosen)


def _shown(text: str) -> str:
    text = masked(text)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1].rstrip()}…"
