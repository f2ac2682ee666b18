"""Derived days: tables computed from committed days, each day a task for a runner."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final

import pyarrow as pa

from conversation_analytics import __version__
from conversation_analytics.compute.runner import Runner
from conversation_analytics.errors import TRANSIENT, ConversationAnalyticsError, StaleInput
from conversation_analytics.schemas import (
    CONVERSATIONS,
    MESSAGE_ACTIVITY,
    MESSAGES,
    RAW_CONVERSATIONS,
    TableSchema,
)
from conversation_analytics.settings import Settings
from conversation_analytics.sources.interpret import Interpreter
from conversation_analytics.storage.days import (
    DayItem,
    FailedDay,
    KeptDay,
    PreparedDay,
    Request,
    prepare,
)
from conversation_analytics.storage.displaced import with_displaced
from conversation_analytics.storage.lake import Claim, Lake
from conversation_analytics.storage.layout import (
    CONVERSATIONS_UNIT,
    MESSAGES_UNIT,
    RAW,
    UNITS,
    Unit,
)
from conversation_analytics.storage.manifest import Manifest
from conversation_analytics.transforms.activity import message_activity
from conversation_analytics.transforms.conversations import build_conversations, check_conversations
from conversation_analytics.transforms.messages import (
    activity_days,
    build_messages,
    check_messages,
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DayTask:
    """One derived day to be computed. Pickles, so any machine that reaches the lake can do it.

    Attributes:
        lake: where inputs are read.
        settings: the settings.
        claim: the claim on the day.
        request: what asks for it.
        prepare: computes, checks and encodes it; a top-level function.
        excluded: conversations that the day's raw rows list although they live in another day.
        versions: of what decides its rows besides its inputs, by task.
    """

    lake: Lake
    settings: Settings
    claim: Claim
    request: Request
    prepare: Callable[[DayTask], PreparedDay]
    excluded: frozenset[str] = frozenset()
    versions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Derivation:
    """How a unit's days are made of others.

    Attributes:
        unit: the unit.
        prepare: computes, checks and encodes a day; a top-level function, for other processes.
        versions: of what decides a day's rows besides its inputs, by task.
    """

    unit: Unit
    prepare: Callable[[DayTask], PreparedDay]
    versions: Callable[[date], Mapping[str, str]] = lambda _: {}


def prepare_day(task: DayTask) -> PreparedDay | FailedDay:
    """Compute, check and encode a derived day. One that fails is told, not raised."""
    try:
        return task.prepare(task)
    except ConversationAnalyticsError as error:
        transient = isinstance(error, TRANSIENT)
        return FailedDay(task.claim.unit, task.claim.day, str(error), transient=transient)
    except Exception as error:  # a day that breaks must not stop the others; the run ends failed
        logger.exception("%s of %s failed", task.claim.unit, task.claim.day)
        return FailedDay(task.claim.unit, task.claim.day, f"{type(error).__name__}: {error}")


def _prepare_messages(task: DayTask) -> PreparedDay:
    started = time.perf_counter()
    settings = task.settings
    manifest, raw = read_input(task, RAW)
    interpreter = Interpreter.model_validate(manifest.interpreter)
    escalation = re.compile(settings.escalation_pattern)
    table = build_messages(raw, interpreter, escalation=escalation, excluded=task.excluded)
    return prepare(
        task.claim,
        {
            MESSAGES.name: table,
            MESSAGE_ACTIVITY.name: message_activity(table, settings.analytics_timezone),
        },
        task.lake.options,
        checks=[check_messages(table, raw, interpreter, task.excluded)],
        inputs={RAW.name: manifest.content_hash},
        started=started,
        activity_days=activity_days(table, settings.calendar),
        **facts_of(task, manifest),
    )


def _prepare_conversations(task: DayTask) -> PreparedDay:
    started = time.perf_counter()
    manifest, raw = read_input(task, RAW, RAW_CONVERSATIONS)
    messages_manifest, tables = read_input(task, MESSAGES_UNIT)
    if messages_manifest.inputs[RAW.name] != manifest.content_hash:
        raise StaleInput(
            f"conversations of {task.claim.day}: messages were made from other raw rows than there "
            "are now; materialise messages first"
        )
    interpreter = Interpreter.model_validate(manifest.interpreter)
    messages = tables[MESSAGES.name]
    table = build_conversations(raw, messages, interpreter, excluded=task.excluded)
    return prepare(
        task.claim,
        {CONVERSATIONS.name: table},
        task.lake.options,
        checks=[check_conversations(table, raw, messages, task.excluded)],
        inputs={
            RAW.name: manifest.content_hash,
            MESSAGES_UNIT.name: messages_manifest.content_hash,
        },
        started=started,
        **facts_of(task, manifest),
    )


MESSAGES_DERIVATION: Final = Derivation(MESSAGES_UNIT, _prepare_messages)
CONVERSATIONS_DERIVATION: Final = Derivation(CONVERSATIONS_UNIT, _prepare_conversations)


def facts_of(task: DayTask, read: Manifest) -> dict[str, object]:
    """The fields of a derived day's manifest that tell where it comes from.

    Args:
        task: the day.
        read: the manifest of an input of it.
    """
    return {
        "change_mark": read.change_mark,
        "request": task.request.id,
        "run_id": task.request.run_id,
        "code_version": __version__,
        "versions": dict(task.versions),
    }


def read_input(
    task: DayTask, unit: Unit, *schemas: TableSchema
) -> tuple[Manifest, dict[str, pa.Table]]:
    """The task's day of a unit: some of its tables, or all.

    Raises:
        StaleInput: the day of that unit was never materialised.
    """
    columns = {schema.name: list(schema.names) for schema in schemas}
    found = task.lake.read_day(unit, task.claim.day, columns or None)
    if found is None:
        raise _never_made(task, unit)
    return found


def input_manifest(task: DayTask, unit: Unit) -> Manifest:
    """The manifest of the task's day of a unit.

    Raises:
        StaleInput: the day of that unit was never materialised.
    """
    found = task.lake.manifest(unit, task.claim.day)
    if found is None:
        raise _never_made(task, unit)
    return found


def _never_made(task: DayTask, unit: Unit) -> StaleInput:
    return StaleInput(
        f"{task.claim.unit} of {task.claim.day}: its input '{unit.name}' was never "
        f"materialised; materialise {unit.name} of that day first"
    )


class DerivedDays:
    """The days of a derived unit, prepared lazily by a runner.

    Days whose conversations moved from or to a requested day are refreshed along with it, in
    the order in which their raw days were committed: a conversation appears in its new day
    before it leaves the old one.

    Args:
        settings: the settings.
        lake: where the inputs are and the days will be committed.
        derivation: what to compute.
        days: the days asked for.
        request: what asks for them.
        runner: who computes.
    """

    def __init__(
        self,
        settings: Settings,
        lake: Lake,
        derivation: Derivation,
        days: Sequence[date],
        request: Request,
        runner: Runner,
    ) -> None:
        self._settings = settings
        self._lake = lake
        self._derivation = derivation
        self._unit = derivation.unit
        self._days = sorted(set(days))
        self._request = request
        self._runner = runner

    def __iter__(self) -> Iterator[DayItem]:
        days = with_displaced(self._lake, self._days, self._is_behind)
        inputs = {name: self._lake.manifests(UNITS[name], days) for name in self._unit.inputs}
        there = self._lake.manifests(self._unit, days)
        todo = []
        for day in days:
            now = {name: one[day].content_hash for name, one in inputs.items() if day in one}
            done = there.get(day)
            if (
                done
                and done.request == self._request.id
                and done.inputs == now
                and done.versions == self._derivation.versions(day)
            ):
                yield KeptDay(self._unit.name, day, done)
            else:
                todo.append(day)
        if todo:
            yield from self._runner.map(prepare_day, self._tasks(todo))

    def _tasks(self, days: list[date]) -> Iterator[DayTask]:
        disowned = self._lake.index.snapshot().disowned()
        for day in days:
            claim = self._lake.claim_day(self._unit, day, run_id=self._request.run_id)
            yield DayTask(
                self._lake,
                self._settings,
                claim,
                self._request,
                self._derivation.prepare,
                disowned.get(day, frozenset()),
                self._derivation.versions(day),
            )

    def _is_behind(self, day: date, _: Manifest) -> bool:
        there = self._lake.manifest(self._unit, day)
        return there is None or any(
            (now := self._lake.manifest(UNITS[name], day)) is None
            or there.inputs.get(name) != now.content_hash
            for name in self._unit.inputs
        )
