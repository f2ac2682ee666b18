"""Topics found among the conversations that fit none."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from conversation_analytics.categorization.discovery.clusters import Cluster, find_clusters
from conversation_analytics.categorization.discovery.lineage import Found, Lineage, State, follow
from conversation_analytics.categorization.discovery.naming import (
    Representative,
    name_of,
    representatives,
    unique_name,
)
from conversation_analytics.categorization.discovery.terms import Profile, Term, profiles
from conversation_analytics.categorization.discovery.texts import Conversations

MEMBERS: Final = pa.schema(
    [
        pa.field("conversation_id", pa.string(), nullable=False),
        pa.field("topic_id", pa.int64(), nullable=False),
    ]
)


@dataclass(frozen=True)
class Topic:
    """A topic that enough users have for it to be shown.

    Attributes:
        id: its own, in this and every later run.
        name: what a taxonomy could call it.
        terms: what is said in it, the most telling first.
        representatives: conversations that stand for it.
        size: conversations.
        users: different users.
        share: of the run's conversations.
        language: theirs.
        first_seen: start of the first.
        last_seen: start of the last.
    """

    id: int
    name: str
    terms: tuple[Term, ...]
    representatives: tuple[Representative, ...]
    size: int
    users: int
    share: float
    language: str
    first_seen: datetime | None
    last_seen: datetime | None


@dataclass(frozen=True)
class Discovery:
    """What a run found.

    Attributes:
        conversations: how many it looked at.
        topics: those shown, the largest first.
        hidden: topics that too few users have: counted, and followed, but not shown.
        hidden_conversations: conversations in those.
        unclustered: conversations in no topic.
        members: `MEMBERS` of the topics shown.
        lineage: how all topics, shown or not, follow from those of the run before.
    """

    conversations: int
    topics: tuple[Topic, ...]
    hidden: int
    hidden_conversations: int
    unclustered: int
    members: pa.Table
    lineage: Lineage

    @property
    def state(self) -> State:
        """What the next run needs of this one."""
        return self.lineage.state


def discover(
    conversations: Conversations,
    before: State | None = None,
    *,
    min_users: int,
) -> Discovery:
    """Find the topics of conversations that fit none, and follow those of the run before.

    The same conversations give the same, whatever their order. None at all, too few, or such as
    have no words in common give no topics.

    Args:
        conversations: those that fit no topic.
        before: what the run before left; null if there was none.
        min_users: different users that a topic must have to be shown, and a term to be among its.

    Raises:
        ValueError: `min_users` is below 1.
    """
    if min_users < 1:
        raise ValueError(f"min_users is {min_users} and must be at least 1")
    clusters = find_clusters(conversations)
    clusters.sort(key=lambda one: (-len(one.members), int(one.members[0])))
    described = profiles(conversations, clusters, min_users=min_users)
    lineage = follow(
        before or State(),
        [
            Found(conversations.hashes[cluster.members], profile.features)
            for cluster, profile in zip(clusters, described, strict=True)
        ],
        conversations.hashes,
    )
    shown: list[Topic] = []
    members = [MEMBERS.empty_table()]
    for cluster, profile, id_ in zip(clusters, described, lineage.ids, strict=True):
        users = len(np.unique(conversations.users[cluster.members]))
        if users < min_users:
            continue
        name = unique_name(name_of(profile.terms, id_), id_, [one.name for one in shown])
        topic = _topic(conversations, cluster, profile, id_, users, name)
        shown.append(topic)
        ids = pa.array(conversations.ids(cluster.members), pa.string())
        members.append(pa.table([ids, pa.repeat(topic.id, topic.size)], schema=MEMBERS))
    clustered = sum(len(cluster.members) for cluster in clusters)
    return Discovery(
        conversations=len(conversations),
        topics=tuple(shown),
        hidden=len(clusters) - len(shown),
        hidden_conversations=clustered - sum(topic.size for topic in shown),
        unclustered=len(conversations) - clustered,
        members=pa.concat_tables(members),
        lineage=lineage,
    )


def _topic(
    conversations: Conversations,
    cluster: Cluster,
    profile: Profile,
    id_: int,
    users: int,
    name: str,
) -> Topic:
    span = pc.min_max(conversations.table["started_at"].take(cluster.members)).as_py()
    return Topic(
        id=id_,
        name=name,
        terms=profile.terms,
        representatives=representatives(conversations, cluster),
        size=len(cluster.members),
        users=users,
        share=len(cluster.members) / len(conversations),
        language=cluster.language,
        first_seen=span["min"],
        last_seen=span["max"],
    )
