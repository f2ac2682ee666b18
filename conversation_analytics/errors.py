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
    │   ├── LabelledDataInvalid  a file of labelled texts cannot be read as one
    │   └── ConfusionInvalid     a file does not say how often labels are confused
    ├── DifyError                a workflow of Dify was not run, or its result cannot be had
    │   ├── DifyUnavailable      unreachable, or failing after every retry; nothing was started
    │   ├── DifyBusy             it takes no more calls just now; nothing was started
    │   ├── DifyAccessDenied     the API key is wrong or lacks a right
    │   ├── DifyCallRefused      inputs, files, user or workflow are not what the app takes
    │   ├── DifyAppUnusable      the app or its model is not set up
    │   ├── DifyQuotaExceeded    the quota of the model or of the plan is used up
    │   ├── DifyWorkflowFailed   the workflow broke off without a result
    │   ├── DifyRunNotFound      Dify does not know the run
    │   ├── DifyRunUnfinished    the run was started, and its result is not there yet
    │   └── DifyOutcomeUnknown   whether a run was started cannot be told
    ├── PeriodInvalid            a grain or the key of a period is not one
    ├── AlertsInvalid            the file of alert rules has mistakes
    ├── RequestRefused           a request to the API is not answered; says why
    ├── KeysUnusable             the file of API keys cannot be used
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


class ConfusionInvalid(CategorizationError):
    """A file does not say how often labels are confused."""


class DifyError(ConversationAnalyticsError):
    """A workflow of Dify was not run, or its result cannot be had.

    Attributes:
        code: Dify's own error code; empty if it gave none.
        run_id: the run, if one is known to have been started; it may have been paid for.
        task_id: what the run can be stopped by, if known.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str = "",
        run_id: str | None = None,
        task_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.run_id = run_id
        self.task_id = task_id


class DifyUnavailable(DifyError):
    """Dify is unreachable, or kept failing after every retry; nothing was started."""


class DifyBusy(DifyError):
    """Dify takes no more calls just now; nothing was started.

    Attributes:
        retry_after: seconds after which it asks to be called again, if it said so.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str = "",
        run_id: str | None = None,
        task_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, code=code, run_id=run_id, task_id=task_id)
        self.retry_after = retry_after


class DifyAccessDenied(DifyError):
    """The API key is wrong or lacks a right."""


class DifyCallRefused(DifyError):
    """The inputs, files, user or workflow are not what the app takes."""


class DifyAppUnusable(DifyError):
    """The app or its model is not set up."""


class DifyQuotaExceeded(DifyError):
    """The quota of the model or of the plan is used up."""


class DifyWorkflowFailed(DifyError):
    """The workflow broke off without a result."""


class DifyRunNotFound(DifyError):
    """Dify does not know the run."""


class DifyRunUnfinished(DifyError):
    """The run was started, and its result is not there yet: read it later, by its id."""


class DifyOutcomeUnknown(DifyError):
    """Whether a run was started cannot be told: running it again may pay for it twice."""


class PeriodInvalid(ConversationAnalyticsError):
    """A grain of reports or the key of a period is not one."""


class AlertsInvalid(ConversationAnalyticsError):
    """The file of alert rules has mistakes; names each with its line."""


class RequestRefused(ConversationAnalyticsError):
    """A request to the API is not answered; says why, and what would be."""


class KeysUnusable(ConversationAnalyticsError):
    """The file of API keys is damaged, or others may read it."""


class DataCheckFailed(ConversationAnalyticsError):
    """A blocking check refused a day's rows, so nothing of them was committed."""


class MassDeletion(ConversationAnalyticsError):
    """More of the known rows would be removed at once than MAX_DELETE_FRACTION allows."""


# What may be well again soon although nobody does anything: worth another try.
TRANSIENT = (SourceUnavailable, StoreUnavailable, DifyUnavailable, DifyBusy)
