"""Every error this package raises on purpose.

    ConversationAnalyticsError
    ├── SettingsError            a setting is missing, wrong, or contradicts another
    ├── SourceError              the source cannot be read
    │   ├── SourceUnavailable    unreachable, or still failing after every retry
    │   ├── SourceAccessDenied   the token is wrong or lacks a right
    │   └── SourceSchemaError    a table or a mapped column is not there
    ├── StorageError             the lake or MongoDB cannot be used
    │   ├── StoreUnavailable     unreachable, read-only, full, or access denied
    │   ├── LakeMismatch         the lake was made with other settings
    │   ├── FencedWriter         a newer writer has claimed the day
    │   ├── StaleInput           an input changed between reading it and committing
    │   └── TornDay              a day's write was cut off half-way
    ├── CategorizationError      what categories are made with cannot be used
    │   ├── TaxonomyInvalid      the taxonomy's file has mistakes
    │   ├── ModelUnusable        a model's file is missing, damaged or of another version
    │   └── LabelledDataInvalid  a file of labelled texts cannot be read as one
    ├── DataCheckFailed          a blocking check refused a day's rows
    └── MassDeletion             more rows would vanish at once than is allowed

A message says what was wrong, where, and what to do about it. None contains a secret.
"""

from __future__ import annotations


class ConversationAnalyticsError(Exception):
    """Base of every error this package raises on purpose."""


class SettingsError(ConversationAnalyticsError):
    """A setting is missing, has a value that is not allowed, or contradicts another."""


class SourceError(ConversationAnalyticsError):
    """The source of conversations cannot be read."""


class SourceUnavailable(SourceError):
    """The source is unreachable, or kept failing after every retry."""


class SourceAccessDenied(SourceError):
    """The source refused the credentials."""


class SourceSchemaError(SourceError):
    """A table or a mapped column does not exist in the source."""


class StorageError(ConversationAnalyticsError):
    """The lake or MongoDB cannot be used."""


class StoreUnavailable(StorageError):
    """The store is unreachable, read-only, full, or denies access."""


class LakeMismatch(StorageError):
    """The lake was made with settings that differ from the present ones."""


class FencedWriter(StorageError):
    """A newer writer has claimed the day; this one must not write."""


class StaleInput(StorageError):
    """An input changed between reading it and committing what was derived from it."""


class TornDay(StorageError):
    """A day's files do not belong to its manifest: its write was cut off half-way."""


class CategorizationError(ConversationAnalyticsError):
    """What categories are made with cannot be used."""


class TaxonomyInvalid(CategorizationError):
    """The taxonomy's file has mistakes; names each with its line."""


class ModelUnusable(CategorizationError):
    """The file of a model is missing, damaged, or of another version than the code."""


class LabelledDataInvalid(CategorizationError):
    """A file of labelled texts cannot be read as one."""


class DataCheckFailed(ConversationAnalyticsError):
    """A blocking check refused a day's rows, so nothing of them was committed."""


class MassDeletion(ConversationAnalyticsError):
    """More of the known rows would be removed at once than MAX_DELETE_FRACTION allows."""


# What may be well again soon although nobody does anything: worth another try.
TRANSIENT = (SourceUnavailable, StoreUnavailable)
