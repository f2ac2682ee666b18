"""The assets of categories: labels of messages and conversations, and what decides them."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import dagster as dg

from conversation_analytics.assets.lake_tables import OWNER, derived_asset
from conversation_analytics.io_managers.day_stream import DATA_VERSION_TAG
from conversation_analytics.io_managers.parquet import TAXONOMY
from conversation_analytics.schemas import CONVERSATIONS, MESSAGES
from conversation_analytics.settings import Settings
from conversation_analytics.storage.lake import Lake
from conversation_analytics.storage.layout import CATEGORIES_UNIT

if TYPE_CHECKING:
    from conversation_analytics.categorization.labeller import Labeller
    from conversation_analytics.resources.dify import DifyResource
    from conversation_analytics.transforms.derived import Derivation

GROUP = "categories"


def category_assets(
    settings: Settings, partitions: dg.PartitionsDefinition[str]
) -> list[dg.AssetsDefinition]:
    """The assets of categories for the settings."""

    def derivation(lake: Lake, dify: DifyResource | None) -> Derivation:
        from conversation_analytics.categorization.days import categories_derivation

        if dify is None:
            return categories_derivation(settings, lake)
        return categories_derivation(
            settings, lake, lambda contract: dify.asker("categorize", lake.store, contract)
        )

    return [
        derived_asset(
            settings,
            partitions,
            CATEGORIES_UNIT,
            derivation,
            group=GROUP,
            deps=(CONVERSATIONS.name, MESSAGES.name, TAXONOMY),
            observed=lambda: _observation(settings),
            asks_dify=settings.llm_scope is not None,
        )
    ]


def taxonomy_asset(settings: Settings) -> dg.AssetsDefinition:
    """What decides labels: its version changes with the taxonomy and with every model."""
    spec = dg.AssetSpec(
        TAXONOMY,
        group_name=GROUP,
        description="The intents and topics of TAXONOMY_FILE, and the models that tell them. Days "
        "labelled by an earlier version are stale: `backfill --stale` labels them again.",
        kinds={"yaml"},
        owners=[OWNER],
    )

    def taxonomy() -> dg.ObserveResult:
        found = _observation(settings)
        version = dg.DataVersion(found.tags[DATA_VERSION_TAG])
        return dg.ObserveResult(asset_key=TAXONOMY, data_version=version, metadata=found.metadata)

    with warnings.catch_warnings():
        # New in Dagster; the one of old knows no owners, and the worst that can change is the look.
        warnings.simplefilter("ignore", dg.BetaWarning)
        made: dg.AssetsDefinition = dg.multi_observable_source_asset(name=TAXONOMY, specs=[spec])(
            taxonomy
        )
    return made


def _observation(settings: Settings) -> dg.AssetObservation:
    """What decides labels now, for Dagster to tell which days were labelled by something else."""
    from conversation_analytics.categorization.days import labeller_for

    labeller = labeller_for(settings)
    tags = {DATA_VERSION_TAG: labeller.version}
    return dg.AssetObservation(TAXONOMY, metadata=_shown(labeller), tags=tags)


def _shown(labeller: Labeller) -> dict[str, Any]:
    """What to show of the labels there are and of who gives them."""
    tasks = {"intent": labeller.intents, "topic": labeller.topics}
    return {
        **{
            f"{task}s": dg.MetadataValue.json(list(one.section.names))
            for task, one in tasks.items()
        },
        **{f"{task}s_version": one.section.version for task, one in tasks.items()},
        "languages_with_sentiment": dg.MetadataValue.json(sorted(labeller.sentiment.languages)),
        "sentiment_model": labeller.sentiment.version,
        **({"llm": labeller.llm.contract.workflow} if labeller.llm else {}),
        "corrections": len(labeller.corrections.labels),
    }
