"""What a lake was made with, so that nobody mixes two meanings of a day in one place."""

from __future__ import annotations

from datetime import date

from pydantic import BaseModel, ConfigDict, ValidationError

from conversation_analytics.errors import LakeMismatch
from conversation_analytics.settings import Settings
from conversation_analytics.storage.layout import LAKE_FILE
from conversation_analytics.storage.store import ObjectStore

FORMAT_VERSION = 2

_SETTING = {
    "format_version": "the format version",
    "timezone": "ANALYTICS_TIMEZONE",
    "start_date": "PARTITIONS_START_DATE",
    "partition_by": "PARQUET_PARTITION_BY",
    "source": "the source (SOURCE, NOCODB_BASE_URL, NOCODB_PROJECT_ID, tables or SOURCE_DIR)",
    "profile": "the source profile (SOURCE_PROFILE or FIELD_MAPPING_FILE)",
}


class LakeIdentity(BaseModel):
    """The contents of ``_lake.json``.

    Attributes:
        format_version: of the lake's layout.
        timezone: IANA name of the zone days are cut in.
        start_date: first day that has a partition.
        partition_by: how folders are named.
        source: fingerprint of the source, empty until it was first read.
        profile: profile and mapping the rows were read with, empty until then.
    """

    model_config = ConfigDict(frozen=True)

    format_version: int = FORMAT_VERSION
    timezone: str
    start_date: date
    partition_by: str
    source: str = ""
    profile: str = ""

    @classmethod
    def of(cls, settings: Settings, *, source: str = "", profile: str = "") -> LakeIdentity:
        """The identity a lake has under the settings."""
        return cls(
            timezone=settings.analytics_timezone,
            start_date=settings.partitions_start_date,
            partition_by=settings.parquet_partition_by,
            source=source,
            profile=profile,
        )


def read_identity(store: ObjectStore) -> LakeIdentity | None:
    """The identity of an existing lake, null where there is none yet.

    Raises:
        LakeMismatch: ``_lake.json`` is not one of ours.
    """
    data = store.get(LAKE_FILE)
    if data is None:
        return None
    try:
        return LakeIdentity.model_validate_json(data)
    except ValidationError as error:
        raise LakeMismatch(f"{store.url}/{LAKE_FILE} is not a lake's identity: {error}") from error


def ensure_identity(store: ObjectStore, identity: LakeIdentity, *, rebuild: bool = False) -> None:
    """Give a new lake its identity, or make sure an existing one has the same.

    An empty source or profile, on either side, means not known yet and fits anything.

    Raises:
        LakeMismatch: they differ; names each difference and what to do.
    """
    data = identity.model_dump_json(indent=1).encode()
    existing = None if rebuild else read_identity(store)
    if rebuild:
        store.put(LAKE_FILE, data)
    elif existing is None and not store.create(LAKE_FILE, data):
        existing = read_identity(store)  # another run was faster
    if existing is None:
        return
    old, new = existing.model_dump(), identity.model_dump()
    unknown_ok = ("source", "profile")
    differences = [
        f"{_SETTING[name]} is {new[name]}, the lake was made with {old[name]}"
        for name in new
        if new[name] != old[name] and not (name in unknown_ok and "" in (new[name], old[name]))
    ]
    if differences:
        raise LakeMismatch(
            f"lake {store.url}: {'; '.join(differences)}. Set it back, use another lake, or "
            "rebuild this one from the source: conversation-analytics backfill --rebuild"
        )
    learnt = identity.model_copy(update={name: new[name] or old[name] for name in unknown_ok})
    if learnt != existing:
        store.put(LAKE_FILE, learnt.model_dump_json(indent=1).encode())
