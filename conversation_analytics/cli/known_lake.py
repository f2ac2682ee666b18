"""The lake that commands read, without a source."""

from __future__ import annotations

from conversation_analytics.settings import Settings
from conversation_analytics.storage.identity import LakeIdentity, ensure_identity
from conversation_analytics.storage.lake import Lake, open_lake


def known_lake(settings: Settings) -> Lake:
    """The lake of the settings.

    Raises:
        StorageError: it cannot be read.
        LakeMismatch: it was made with other settings.
    """
    lake = open_lake(settings)
    ensure_identity(lake.store, LakeIdentity.of(settings))
    return lake
