"""The asset of translations: messages and titles in a language that everyone here reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg

from conversation_analytics.assets.lake_tables import derived_asset
from conversation_analytics.schemas import CATEGORIES, CONVERSATIONS, MESSAGES
from conversation_analytics.settings import Settings
from conversation_analytics.storage.lake import Lake
from conversation_analytics.storage.layout import TRANSLATIONS_UNIT

if TYPE_CHECKING:
    from conversation_analytics.resources.dify import DifyResource
    from conversation_analytics.transforms.derived import Derivation

GROUP = "translations"


def translation_assets(
    settings: Settings, partitions: dg.PartitionsDefinition[str]
) -> list[dg.AssetsDefinition]:
    """The asset of translations for the settings; without Dify its days are empty."""

    def derivation(lake: Lake, dify: DifyResource | None) -> Derivation:
        from conversation_analytics.translation.days import translations_derivation

        if dify is None:
            return translations_derivation(settings)
        return translations_derivation(
            settings, lambda contract: dify.asker("translate", lake.store, contract)
        )

    return [
        derived_asset(
            settings,
            partitions,
            TRANSLATIONS_UNIT,
            derivation,
            group=GROUP,
            deps=(CONVERSATIONS.name, MESSAGES.name, CATEGORIES.name),
            asks_dify=settings.dify_base_url is not None,
        )
    ]
