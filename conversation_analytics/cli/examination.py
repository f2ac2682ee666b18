"""What `doctor` looks at, one function a check."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal
from uuid import uuid4

from conversation_analytics.api.keys import HOW_TO_MAKE_ONE, KeyFile
from conversation_analytics.categorization.confusion import load_confusion
from conversation_analytics.categorization.corrections import read_corrections
from conversation_analytics.categorization.taxonomy import DEFAULT_FILE, load_taxonomy
from conversation_analytics.cli.home import home_folder, open_instance
from conversation_analytics.compute.runner import runner_for
from conversation_analytics.errors import ConversationAnalyticsError
from conversation_analytics.notifications import webhook
from conversation_analytics.reports.alerts.file import rules_of
from conversation_analytics.settings import Settings
from conversation_analytics.sources.interpret import build_interpreter
from conversation_analytics.sources.open import open_source
from conversation_analytics.storage.identity import LakeIdentity, ensure_identity, read_identity
from conversation_analytics.storage.lake import open_store
from conversation_analytics.storage.mongo_client import connect, describe
from conversation_analytics.transforms.settled import column_problems

_GIGABYTE = 1_000_000_000
_LITTLE_SPACE = 2 * _GIGABYTE
_NO_SPACE = _GIGABYTE // 5


@dataclass(frozen=True)
class Finding:
    """What a check found.

    Attributes:
        check: what was looked at.
        state: ``ok``, ``warn`` (it works, but) or ``fail`` (a run, or the API, would fail).
        words: what was found, and what to do if it is not well.
    """

    check: str
    state: Literal["ok", "warn", "fail"]
    words: str


def examine(settings: Settings) -> Iterator[Finding]:
    """Every check, each whatever the others found."""
    checks: dict[str, Callable[[Settings], Finding]] = {
        "time zone": _time_zone,
        "source": _source,
        "source columns": _columns,
        "lake": _lake,
        "lake identity": _identity,
        "MongoDB": _mongo,
        "TAXONOMY_FILE": _taxonomy,
        "HUMAN_LABELS_FILE": _human_labels,
        "LABEL_CONFUSION_FILES": _confusions,
        "ALERTS_FILE": _alerts,
        "ALERT_WEBHOOK_URL": _webhook,
        "API_KEYS_FILE": _keys,
        "DAGSTER_HOME": _home,
        "disk space": _space,
        "worker processes": _workers,
    }
    for name, check in checks.items():
        try:
            yield check(settings)
        except (ConversationAnalyticsError, OSError) as error:
            yield Finding(name, "fail", str(error))


def _time_zone(settings: Settings) -> Finding:
    calendar = settings.calendar
    today = calendar.day_of(datetime.now(UTC))
    words = f"{calendar.timezone}: days from {calendar.start} to today, {today}"
    if calendar.start > today:
        words += "; no day has begun yet: set PARTITIONS_START_DATE to an earlier day"
        return Finding("time zone", "fail", words)
    return Finding("time zone", "ok", words)


def _source(settings: Settings) -> Finding:
    opened = open_source(settings)
    try:
        info = opened.source.probe()
        profile = build_interpreter(opened.mapping, info).profile
    finally:
        opened.source.close()
    words = f"{info.location}, profile {profile}"
    drift = abs((info.clock - datetime.now(UTC)).total_seconds())
    if drift > max(60.0, settings.sync_lag_seconds):
        words += f"; its clock and this one's are {drift:.0f} s apart: set one of them right"
        return Finding("source", "warn", words)
    return Finding("source", "ok", words)


def _columns(settings: Settings) -> Finding:
    opened = open_source(settings)
    try:
        problems = column_problems(open_store(settings), opened, opened.source.probe())
    finally:
        opened.source.close()
    if problems:
        words = f"{'; '.join(problems)}: undo that, or source check --accept"
        return Finding("source columns", "fail", words)
    return Finding("source columns", "ok", "those that the lake was filled from, or new ones")


def _lake(settings: Settings) -> Finding:
    store = open_store(settings)
    key, data = f"_doctor-{uuid4().hex}", b"written by doctor"
    store.put(key, data)
    try:
        if store.get(key) != data or key not in store.list(key):
            words = f"{store.url} does not give back what was written: use another store"
            return Finding("lake", "fail", words)
    finally:
        store.delete([key])
    if store.conditional:
        words = f"{store.url} can be written, and refuses a second writer of a day"
        return Finding("lake", "ok", words)
    words = (
        f"{store.url} can be written, but has no conditional writes: one writer a day is enforced "
        "by the Dagster pool, so let all writers use the same DAGSTER_HOME"
    )
    if settings.alerts_file:
        words += "; runs that look at the same reports at the same moment may each tell an alert"
    if settings.dify_base_url and settings.mongodb_uri:
        words += "; MongoDB decides who asks Dify about a text, so while it is away nobody asks"
    elif settings.dify_base_url:
        words += (
            "; and runs that ask Dify about the same text at the same moment may each pay for it, "
            "so set MONGODB_URI, or let no two make categories or translations of a day at once"
        )
    return Finding("lake", "warn", words)


def _identity(settings: Settings) -> Finding:
    store = open_store(settings)
    there = read_identity(store)
    if there is None:
        return Finding("lake identity", "ok", "a new lake: the first run decides what it holds")
    ensure_identity(store, LakeIdentity.of(settings))
    source = there.source or "a source not read yet"
    return Finding("lake identity", "ok", f"made with these settings, from {source}")


def _mongo(settings: Settings) -> Finding:
    if not settings.mongodb_uri:
        return Finding("MongoDB", "ok", "not used: MONGODB_URI is not set")
    database = connect(settings.mongodb_uri.get_secret_value(), database=settings.mongodb_database)
    try:
        found = describe(database)
    finally:
        database.client.close()
    words = f"{found.version}, {found.topology} at {found.address}"
    if not found.supported:
        return Finding("MongoDB", "fail", f"{words}: 4.4 is the oldest that works; update it")
    if found.topology == "stand-alone":
        return Finding("MongoDB", "warn", f"{words}: a replica set would survive losing a server")
    return Finding("MongoDB", "ok", words)


def _taxonomy(settings: Settings) -> Finding:
    taxonomy = load_taxonomy(settings.taxonomy_file or DEFAULT_FILE)
    labels = {task: len(section.labels) for task, section in taxonomy.sections.items()}
    words = f"{labels.get('intent', 0)} intents, {labels.get('topic', 0)} topics"
    if settings.taxonomy_file is None:
        return Finding("TAXONOMY_FILE", "ok", f"not set, so the one of the package: {words}")
    return Finding("TAXONOMY_FILE", "ok", f"{settings.taxonomy_file}: {words}")


def _human_labels(settings: Settings) -> Finding:
    file = settings.human_labels_file
    if file is None:
        return Finding("HUMAN_LABELS_FILE", "ok", "not used: it is not set")
    taxonomy = load_taxonomy(settings.taxonomy_file or DEFAULT_FILE)
    labels = read_corrections(file, taxonomy).labels
    return Finding(
        "HUMAN_LABELS_FILE", "ok", f"{file}: texts with labels of people: {len(labels):,}"
    )


def _confusions(settings: Settings) -> Finding:
    found = [load_confusion(file) for file in settings.confusion_files]
    if not found:
        return Finding("LABEL_CONFUSION_FILES", "ok", "not used: it is not set")
    words = ", ".join(f"{one.task} by {one.counts.sum():,} texts of {one.data}" for one in found)
    return Finding("LABEL_CONFUSION_FILES", "ok", words)


def _alerts(settings: Settings) -> Finding:
    if settings.alerts_file is None:
        return Finding("ALERTS_FILE", "ok", "not used: it is not set")
    rules = Counter(rule.grain for rule in rules_of(settings))
    if not rules:
        return Finding("ALERTS_FILE", "warn", f"{settings.alerts_file} has no rules: add some")
    words = ", ".join(f"{count} {grain}" for grain, count in rules.items())
    return Finding("ALERTS_FILE", "ok", f"{settings.alerts_file} has no mistakes; rules: {words}")


def _webhook(settings: Settings) -> Finding:
    hook = webhook(settings)
    if hook is None:
        words = "not used: it is not set, so failed runs and alerts are only logged"
        return Finding("ALERT_WEBHOOK_URL", "ok", words)
    if hook.malformed:
        words = f"nothing can be posted there, {hook.malformed}: write it as https://host/path"
        return Finding("ALERT_WEBHOOK_URL", "warn", words)
    return Finding("ALERT_WEBHOOK_URL", "ok", "an address; nothing was posted to it just now")


def _keys(settings: Settings) -> Finding:
    file = settings.api_keys_file
    valid = [key for key in KeyFile(file).read() or () if key.revoked_at is None]
    if not valid:
        words = f"{file} has no valid key, so the API answers nobody: {HOW_TO_MAKE_ONE} makes one"
        return Finding("API_KEYS_FILE", "ok", words)
    return Finding("API_KEYS_FILE", "ok", f"{file}: valid keys: {len(valid)}")


def _home(_: Settings) -> Finding:
    home = home_folder()
    new = not (home / "dagster.yaml").exists()
    with open_instance() as instance:
        count = instance.get_runs_count()
    made = "made just now" if new else f"{count:,} runs"
    return Finding("DAGSTER_HOME", "ok", f"{home}: {made}; `make dev` shows the runs in it")


def _space(settings: Settings) -> Finding:
    folders = {"the temporary folder": Path(tempfile.gettempdir()), "DAGSTER_HOME": home_folder()}
    if not settings.s3_enabled:
        folders["the lake"] = settings.parquet_base_dir
    free = {name: shutil.disk_usage(_existing(path)).free for name, path in folders.items()}
    words = ", ".join(f"{size / _GIGABYTE:,.1f} GB for {name}" for name, size in free.items())
    least = min(free.values())
    if least < _LITTLE_SPACE:
        words += "; a run stages the source on disk: free some space, or set TMPDIR"
    state = "fail" if least < _NO_SPACE else "warn" if least < _LITTLE_SPACE else "ok"
    return Finding("disk space", state, words)  # type: ignore[arg-type]


def _existing(path: Path) -> Path:
    """The path, or the nearest folder above it that there is."""
    path = path.resolve()
    return next(one for one in (path, *path.parents) if one.exists())


def _workers(settings: Settings) -> Finding:
    runner = runner_for(settings)
    try:
        list(runner.map(abs, range(settings.workers)))
    finally:
        runner.close()
    words = "work is done in this process" if settings.workers == 1 else f"{settings.workers} start"
    return Finding("worker processes", "ok", words)
