"""The asset of topics that the taxonomy does not have, found every week."""

from typing import TYPE_CHECKING, Any

import dagster as dg

from conversation_analytics.assets.category_tables import GROUP
from conversation_analytics.assets.lake_tables import OWNER
from conversation_analytics.io_managers.metadata import markdown_table, picture
from conversation_analytics.io_managers.retries import retried_if_unavailable, step_retries
from conversation_analytics.resources.lake import LakeResource
from conversation_analytics.schemas import CATEGORIES
from conversation_analytics.settings import Settings
from conversation_analytics.storage.identity import LakeIdentity, ensure_identity

if TYPE_CHECKING:
    from conversation_analytics.categorization.discovery.discover import Discovery

DISCOVERED_TOPICS = "discovered_topics"


def discovered_topics_asset(settings: Settings) -> dg.AssetsDefinition:
    """The topics for the settings: no partitions, since they are of all days together."""

    @dg.asset(
        name=DISCOVERED_TOPICS,
        group_name=GROUP,
        deps=[CATEGORIES.name],
        kinds={"scikitlearn"},
        owners=[OWNER],
        description="Topics of the conversations that none of TAXONOMY_FILE fits, followed from "
        "week to week, with a patch that `topics accept` puts into the taxonomy.",
        code_version="1",
    )
    def discovered_topics(context: dg.AssetExecutionContext, lake: LakeResource) -> None:
        from conversation_analytics.categorization.discovery.gathering import rediscover
        from conversation_analytics.categorization.discovery.proposal import propose
        from conversation_analytics.categorization.taxonomy import DEFAULT_FILE, load_taxonomy

        taxonomy = load_taxonomy(settings.taxonomy_file or DEFAULT_FILE)
        with retried_if_unavailable(context, step_retries(settings)):
            opened = lake.open()
            ensure_identity(opened.store, LakeIdentity.of(settings))
            found = rediscover(opened, min_users=settings.min_users_per_cell)
        context.add_output_metadata(_shown(found, propose(found.topics, taxonomy)))

    return discovered_topics


def _shown(found: "Discovery", patch: str) -> dict[str, Any]:
    """What to show of a discovery; nothing of topics that too few users have but their number."""
    from conversation_analytics.categorization.discovery.plot import bars

    return {
        "conversations_without_topic": found.conversations,
        "topics": len(found.topics),
        "topics_of_too_few_users": found.hidden,
        "conversations_like_no_others": found.unclustered,
        "found": dg.MetadataValue.md(markdown_table(_topics(found))),
        "events": dg.MetadataValue.md(markdown_table(_events(found))),
        "plot": dg.MetadataValue.md(picture("Topics", bars(found))),
        "patch": dg.MetadataValue.md(f"```yaml\n{patch}```"),
    }


def _topics(found: "Discovery") -> list[dict[str, object]]:
    return [
        {
            "id": topic.id,
            "topic": topic.name,
            "conversations": topic.size,
            "users": topic.users,
            "language": topic.language,
        }
        for topic in found.topics
    ]


def _events(found: "Discovery") -> list[dict[str, object]]:
    """What happened since the last discovery to its topics, and how those shown came about."""
    shown = {topic.id for topic in found.topics}
    ended = [(one.topic, one.words) for one in found.lineage.ended if one.fate != "continued"]
    began = [
        (one.topic, one.words)
        for one in found.lineage.began
        if one.origin != "continued" and one.topic in shown
    ]
    return [{"id": id_, "what": words} for id_, words in ended + began]
