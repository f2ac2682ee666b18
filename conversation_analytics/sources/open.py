"""Opening a source, with the mapping its rows are read with.

With the profile ``auto`` the columns of the messages table tell which one fits.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from conversation_analytics.settings import Settings
from conversation_analytics.sources.base import ConversationSource
from conversation_analytics.sources.files import FilesSource
from conversation_analytics.sources.mapping import (
    FieldMapping,
    ProfileName,
    choose_profile,
    load_mapping,
)
from conversation_analytics.sources.nocodb import NocoDBSource, message_columns


@dataclass(frozen=True)
class OpenedSource:
    """A source and how its rows are read.

    Attributes:
        source: where rows come from.
        mapping: profile and columns.
    """

    source: ConversationSource
    mapping: FieldMapping


def open_files(
    folder: Path,
    *,
    profile: str = "auto",
    mapping_file: Path | None = None,
    page_rows: int = 10_000,
) -> OpenedSource:
    """Open exported files.

    Raises:
        SourceError: the folder or its files are not there.
        SettingsError: the mapping file is wrong.
    """
    source = FilesSource(folder, page_rows=page_rows)
    chosen = _profile(profile) or choose_profile(source.columns("messages"))
    return OpenedSource(source, load_mapping(chosen, mapping_file))


def open_nocodb(
    *,
    base_url: str,
    api_token: str,
    base_id: str,
    conversation_table: str,
    messages_table: str,
    profile: str = "auto",
    mapping_file: Path | None = None,
    max_retries: int = 5,
    retry_delay: float = 1.0,
    batch_ids: int = 100,
) -> OpenedSource:
    """Open two tables of a NocoDB base.

    Raises:
        SourceError: they cannot be reached, or are not there.
        SettingsError: the mapping file is wrong.
    """
    chosen = _profile(profile) or choose_profile(
        message_columns(
            base_url=base_url,
            api_token=api_token,
            base_id=base_id,
            messages_table=messages_table,
            max_retries=max_retries,
            retry_delay=retry_delay,
        )
    )
    mapping = load_mapping(chosen, mapping_file)
    source = NocoDBSource(
        base_url=base_url,
        api_token=api_token,
        base_id=base_id,
        conversation_table=conversation_table,
        messages_table=messages_table,
        mapping=mapping,
        max_retries=max_retries,
        retry_delay=retry_delay,
        batch_ids=batch_ids,
    )
    return OpenedSource(source, mapping)


def open_source(settings: Settings) -> OpenedSource:
    """Open the source the settings name.

    Raises:
        SourceError: it cannot be read.
        SettingsError: the mapping file is wrong.
    """
    if settings.source_kind == "files":
        return open_files(
            settings.source_dir,
            profile=settings.source_profile,
            mapping_file=settings.field_mapping_file,
            page_rows=settings.chunk_size,
        )
    token = settings.nocodb_api_token
    return open_nocodb(
        base_url=settings.nocodb_base_url or "",
        api_token=token.get_secret_value() if token else "",
        base_id=settings.nocodb_project_id or "",
        conversation_table=settings.nocodb_conversation_table,
        messages_table=settings.nocodb_messages_table,
        profile=settings.source_profile,
        mapping_file=settings.field_mapping_file,
        max_retries=settings.max_retries,
        retry_delay=settings.retry_delay,
        batch_ids=min(settings.batch_size, 100),
    )


def _profile(name: str) -> ProfileName | None:
    """A profile by name; null for ``auto``."""
    return None if name == "auto" else "dify" if name == "dify" else "plain"
