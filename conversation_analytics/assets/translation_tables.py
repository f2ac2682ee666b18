"""The asset of translations: messages and titles in a language that everyone here reads."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import dagster as dg

from conversation_analytics.assets.lake_tables import derived_asset
from conversation_analytics.compute.runner import waiting_runner_for
from conversation_analytics.schemas import CATEGORIES, CONVERSATIONS, MESSAGES, TRANSLATIONS
from conversation_analytics.settings import Settings
from conversation_analytics.storage.lake import Lake
from conversation_analytics.storage.layout import TRANSLATIONS_UNIT

if TYPE_CHECKING:
    from conversation_analytics.transforms.derived import Derivation

GROUP = "translations"
DIFY = "dify"


def translation_assets(
    settings: Settings, partitions: dg.PartitionsDefinition[str]
) -> list[dg.AssetsDefinition]:
    """The asset of translations for the settings; without Dify its days are empty."""

    def derivation(lake: Lake, resources: Any) -> Derivation:
        from conversation_analytics.translation.days import translations_derivation

        return translations_derivation(
            settings, lambda contract: resources.dify.asker("translate", lake.store, contract)
        )

    return [
        derived_asset(
            settings,
            partitions,
            TRANSLATIONS_UNIT,
            derivation,
            group=GROUP,
            deps=(CONVERSATIONS.name, MESSAGES.name, CATEGORIES.name),
            runner=partial(waiting_runner_for, settings),
            resources=(DIFY,) if settings.dify_base_url else (),
            summed_up=_spent,
        )
    ]


def _spent(resources: Any) -> dg.AssetObservation | None:
    """What the calls of a run came to; null if there were none."""
    dify = getattr(resources, DIFY, None)
    if dify is None or not dify.budget.spending.calls:
        return None
    spending = dify.budget.spending
    return dg.AssetObservation(
        TRANSLATIONS.name,
        description="What the calls of Dify in this run came to.",
        metadata={
            "calls": spending.calls,
            "answered": spending.answered,
            "failed": spending.failed,
            "possibly_repeated": spending.possibly_repeated,
            "tokens": spending.tokens,
            **{f"cost_{name}": float(cost) for name, cost in spending.cost.items()},
        },
    )
