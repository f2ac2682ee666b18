"""A day's translations, from its messages, titles and categories; which days are to be made again.

    select ─> known: as in the day before ─┐
         └──> questions ─> Asker ──────────┴─> rows ─> compared with the labels of the originals

Whoever asks pays for an answer once, so a day that is made again costs what is new of it.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial

import pyarrow as pa

from conversation_analytics.categorization.days import labeller_for
from conversation_analytics.dify.questions import Asker, Contract, Reply
from conversation_analytics.errors import StaleInput
from conversation_analytics.schemas import CATEGORIES, CONVERSATIONS, MESSAGES, TRANSLATIONS
from conversation_analytics.schemas.translations import STATUSES
from conversation_analytics.settings import Settings
from conversation_analytics.storage.days import PreparedDay, prepare
from conversation_analytics.storage.lake import Lake
from conversation_analytics.storage.layout import (
    CATEGORIES_UNIT,
    CONVERSATIONS_UNIT,
    MESSAGES_UNIT,
    TRANSLATIONS_UNIT,
    UNITS,
    Unit,
)
from conversation_analytics.storage.manifest import Manifest
from conversation_analytics.transforms.derived import DayTask, Derivation, facts_of, read_input
from conversation_analytics.translation.contract import (
    LONGEST,
    TranslationContract,
    by_target,
    question_of,
)
from conversation_analytics.translation.quality import compared
from conversation_analytics.translation.rows import (
    Source,
    check_translations,
    source_of,
    succeeded_before,
    translation_rows,
)
from conversation_analytics.translation.selection import Plan, Selected, select


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


def translator_for(settings: Settings, asker_of: Callable[[Contract], Asker]) -> Translator:
    """What the settings have translated.

    Args:
        settings: the settings.
        asker_of: gives what asks the workflow; not called where nothing is to be asked.
    """
    off, contract = why_off(settings), contract_of(settings)
    plan = Plan(settings.translation_targets, "none" if off else settings.translate_policy)
    return Translator(plan, contract.workflow, None if off else asker_of(contract), off)


def contract_of(settings: Settings) -> TranslationContract:
    """The contract with the workflow of the settings."""
    return TranslationContract(settings.dify_translate_version)


def why_off(settings: Settings) -> str:
    """Why nothing is translated under the settings; empty if something is."""
    if settings.translate_policy == "none":
        return "TRANSLATE_POLICY=none"
    if not settings.dify_base_url:
        return "DIFY_BASE_URL is not set"
    if not settings.dify_key("translate"):
        return "neither DIFY_TRANSLATE_API_KEY nor DIFY_API_KEY is set"
    return ""


def translations_derivation(
    settings: Settings, asker_of: Callable[[Contract], Asker]
) -> Derivation:
    """How translations are made of conversations, messages and categories.

    Args:
        settings: the settings.
        asker_of: gives what asks the workflow; not called where nothing is to be asked.
    """
    translator = translator_for(settings, asker_of)
    return Derivation(
        TRANSLATIONS_UNIT, partial(prepare_translations, translator), lambda _: translator.versions
    )


def stale_days(settings: Settings, lake: Lake) -> dict[date, list[str]]:
    """The days that were translated by other settings, with what of these changed.

    Told from manifests alone, as by `categorization.days.stale_days`. Where nothing is translated
    any more no day is stale: what was paid for stays.

    Raises:
        StorageError: the lake cannot be read.
    """
    if why_off(settings):
        return {}
    plan = Plan(settings.translation_targets, settings.translate_policy)
    now = Translator(plan, contract_of(settings).workflow).versions
    manifests = lake.manifests(TRANSLATIONS_UNIT, lake.days(TRANSLATIONS_UNIT))
    found = {
        day: [name for name, version in now.items() if manifest.versions.get(name) != version]
        for day, manifest in manifests.items()
    }
    return {day: changed for day, changed in found.items() if changed}


def unfinished_days(lake: Lake) -> dict[date, int]:
    """The days with texts that failed or are pending, with how many; told from manifests alone.

    Texts that are too long to be asked about do not count: asking again would not help.

    Raises:
        StorageError: the lake cannot be read.
    """
    manifests = lake.manifests(TRANSLATIONS_UNIT, lake.days(TRANSLATIONS_UNIT))
    found = {
        day: counts.get("failed", 0) + counts.get("pending", 0) - counts.get("too_long", 0)
        for day, counts in ((day, manifest.counts) for day, manifest in manifests.items())
    }
    return {day: open_ for day, open_ in found.items() if open_}


def prepare_translations(translator: Translator, task: DayTask) -> PreparedDay:
    """Have a day translated, check and encode it. What it has already is not asked for.

    Raises:
        StaleInput: its inputs do not belong together.
        DifyError: nothing can be translated at all, such as for want of a right key.
        CategorizationError: the taxonomy or a model cannot be used.
    """
    started = time.perf_counter()
    manifests, tables = _read(task)
    conversations, messages = tables[CONVERSATIONS.name], tables[MESSAGES.name]
    categories = tables[CATEGORIES.name]
    texts = select(translator.plan, conversations, messages, categories)
    sources = [source_of(text) for text in texts]
    kept, refused = _kept(translator, task), _refused(texts, sources)
    asked = _asked(translator, texts, sources, kept)
    table = translation_rows(texts, sources, {**kept, **asked, **refused})
    counts = _statuses(table) | {
        "kept": sum(source in kept for source in sources),
        "asked": len(asked),
        "too_long": sum(source in refused for source in sources),
    }
    inputs = {name: manifest.content_hash for name, manifest in manifests.items()}
    return prepare(
        task.claim,
        {TRANSLATIONS.name: table},
        task.lake.options,
        checks=[check_translations(table, texts, conversations, messages)],
        inputs=inputs,
        started=started,
        counts=counts,
        by_language=_by_language(task.settings, table, categories),
        note=translator.off,
        **facts_of(task, manifests[CONVERSATIONS_UNIT.name]),
    )


def _read(task: DayTask) -> tuple[dict[str, Manifest], dict[str, pa.Table]]:
    """The inputs of a day: manifests by unit and tables by name.

    Raises:
        StaleInput: one is missing, or was made of others than there are now.
    """
    manifests: dict[str, Manifest] = {}
    tables: dict[str, pa.Table] = {}
    for unit in (MESSAGES_UNIT, CONVERSATIONS_UNIT, CATEGORIES_UNIT):
        manifests[unit.name], read = read_input(task, unit)
        tables |= read
    for unit in (CONVERSATIONS_UNIT, CATEGORIES_UNIT):
        _refuse_unless_of(unit, manifests, task)
    return manifests, tables


def _refuse_unless_of(unit: Unit, manifests: Mapping[str, Manifest], task: DayTask) -> None:
    for name in UNITS[unit.name].inputs:
        there = manifests.get(name)
        if there and manifests[unit.name].inputs[name] != there.content_hash:
            raise StaleInput(
                f"translations of {task.claim.day}: its {unit.name} were made of other {name} than "
                f"there are now; materialise {unit.name} first"
            )


def _kept(translator: Translator, task: DayTask) -> dict[Source, Reply]:
    """What the day has translated by the same workflow."""
    before = task.lake.manifest(TRANSLATIONS_UNIT, task.claim.day)
    if translator.off or before is None or before.versions.get("workflow") != translator.workflow:
        return {}
    found = task.lake.read_day(
        TRANSLATIONS_UNIT, task.claim.day, {TRANSLATIONS.name: TRANSLATIONS.names}
    )
    return succeeded_before(found[1][TRANSLATIONS.name]) if found else {}


def _asked(
    translator: Translator,
    texts: Sequence[Selected],
    sources: Sequence[Source],
    kept: Mapping[Source, Reply],
) -> dict[Source, Reply]:
    """What became of the texts that the day does not have; each is asked about once."""
    questions = {
        source: question_of(text.text, language=text.language, target=text.target)
        for text, source in zip(texts, sources, strict=True)
        if source not in kept and not _is_too_long(text)
    }
    replies: dict[str, Reply] = {}
    if translator.asker:
        for of_target in by_target(questions.values()):
            replies |= translator.asker.ask(of_target)
    return {source: replies[question.key] for source, question in questions.items()}


def _is_too_long(text: Selected) -> bool:
    """Whether a text is longer than what is asked about."""
    return len(text.text) > LONGEST


def _refused(texts: Sequence[Selected], sources: Sequence[Source]) -> dict[Source, Reply]:
    """Why texts that are too long are not asked about."""
    words = "it has {:,} characters, more than the {:,} that are asked about"
    return {
        source: Reply(status="failed", error=words.format(len(text.text), LONGEST))
        for text, source in zip(texts, sources, strict=True)
        if _is_too_long(text)
    }


def _statuses(table: pa.Table) -> dict[str, int]:
    counts = Counter(table["status"].to_pylist())
    return {status: counts[status] for status in STATUSES}


def _by_language(
    settings: Settings, table: pa.Table, categories: pa.Table
) -> dict[str, dict[str, int]]:
    """Rows by language and status, and how the labels of originals and translations compare."""
    if not table.num_rows:
        return {}
    found: dict[str, Counter[str]] = {}
    columns = (table[name].to_pylist() for name in ("source_language", "status"))
    for language, status in zip(*columns, strict=True):
        found.setdefault(language, Counter())[status] += 1
    for language, counts in compared(labeller_for(settings), table, categories).items():
        found[language] += counts
    return {language: dict(counts) for language, counts in sorted(found.items())}
