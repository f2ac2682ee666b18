"""Texts that lie close together: HDBSCAN (Campello et al. 2013), language by language.

Clustered together, a language with few texts is one cluster, because what tells it from the others
is the language; and what is rare in one is not what is rare in all. So each has a space of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from conversation_analytics.categorization.discovery.space import fit_space, unit
from conversation_analytics.categorization.discovery.texts import Conversations, Places, Vectors

SAMPLE: Final = 10_000
"""Texts of a language that are clustered; each further one goes where the nearest of them is."""

_SMALLEST: Final = 10  # texts of a cluster, at least
_NEIGHBOURS: Final = 5  # texts whose distance tells how dense it is around one (min_samples)
_NOISE: Final = -1


@dataclass(frozen=True)
class Cluster:
    """Texts of a language that lie close together.

    Attributes:
        language: theirs.
        members: their places, ascending.
        central: the same, the nearest to the centre first.
    """

    language: str
    members: Places
    central: Places


def find_clusters(conversations: Conversations) -> list[Cluster]:
    """The clusters of conversations; what lies in none of them is noise."""
    return [
        cluster
        for language, places in conversations.languages.items()
        for cluster in _of_language(conversations, language, places)
    ]


def _of_language(conversations: Conversations, language: str, places: Places) -> list[Cluster]:
    if len(places) < 2 * _SMALLEST:  # no two clusters, and one alone is told from nothing
        return []
    sample = conversations.sample(places, SAMPLE)
    vectors = _vectors(conversations, places, sample)
    there = vectors.any(axis=1)
    places, vectors = places[there], vectors[there]
    labels = _labels(vectors, np.isin(places, sample))
    found = []
    for label in range(labels.max(initial=_NOISE) + 1):
        own = labels == label
        members = places[own]
        near = vectors[own] @ vectors[own].mean(axis=0)
        central = members[np.argsort(-near, kind="stable")]
        found.append(Cluster(language, members, central))
    return found


def _vectors(conversations: Conversations, places: Places, sample: Places) -> Vectors:
    if conversations.vectors is not None:
        return unit(conversations.vectors[places])
    return fit_space(conversations.texts(sample)).place(conversations.texts(places))


def _labels(vectors: Vectors, sampled: NDArray[np.bool_]) -> Places:
    """The number of each text's cluster."""
    from sklearn.cluster import HDBSCAN
    from sklearn.metrics import pairwise_distances_argmin

    known = vectors[sampled]
    smallest = max(_SMALLEST, isqrt(len(known)) // 2)
    labels = np.full(len(vectors), _NOISE, dtype=np.int64)
    if len(known) < 2 * smallest or (known == known[0]).all():
        return labels
    found = HDBSCAN(
        min_cluster_size=smallest, min_samples=_NEIGHBOURS, algorithm="kd_tree", copy=True
    ).fit_predict(known)
    labels[sampled] = found
    if not sampled.all():
        labels[~sampled] = found[pairwise_distances_argmin(vectors[~sampled], known)]
    return labels
