"""A day's categories, from its conversations and messages; which days are to be labelled again."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from functools import lru_cache, partial
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from conversation_analytics.categorization.chunks import chunks_of
from conversation_analytics.categorization.corrections import Corrections, read_corrections
from conversation_analytics.categorization.decisions import UNKNOWN
from conversation_analytics.categorization.encoders import TextEncoder, encoder_for
from conversation_analytics.categorization.labeller import Labeller
from conversation_analytics.categorization.labelling import label
from conversation_analytics.categorization.llm.choices import choices_of
from conversation_analytics.categorization.llm.contract import CategorizeContract
from conversation_analytics.categorization.llm.figures import llm_counts, pending_tasks
from conversation_analytics.categorization.llm.step import Asked, LlmStep, Scope, ask_llm
from conversation_analytics.categorization.rows import (
    category_rows,
    check_categories,
    hashed,
    summaries,
)
from conversation_analytics.categorization.sentiment import LABELS as SENTIMENTS
from conversation_analytics.categorization.sentiment import sentiment_model
from conversation_analytics.categorization.taxonomies import keep
from conversation_analytics.categorization.taxonomy import (
    DEFAULT_FILE,
    Section,
    Taxonomy,
    load_taxonomy,
)
from conversation_analytics.categorization.taxonomy_labels import taxonomy_labeller
from conversation_analytics.dify.asking import NoAsker
from conversation_analytics.dify.questions import Asker, Contract
from conversation_analytics.errors import (
    CategorizationError,
    DifyAccessDenied,
    DifyAppUnusable,
    StaleInput,
)
from conversation_analytics.schemas import CATEGORIES, CATEGORY_SUMMARIES
from conversation_analytics.schemas.categories import TASKS
from conversation_analytics.settings import Settings
from conversation_analytics.storage.days import PreparedDay, prepare
from conversation_analytics.storage.lake import Lake
from conversation_analytics.storage.layout import (
    CATEGORIES_UNIT,
    CONVERSATIONS_UNIT,
    MESSAGES_UNIT,
)
from conversation_analytics.transforms.derived import DayTask, Derivation, facts_of, read_input

logger = logging.getLogger(__name__)

_State = tuple[Path, int, int]  # name, time of change, bytes
_Llm = tuple[str, Scope]  # version of the workflow, what is asked about

_READY: Final = 4  # labellers kept: one a taxonomy at work
_NOBODY: Final = NoAsker("not asked: this run has nobody to ask.")


def labeller_for(settings: Settings) -> Labeller:
    """What labels conversations under the settings; made once for each state of their files.

    Raises:
        CategorizationError: the taxonomy, a model or the corrections cannot be used.
    """
    taxonomy = _state(settings.taxonomy_file or DEFAULT_FILE)
    examples = _examples_file(taxonomy)
    people = settings.human_labels_file
    encoder = encoder_for(settings.text_encoder, settings.enable_gpu)
    scope = settings.llm_scope
    return _labeller(
        taxonomy,
        examples and _state(examples),
        people and _state(people),
        encoder,
        scope and (settings.dify_categorize_version, scope),
    )


def _state(file: Path) -> _State:
    """Names a file's content without reading it."""
    try:
        found = file.stat()
    except OSError as error:
        raise CategorizationError(f"{file} cannot be read: {error}") from error
    return file, found.st_mtime_ns, found.st_size


@lru_cache(_READY)
def _examples_file(taxonomy: _State) -> Path | None:
    """The file of labelled texts that a taxonomy names."""
    return load_taxonomy(taxonomy[0]).examples_file


@lru_cache(_READY)
def _labeller(
    taxonomy_file: _State,
    _: _State | None,
    corrections: _State | None,
    encoder: TextEncoder,
    llm: _Llm | None,
) -> Labeller:
    taxonomy = load_taxonomy(taxonomy_file[0])
    people = read_corrections(corrections[0] if corrections else None, taxonomy)
    labeller = labeller_by(taxonomy, people, encoder)
    return replace(labeller, llm=llm and _step(taxonomy, *llm))


def _step(taxonomy: Taxonomy, version: str, scope: Scope) -> LlmStep:
    return LlmStep(CategorizeContract(version, choices_of(taxonomy)), scope)


def labeller_by(taxonomy: Taxonomy, corrections: Corrections, encoder: TextEncoder) -> Labeller:
    """What labels conversations by a taxonomy, corrections, and what tells what texts are about.

    Raises:
        ModelUnusable: a model cannot be used.
    """
    intents, topics = (
        taxonomy_labeller(taxonomy.sections.get(task, Section(task)), encoder)
        for task in ("intent", "topic")
    )
    return Labeller(sentiment_model(), intents, topics, corrections, taxonomy)


def categories_derivation(
    settings: Settings, lake: Lake, asker_of: Callable[[Contract], Asker] | None = None
) -> Derivation:
    """How categories are made of conversations and messages.

    Args:
        settings: the settings.
        lake: where these are.
        asker_of: who asks an LLM, if the settings have one; null to leave that for later.

    Raises:
        CategorizationError: the taxonomy, a model or the corrections cannot be used.
    """
    labeller = labeller_for(settings)
    keep(lake.store, labeller.taxonomy)
    corrected = _by_day(lake, labeller.corrections)
    nothing = Corrections()
    prepare_day: Callable[[DayTask], PreparedDay] = prepare_categories
    if labeller.llm and asker_of:
        prepare_day = partial(prepare_categories, asker=asker_of(labeller.llm.contract))
    return Derivation(
        CATEGORIES_UNIT,
        prepare_day,
        lambda day: labeller.versions(corrected.get(day, nothing)),
    )


def _by_day(lake: Lake, corrections: Corrections) -> dict[date, Corrections]:
    """Corrections by the day on which their conversation lives."""
    ids = sorted({target.conversation_id for target in corrections.labels})
    if not ids:
        return {}
    of_day: dict[date, list[str]] = {}
    for id_, day in lake.index.snapshot().days_of(ids).items():
        of_day.setdefault(day, []).append(id_)
    return {day: corrections.of(some) for day, some in of_day.items()}


def stale_days(settings: Settings, lake: Lake) -> dict[date, list[str]]:
    """The days to be labelled again, with the tasks whose models, labels or corrections changed.

    So are those of which an LLM has not answered yet.

    Told from manifests alone; days whose categories do not follow their messages are not among
    them, nor those without any: a sync or a backfill refreshes these.

    Raises:
        CategorizationError: the taxonomy, a model or the corrections cannot be used.
        StorageError: the lake cannot be read.
    """
    derivation = categories_derivation(settings, lake)
    manifests = lake.manifests(CATEGORIES_UNIT, lake.days(CATEGORIES_UNIT))
    found = {
        day: {
            *changed_tasks(manifest.versions, derivation.versions(day)),
            *pending_tasks(manifest.counts),
        }
        for day, manifest in manifests.items()
    }
    return {day: [task for task in TASKS if task in tasks] for day, tasks in found.items() if tasks}


def changed_tasks(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """The tasks whose version changed."""
    return [task for task in TASKS if before.get(task) != now[task]]


def prepare_categories(task: DayTask, asker: Asker = _NOBODY) -> PreparedDay:
    """Label, check and encode a day. Labels of tasks whose versions did not change are kept.

    Args:
        task: the day.
        asker: asks an LLM what the local models are not sure of; works in this process alone.

    Raises:
        StaleInput: conversations and messages do not belong together, or the taxonomy, a model
            or the corrections changed since the task was made.
        CategorizationError: one of these cannot be used.
    """
    started = time.perf_counter()
    conversations_manifest, conversations = read_input(task, CONVERSATIONS_UNIT)
    messages_manifest, messages = read_input(task, MESSAGES_UNIT)
    if conversations_manifest.inputs[MESSAGES_UNIT.name] != messages_manifest.content_hash:
        raise StaleInput(
            f"categories of {task.claim.day}: its conversations were made of other messages than "
            "there are now; materialise conversations first"
        )
    labeller = labeller_for(task.settings)
    if not labeller.gave(task.versions):
        raise StaleInput(
            f"categories of {task.claim.day}: the taxonomy, a model or the corrections changed "
            "meanwhile; run the day again"
        )
    inputs = {
        MESSAGES_UNIT.name: messages_manifest.content_hash,
        CONVERSATIONS_UNIT.name: conversations_manifest.content_hash,
    }
    kept, tasks = _kept(task, inputs)
    anew = labelled(labeller, conversations["conversations"], messages["messages"], tasks)
    rows = pa.concat_tables([*kept, *anew])
    counts = {}
    if labeller.llm:
        asked = _asked(labeller.llm, asker, rows, messages["messages"])
        rows, counts = asked.rows, llm_counts(labeller.llm, asked)
    table = hashed(rows, CATEGORIES)
    return prepare(
        task.claim,
        {CATEGORIES.name: table, CATEGORY_SUMMARIES.name: summaries(table)},
        task.lake.options,
        checks=[
            check_categories(
                table, conversations["conversations"], messages["messages"], _allowed(labeller)
            )
        ],
        inputs=inputs,
        started=started,
        counts=_counts(table) | counts,
        **facts_of(task, conversations_manifest),
    )


def _asked(llm: LlmStep, asker: Asker, rows: pa.Table, messages: pa.Table) -> Asked:
    """What an LLM says; local labels are not to wait until its key or its app is put right."""
    try:
        return ask_llm(llm, asker, rows, messages)
    except (DifyAccessDenied, DifyAppUnusable) as error:
        logger.warning("local labels stay, and wait for an LLM: %s", error)
        return ask_llm(llm, NoAsker(f"not asked: {error}"), rows, messages)


def _kept(task: DayTask, inputs: Mapping[str, str]) -> tuple[list[pa.Table], Sequence[str]]:
    """What the day has that can stay as it is, and the tasks that are to be told anew.

    Where nothing changed somebody asks for the day all the same: then everything is told anew.
    """
    before = task.lake.manifest(CATEGORIES_UNIT, task.claim.day)
    if before is None or before.inputs != inputs:
        return [], TASKS
    tasks = changed_tasks(before.versions, task.versions)
    if len(tasks) in (0, len(TASKS)):
        return [], TASKS
    columns = {CATEGORIES.name: CATEGORIES.names}
    found = task.lake.read_day(CATEGORIES_UNIT, task.claim.day, columns)
    if found is None or found[0].content_hash != before.content_hash:
        return [], TASKS
    rows = found[1][CATEGORIES.name].drop_columns(["content_hash"])
    return [rows.filter(pc.invert(pc.is_in(rows["task"], pa.array(tasks, pa.string()))))], tasks


def labelled(
    labeller: Labeller, conversations: pa.Table, messages: pa.Table, tasks: Sequence[str]
) -> Iterator[pa.Table]:
    """The rows of some tasks, chunk by chunk, without an order and without hashes.

    Args:
        labeller: who labels.
        conversations: a table of `schemas.CONVERSATIONS`.
        messages: theirs, a table of `schemas.MESSAGES`, in its order.
        tasks: what to tell.
    """
    if not tasks:
        return
    corrections = labeller.corrections.of(conversations["conversation_id"].to_pylist())
    yield CATEGORIES.empty().drop_columns(["content_hash"])
    for chunk in chunks_of(conversations, messages):
        yield category_rows(chunk, label(labeller, corrections, chunk, tasks), labeller)


def _allowed(labeller: Labeller) -> dict[str, Sequence[str]]:
    """The labels of the tasks that have a fixed set."""
    return {
        "sentiment": [*SENTIMENTS, UNKNOWN],
        "intent": [*labeller.intents.section.names, UNKNOWN],
        "topic": [*labeller.topics.section.names, UNKNOWN],
    }


def _counts(table: pa.Table) -> dict[str, int]:
    """How many labels a task has, and of how many there is none."""
    groups = table.group_by(["task", "abstained"]).aggregate([([], "count_all")])
    return {
        f"{row['task']}_{'abstained' if row['abstained'] else 'labelled'}": row["count_all"]
        for row in groups.to_pylist()
    }
