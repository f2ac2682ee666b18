"""A day's translations, from its messages, titles and categories; which days are to be made again.

    select ─> known: as in the day before ─┐
         └──> questions ─> Asker ──────────┴─> rows ─> compared with the labels of the originals

Whoever asks pays for an answer once, so a day that is made again costs what is new of it.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import partial
from typing import Final

import pyarrow as pa

from conversation_analytics.categorization.days import labeller_for
from conversation_analytics.dify.questions import Asker, Contract, Reply
from conversation_analytics.errors import StaleInput, TornDay
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
from conversation_analytics.transforms.derived import DayTask, Derivation, facts_of, input_manifest
from conversation_analytics.translation.contract import (
    LONGEST,
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
from conversation_analytics.translation.translator import Translator, translator_for, why_off

# The table of each unit that is read, and the columns of it.
_INPUTS: Final = {
    CONVERSATIONS_UNIT.name: (CONVERSATIONS, ["conversation_id", "title"]),
    MESSAGES_UNIT.name: (MESSAGES, ["message_id", "conversation_id", "role", "content"]),
    CATEGORIES_UNIT.name: (
        CATEGORIES,
        [
            "conversation_id",
            "message_id",
            "task",
            "label",
            "rank",
            "confidence",
            "abstained",
            "reason",
        ],
    ),
}


def translations_derivation(
    settings: Settings, asker_of: Callable[[Contract], Asker] | None = None
) -> Derivation:
    """How translations are made of conversations, messages and categories.

    Args:
        settings: the settings.
        asker_of: gives what asks the workflow; null only where nothing is to be asked.
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
    now = translator_for(settings).versions
    manifests = lake.manifests(TRANSLATIONS_UNIT, lake.days(TRANSLATIONS_UNIT))
    found = {
        day: [name for name, version in now.items() if manifest.versions.get(name) != version]
        for day, manifest in manifests.items()
    }
    return {day: changed for day, changed in found.items() if changed}


def unfinished_days(settings: Settings, lake: Lake) -> dict[date, int]:
    """The days with texts that failed or are pending, with how many; told from manifests alone.

    Texts of which asking again would bring nothing do not count: those that are too long, and those
    that were given up after as many calls as the settings allow now.

    Raises:
        StorageError: the lake cannot be read.
    """
    manifests = lake.manifests(TRANSLATIONS_UNIT, lake.days(TRANSLATIONS_UNIT))
    found = {
        day: _worth_asking(manifest.counts, settings.dify_max_attempts)
        for day, manifest in manifests.items()
    }
    return {day: open_ for day, open_ in found.items() if open_}


def _worth_asking(counts: Mapping[str, int], max_attempts: int) -> int:
    """How many of a day's texts are to be asked about again."""
    is_final = counts.get("given_up_after", 0) >= max_attempts
    given_up = counts.get("given_up", 0) if is_final else 0
    return counts.get("failed", 0) + counts.get("pending", 0) - counts.get("too_long", 0) - given_up


def days_to_translate(settings: Settings, lake: Lake) -> set[date]:
    """The days of which more would be translated if they were made again; none without Dify.

    Raises:
        StorageError: the lake cannot be read.
    """
    if why_off(settings):
        return set()
    return {*stale_days(settings, lake), *unfinished_days(settings, lake)}


def prepare_translations(translator: Translator, task: DayTask) -> PreparedDay:
    """Have a day translated, check and encode it. What it has already is not asked for.

    Where nothing is translated any more, it keeps what was paid for and still fits.

    Raises:
        StaleInput: its inputs do not belong together.
        DifyError: nothing can be translated at all, such as for want of a right key.
        CategorizationError: the taxonomy or a model cannot be used.
    """
    started = time.perf_counter()
    manifests = _manifests(task)
    kept = _kept(translator, task)
    has_texts = kept or not translator.off
    conversations, messages, categories = _read(task) if has_texts else _nothing()
    texts = _selected(translator, kept, conversations, messages, categories)
    sources = [source_of(text) for text in texts]
    refused = _refused(texts, sources)
    asked = _asked(translator, texts, sources, kept)
    table = translation_rows(texts, sources, {**kept, **asked, **refused})
    given_up = sum(source in asked and asked[source].given_up for source in sources)
    counts = _statuses(table) | {
        "kept": sum(source in kept for source in sources),
        "asked": len(asked),
        "too_long": sum(source in refused for source in sources),
        "given_up": given_up,
        "given_up_after": task.settings.dify_max_attempts if given_up else 0,
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
        note=_note(translator, len(texts)),
        **facts_of(task, manifests[CONVERSATIONS_UNIT.name]),
    )


def _manifests(task: DayTask) -> dict[str, Manifest]:
    """The manifests of a day's inputs by unit.

    Raises:
        StaleInput: one is missing, or was made of others than there are now.
    """
    inputs = [UNITS[name] for name in TRANSLATIONS_UNIT.inputs]
    manifests = {unit.name: input_manifest(task, unit) for unit in inputs}
    for unit in (CONVERSATIONS_UNIT, CATEGORIES_UNIT):
        _refuse_unless_of(unit, manifests, task)
    return manifests


def _read(task: DayTask) -> tuple[pa.Table, ...]:
    """What is looked at of a day's conversations, messages and categories.

    Its commit is refused if they are written meanwhile, so that they fit the manifests.
    """
    found = []
    for unit, (schema, columns) in _INPUTS.items():
        read = task.lake.read_day(UNITS[unit], task.claim.day, {schema.name: columns})
        found.append(read[1][schema.name] if read else schema.empty())
    return tuple(found)


def _nothing() -> tuple[pa.Table, ...]:
    """The same where nothing is translated, and nothing need be read."""
    return tuple(schema.empty() for schema, _ in _INPUTS.values())


def _refuse_unless_of(unit: Unit, manifests: Mapping[str, Manifest], task: DayTask) -> None:
    for name in UNITS[unit.name].inputs:
        there = manifests.get(name)
        if there and manifests[unit.name].inputs[name] != there.content_hash:
            raise StaleInput(
                f"translations of {task.claim.day}: its {unit.name} were made of other {name} than "
                f"there are now; materialise {unit.name} first"
            )


def _kept(translator: Translator, task: DayTask) -> dict[Source, Reply]:
    """What the day has translated by the same workflow, or by any where nothing is translated now.

    Nothing if a write of it was cut off.
    """
    try:
        found = task.lake.read_day(TRANSLATIONS_UNIT, task.claim.day)
    except TornDay:
        return {}
    if found is None:
        return {}
    if not translator.off and found[0].versions.get("workflow") != translator.workflow:
        return {}
    return succeeded_before(found[1][TRANSLATIONS.name])


def _selected(
    translator: Translator, kept: Mapping[Source, Reply], *tables: pa.Table
) -> list[Selected]:
    """The texts that get a row; where nothing is translated, those with a translation that fits."""
    if not translator.off:
        return select(translator.plan, *tables)
    targets = tuple(sorted({target for _, target in kept}))
    return [text for text in select(Plan(targets, "all"), *tables) if source_of(text) in kept]


def _note(translator: Translator, texts: int) -> str:
    """Why nothing is translated, and what is there all the same; empty if something is."""
    if not (translator.off and texts):
        return translator.off
    return f"{translator.off}; {texts} translations made before still fit, and are kept"


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
