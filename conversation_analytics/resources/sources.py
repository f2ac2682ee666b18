"""Sources of conversations as Dagster resources: one interface, one class a kind."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
from pydantic import Field

from conversation_analytics.sources.open import OpenedSource, open_files, open_nocodb


class SourceResource(dg.ConfigurableResource, ABC):  # type: ignore[type-arg]
    """A source of conversations; assets ask for this and do not care which kind it is."""

    profile: str = Field("auto", description="auto, plain or dify.")
    mapping_file: str | None = Field(None, description="YAML that maps columns to our fields.")

    @abstractmethod
    def open(self) -> OpenedSource:
        """Open the source and find out how its rows are read."""

    @contextmanager
    def session(self) -> Iterator[OpenedSource]:
        """The source, closed afterwards."""
        opened = self.open()
        try:
            yield opened
        finally:
            opened.source.close()

    @property
    def _mapping_path(self) -> Path | None:
        return Path(self.mapping_file) if self.mapping_file else None


class FilesResource(SourceResource):
    """Exported files in a folder."""

    folder: str = Field(description="Folder of conversations* and messages* files.")
    page_rows: int = Field(10_000, description="Rows in a unit of work.")

    def open(self) -> OpenedSource:
        """See `SourceResource`."""
        return open_files(
            Path(self.folder),
            profile=self.profile,
            mapping_file=self._mapping_path,
            page_rows=self.page_rows,
        )


class NocoDBResource(SourceResource):
    """Two tables of a NocoDB base."""

    base_url: str = Field(description="Address of the server.")
    api_token: str = Field(description="API token of a user who may view the base.")
    base_id: str = Field(description="Id of the base.")
    conversation_table: str = Field("conversations", description="Name or id of the table.")
    messages_table: str = Field("messages", description="Name or id of the table.")
    max_retries: int = Field(5, description="How often a request is sent again at most.")
    retry_delay: float = Field(1.0, description="Seconds before the second try; doubles.")
    batch_size: int = Field(100, description="Most ids in a request.")

    def open(self) -> OpenedSource:
        """See `SourceResource`."""
        return open_nocodb(
            base_url=self.base_url,
            api_token=self.api_token,
            base_id=self.base_id,
            conversation_table=self.conversation_table,
            messages_table=self.messages_table,
            profile=self.profile,
            mapping_file=self._mapping_path,
            max_retries=self.max_retries,
            retry_delay=self.retry_delay,
            batch_ids=min(self.batch_size, 100),
        )
