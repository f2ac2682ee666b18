"""What is said in a cluster more than elsewhere: its terms, as they are written.

After class-based TF-IDF (Grootendorst 2022), over the share of a cluster's texts that have a term,
so that nobody's repetitions count. A term weighs by how much larger that share is than the mean of
all classes, so that function words weigh nothing in any language. It is a word, a pair of words or,
in scripts without spaces, a piece of up to `_LONGEST` characters. Only what enough different users
wrote is ever written out.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from conversation_analytics.categorization.characters import (
    GLYPH,
    LETTER,
    Kinds,
    code_points,
    kinds_of,
)
from conversation_analytics.categorization.discovery.clusters import Cluster
from conversation_analytics.categorization.discovery.texts import Conversations, Places, chunks
from conversation_analytics.categorization.features import Features, Found, Hashes, extract

Shares = NDArray[np.float64]

_SHOWN: Final = 8  # terms of a topic
_CANDIDATES: Final = 200
_LEAST_SHARE: Final = 0.1  # of a cluster's texts
_LEAST_PRECISION: Final = 0.2  # so that function words are no terms, and in no term of two words
_LOOKED_AT: Final = 500  # texts of a cluster
_LOOKED_AT_BESIDE: Final = 1_000  # texts of a language that are in none
_LONGEST: Final = 16  # characters of a piece
_SAME: Final = 0.6  # of a term's users also write a longer one with it in it: that one is meant
_NOBODY: Final = 2**62  # users: so many wrote nothing, so that no term is written out
_FEATURES: Final = 48  # features by which a cluster is known again
_MULTIPLIER: Final = np.uint64(0x9E3779B97F4A7C15)
# Thai and Lao vowels that are written before their consonant, Khmer's sign that joins the next one.
_GOES_ON: Final = "เแโใไເແໂໃໄ\u17d2"
# Thai and Lao vowels and signs that are written behind their consonant, as marks are.
_FOLLOWS: Final = "ะาำๅๆະາຳໆ"


@dataclass(frozen=True)
class Term:
    """What is said in a cluster.

    Attributes:
        text: as it is written there, in lower case.
        users: different users who wrote it, among the texts looked at.
        share: of the cluster's texts, how many have it.
        precision: of all texts of the language that have it, how many are the cluster's.
    """

    text: str
    users: int
    share: float
    precision: float


@dataclass(frozen=True)
class Profile:
    """What a cluster is about.

    Attributes:
        terms: the most telling first.
        features: weights of its most telling features by bucket: a vector of length 1.
    """

    terms: tuple[Term, ...]
    features: dict[int, float]


@dataclass(frozen=True)
class _Counts:
    """How many of some texts have what.

    Attributes:
        size: texts that they stand for.
        hashes: of the terms, ascending, each once.
        shares: of the texts, how many have each.
        users: how many users wrote each.
        buckets: of the features, ascending, each once.
        bucket_shares: of the texts, how many have each.
        written: each term that enough users wrote.
    """

    size: int
    hashes: Hashes
    shares: Shares
    users: Places
    buckets: NDArray[np.int32]
    bucket_shares: Shares
    written: dict[int, str]


def profiles(
    conversations: Conversations, clusters: Sequence[Cluster], *, min_users: int
) -> list[Profile]:
    """What each cluster is about, as against the others of its language and what is in none.

    Args:
        conversations: all of them.
        clusters: their clusters.
        min_users: users who must have written a term for it to be among a cluster's.
    """
    found: dict[int, Profile] = {}
    for language, places in conversations.languages.items():
        own = [n for n, cluster in enumerate(clusters) if cluster.language == language]
        if not own:
            continue
        members = [clusters[n].members for n in own]
        noise = np.setdiff1d(places, np.concatenate(members))
        looked = [conversations.sample(some, _LOOKED_AT) for some in members]
        counts = [
            _counted(conversations, some, len(all_), min_users)
            for some, all_ in zip(looked, members, strict=True)
        ]
        beside = conversations.sample(noise, _LOOKED_AT_BESIDE)
        rest = _counted(conversations, beside, len(noise), _NOBODY)
        found.update(zip(own, _compared(counts, rest), strict=True))
    return [found[n] for n in range(len(clusters))]


def _compared(counts: list[_Counts], rest: _Counts) -> Iterator[Profile]:
    classes = [one for one in (*counts, rest) if one.size]
    terms = _mean([(one.hashes, one.shares) for one in classes])
    weighted = _mean([(one.hashes, one.shares * one.size) for one in classes])
    features = _mean([(one.buckets, one.bucket_shares) for one in classes])
    for one in counts:
        everywhere = _looked_up(terms, one.hashes)
        weights = one.shares * np.log(one.shares / everywhere)
        in_all = _looked_up(weighted, one.hashes) * len(classes)
        yield Profile(
            tuple(_chosen(one, weights, one.shares * one.size / in_all)),
            _signature(one.buckets, one.bucket_shares, _looked_up(features, one.buckets)),
        )


def _chosen(counts: _Counts, weights: Shares, precision: Shares) -> Iterator[Term]:
    """The most telling terms, none of which is part of another."""
    places = {counts.written[key]: n for n, key in _known(counts)}
    telling = {
        text: n for text, n in places.items() if weights[n] > 0 and precision[n] >= _LEAST_PRECISION
    }
    fit = [
        text
        for text, n in telling.items()
        if counts.shares[n] >= _LEAST_SHARE and all(word in telling for word in text.split())
    ]
    fit.sort(key=lambda text: (-weights[places[text]] * precision[places[text]], text))
    kept: list[str] = []
    for text in fit[:_CANDIDATES]:
        n = places[text]
        if any(_says_again(text, one) for one in kept) or any(
            counts.users[places[longer]] >= _SAME * counts.users[n]
            for longer in fit
            if longer != text and _is_part(text, longer)
        ):
            continue
        kept.append(text)
        yield Term(text, int(counts.users[n]), float(counts.shares[n]), float(precision[n]))
        if len(kept) == _SHOWN:
            return


def _known(counts: _Counts) -> Iterator[tuple[int, int]]:
    """Place and hash of each term that is written out."""
    return ((n, key) for n, key in enumerate(counts.hashes.tolist()) if key in counts.written)


def _is_part(text: str, other: str) -> bool:
    """Whether a term stands in another: as whole words, or anywhere where none are told apart."""
    return text in other and (_is_piece(text) or f" {text} " in f" {other} ")


def _says_again(text: str, other: str) -> bool:
    """Whether a term is part of another, or half of it where no words are told apart."""
    if _is_part(text, other) or _is_part(other, text):
        return True
    shorter = min(len(text), len(other))
    return _is_piece(text) and any(
        text.endswith(other[:size]) or other.endswith(text[:size])
        for size in range((shorter + 1) // 2, shorter)
    )


def _is_piece(text: str) -> bool:
    return bool(kinds_of(code_points(text[0]))[0] == GLYPH)


def _signature(found: NDArray[np.int32], shares: Shares, everywhere: Shares) -> dict[int, float]:
    weights = shares * np.log(shares / everywhere)
    most = np.argsort(-weights, kind="stable")[:_FEATURES]
    most = most[weights[most] > 0]
    length = np.linalg.norm(weights[most])
    return {
        int(bucket): round(float(weight / length), 4)
        for bucket, weight in zip(found[most], weights[most], strict=True)
    }


def _mean(counted: list[tuple[NDArray[np.generic], Shares]]) -> tuple[NDArray[np.generic], Shares]:
    """The mean of each key's values over all classes, which are 0 where a class lacks it."""
    keys, inverse = np.unique(np.concatenate([key for key, _ in counted]), return_inverse=True)
    values = np.concatenate([value for _, value in counted])
    return keys, np.bincount(inverse, weights=values) / len(counted)


def _looked_up(means: tuple[NDArray[np.generic], Shares], wanted: NDArray[np.generic]) -> Shares:
    keys, values = means
    found: Shares = values[np.searchsorted(keys, wanted)]
    return found


def _counted(conversations: Conversations, places: Places, size: int, least: int) -> _Counts:
    """What is in some texts; only what so many users wrote is written out."""
    parts = [extract(chunk) for chunk in chunks(conversations.texts(places))]
    found = [_terms(features) for features in parts]
    ends = np.cumsum([features.count for features in parts], dtype=np.int64)
    docs = [
        features.docs[terms.starts] + (end - features.count)
        for features, terms, end in zip(parts, found, ends, strict=True)
    ]
    every = np.concatenate([np.zeros(0, np.uint64), *(terms.hashes for terms in found)])
    owners = np.concatenate([np.zeros(0, np.int64), *docs])
    hashes, having = _distinct(every, owners)
    users = _distinct(every, conversations.users[places][owners])[1]
    known, times = np.unique(
        np.concatenate([np.zeros(0, np.int32), *(features.entries.buckets for features in parts)]),
        return_counts=True,
    )
    written: dict[int, str] = {}
    for features, terms in zip(parts, found, strict=True):
        written |= _written(features, terms, hashes[users >= least])
    texts = max(len(places), 1)
    return _Counts(size, hashes, having / texts, users, known, times / texts, written)


def _written(features: Features, terms: Found, wanted: Hashes) -> dict[int, str]:
    """Some terms as they are written, by hash."""
    hashes, firsts = np.unique(terms.hashes, return_index=True)
    there = np.isin(hashes, wanted)
    places = zip(
        terms.starts[firsts[there]].tolist(), terms.ends[firsts[there]].tolist(), strict=True
    )
    return {
        key: features.written(*place)
        for key, place in zip(hashes[there].tolist(), places, strict=True)
    }


def _distinct(hashes: Hashes, owners: Places) -> tuple[Hashes, Places]:
    """Each hash once, ascending, and how many different owners it has."""
    order = np.lexsort((owners, hashes))
    hashes, owners = hashes[order], owners[order]
    new = np.ones(len(hashes), dtype=bool)
    new[1:] = (hashes[1:] != hashes[:-1]) | (owners[1:] != owners[:-1])
    found, counts = np.unique(hashes[new], return_counts=True)
    return found, counts


def _terms(features: Features) -> Found:
    """Words and pairs of words with letters, and pieces of what is written without spaces."""
    kinds = kinds_of(features.codes)
    words, pairs = features.words, features.pairs
    fit = (kinds[words.starts] == LETTER) & (words.ends - words.starts > 1)
    first = np.searchsorted(words.starts, pairs.starts)
    both = fit[first] & fit[np.searchsorted(words.ends, pairs.ends)]
    found = [_some(words, fit), _some(pairs, both), *_pieces(features, kinds)]
    return Found(*(np.concatenate(parts) for parts in zip(*found, strict=True)))


def _some(found: Found, chosen: NDArray[np.bool_]) -> Found:
    return Found(found.hashes[chosen], found.starts[chosen], found.ends[chosen])


def _pieces(features: Features, kinds: Kinds) -> Iterator[Found]:
    """Runs of glyphs of every length from 2, that break no character from its marks."""
    codes = features.codes
    glyphs = kinds == GLYPH
    mark = np.isin(codes, [one for one in np.unique(codes).tolist() if _is_mark(chr(one))])
    goes_on = np.isin(codes, [ord(one) for one in _GOES_ON])
    begins = glyphs & ~mark
    begins[1:] &= ~goes_on[:-1]
    ends = glyphs & ~goes_on
    ends[:-1] &= ~mark[1:]
    before = np.concatenate([[0], np.cumsum(~glyphs)])
    values = codes.astype(np.uint64) + np.uint64(1)
    rolling = values
    for size in range(2, min(_LONGEST, len(codes)) + 1):
        rolling = rolling[:-1] * _MULTIPLIER + values[size - 1 :]
        whole = before[size:] == before[: len(codes) - size + 1]
        starts = np.flatnonzero(whole & begins[: len(whole)] & ends[size - 1 :])
        yield Found(rolling[starts], starts, starts + size)


def _is_mark(character: str) -> bool:
    return character in _FOLLOWS or unicodedata.category(character)[0] == "M"
