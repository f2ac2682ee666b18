"""What `topics discover` finds and proposes, and what `topics accept` makes of a taxonomy."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

from conversation_analytics.categorization.discovery.discover import Discovery
from conversation_analytics.categorization.discovery.gathering import rediscover
from conversation_analytics.categorization.discovery.proposal import apply_patch, propose
from conversation_analytics.categorization.taxonomy import (
    DEFAULT_FILE,
    load_taxonomy,
    read_taxonomy,
)
from conversation_analytics.cli.known_lake import known_lake
from conversation_analytics.errors import SettingsError
from conversation_analytics.settings import Settings
from conversation_analytics.storage.lake import Lake
from conversation_analytics.storage.layout import CATEGORIES_UNIT


def discovered(settings: Settings, first: date | None, last: date | None) -> tuple[Discovery, str]:
    """Find topics, and propose a patch of the taxonomy.

    Args:
        settings: the settings.
        first: first day; null for the lake's.
        last: last day, included; null for the lake's. Only a discovery of all days is kept.

    Raises:
        SettingsError: none of the days has categories.
        CategorizationError: the taxonomy, or what the last discovery left, cannot be used.
        StorageError: the lake cannot be used.
    """
    if first and last and first > last:
        raise SettingsError(f"--from {first} is after --to {last}")
    taxonomy = load_taxonomy(settings.taxonomy_file or DEFAULT_FILE)
    lake = known_lake(settings)
    days = _days(lake, first, last)
    found = rediscover(lake, days if first or last else None, min_users=settings.min_users_per_cell)
    return found, propose(found.topics, taxonomy)


def _days(lake: Lake, first: date | None, last: date | None) -> list[date]:
    """The days with categories among those asked for; at least one."""
    there = lake.days(CATEGORIES_UNIT)
    if not there:
        raise SettingsError("no day has categories yet: conversation-analytics backfill")
    days = [day for day in there if (first or day) <= day <= (last or day)]
    if not days:
        raise SettingsError(
            f"none of these days has categories: the lake has them from {there[0]} to {there[-1]}"
        )
    return days


def accepted(settings: Settings, patch: Path) -> tuple[Path, list[str]]:
    """Put the topics of a patch into the settings' taxonomy.

    Args:
        settings: the settings.
        patch: a file that `topics discover --patch` wrote, as a person has changed it.

    Returns:
        The taxonomy's file, and the topics that are new there.

    Raises:
        SettingsError: TAXONOMY_FILE is not set, or a file cannot be read or written.
        TaxonomyInvalid: a file has mistakes, or the taxonomy has a topic of the patch already.
    """
    file = settings.taxonomy_file
    if file is None:
        raise SettingsError(
            f"TAXONOMY_FILE is not set: copy {DEFAULT_FILE}, and set TAXONOMY_FILE to the copy"
        )
    text, newline = _read(file)
    merged = apply_patch(text, _read(patch)[0], file)
    before = _topics(text, file)
    new = [name for name in _topics(merged, file) if name not in before]
    if new:
        _replace(file, merged, newline)
    return file, new


def _topics(text: str, file: Path) -> tuple[str, ...]:
    section = read_taxonomy(text, file).sections.get("topic")
    return section.names if section else ()


def _read(file: Path) -> tuple[str, str]:
    """A file's text, and what its lines end with."""
    try:
        with file.open(encoding="utf-8-sig") as opened:
            text = opened.read()
            return text, "\r\n" if opened.newlines == "\r\n" else "\n"
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file} cannot be read: {error}") from error


def _replace(file: Path, text: str, newline: str) -> None:
    """Write a file anew, all of it or nothing; a link stays one, and rights stay as they are."""
    target = file.resolve()
    temporary = target.with_name(f".{target.name}.new")
    try:
        with target.open("r+"):  # a rename would not mind that it may not be written
            pass
        with temporary.open("w", encoding="utf-8", newline=newline) as opened:
            opened.write(text)
        shutil.copymode(target, temporary)
        temporary.replace(target)
    except OSError as error:
        raise SettingsError(f"{file} cannot be written, and stays as it is: {error}") from error
    finally:
        temporary.unlink(missing_ok=True)
