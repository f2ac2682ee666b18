"""What is translated under the settings, and by whom."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from conversation_analytics.dify.questions import Asker, Contract
from conversation_analytics.settings import Settings
from conversation_analytics.translation.contract import TranslationContract
from conversation_analytics.translation.selection import Plan


@dataclass(frozen=True)
class Translator:
    """What is translated, and by whom.

    Attributes:
        plan: what is to be translated.
        workflow: what translations depend on besides their texts.
        asker: has them translated; null where nothing is.
        off: why nothing is translated; empty if something is.
    """

    plan: Plan
    workflow: str
    asker: Asker | None = None
    off: str = ""

    @property
    def versions(self) -> dict[str, str]:
        """What decides the rows of a day besides its inputs."""
        if self.off:
            return {"policy": "none"}
        return {
            "policy": self.plan.policy,
            "target": ",".join(self.plan.targets),
            "workflow": self.workflow,
        }


def translator_for(
    settings: Settings, asker_of: Callable[[Contract], Asker] | None = None
) -> Translator:
    """What the settings have translated.

    Args:
        settings: the settings.
        asker_of: gives what asks the workflow; not called where nothing is to be asked. Null where
            nobody is to translate, but only to know what would be.
    """
    off, contract = why_off(settings), TranslationContract(settings.dify_translate_version)
    plan = Plan(settings.translation_targets, "none" if off else settings.translate_policy)
    asker = None if off or asker_of is None else asker_of(contract)
    return Translator(plan, contract.workflow, asker, off)


def why_off(settings: Settings) -> str:
    """Why nothing is translated under the settings; empty if something is."""
    if settings.translate_policy == "none":
        return "TRANSLATE_POLICY=none"
    if not settings.dify_base_url:
        return "DIFY_BASE_URL is not set"
    if not settings.dify_key("translate"):
        return "neither DIFY_TRANSLATE_API_KEY nor DIFY_API_KEY is set"
    return ""
