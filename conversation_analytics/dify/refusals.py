"""Dify's error codes as errors that say what to do.

Sources: https://docs.dify.ai/en/api-reference/guides/errors and the pages of the endpoints.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from conversation_analytics.dify.answers import BadAnswer, json_object
from conversation_analytics.errors import (
    DifyAccessDenied,
    DifyAppUnusable,
    DifyBusy,
    DifyCallRefused,
    DifyError,
    DifyQuotaExceeded,
    DifyWorkflowFailed,
)

SHOWN_CHARACTERS = 300

_Meaning = tuple[type[DifyError], str]

_INPUTS = "Give the inputs that the workflow's start node asks for, with their types and lengths."
_PUBLISH = "Publish the workflow in Dify."
_KEY = "Copy the key again from the API page of the app in Dify, and set {key_name}."
_ALLOW = "See that the app's API is switched on, and what the workspace's plan allows."
_LOGS = "The app's logs in Dify show which node failed."
_LATER = "Make fewer calls at once, or raise what the app takes."
_ADDRESS = "Check DIFY_BASE_URL, which ends with /v1."
_ONE_FILE = "Upload one file, with a name."

_BY_CODE: dict[str, _Meaning] = {
    "unauthorized": (DifyAccessDenied, _KEY),
    "forbidden": (DifyAccessDenied, _ALLOW),
    "file_access_denied": (DifyAccessDenied, "Use files of the same app and user."),
    "invalid_param": (DifyCallRefused, _INPUTS),
    "bad_request": (DifyCallRefused, _INPUTS),
    "not_found": (DifyCallRefused, "Check the id, and that it belongs to this app."),
    "no_file_uploaded": (DifyCallRefused, _ONE_FILE),
    "too_many_files": (DifyCallRefused, _ONE_FILE),
    "filename_not_exists_error": (DifyCallRefused, _ONE_FILE),
    "file_too_large": (DifyCallRefused, "Give a smaller file, or raise Dify's limit."),
    "unsupported_file_type": (DifyCallRefused, "Give a file of a type that Dify takes."),
    "not_workflow_app": (
        DifyAppUnusable,
        "{key_name} belongs to an app of another type: set the key of a workflow app.",
    ),
    "app_unavailable": (DifyAppUnusable, "Repair the app's configuration in Dify, and publish it."),
    "workflow_not_found": (DifyAppUnusable, _PUBLISH),
    "draft_workflow_error": (DifyAppUnusable, _PUBLISH),
    "workflow_id_format_error": (DifyAppUnusable, _PUBLISH),
    "provider_not_initialize": (
        DifyAppUnusable,
        "Enter the credentials of the model's provider in Dify: Settings, Model Provider.",
    ),
    "model_currently_not_support": (DifyAppUnusable, "Choose another model in the workflow."),
    "provider_quota_exceeded": (
        DifyQuotaExceeded,
        "Raise the quota at the model's provider, or enter other credentials in Dify.",
    ),
    "rate_limit_error": (
        DifyQuotaExceeded,
        "The plan's quota of runs is used up: wait until it is renewed, or change the plan.",
    ),
    "workflow_request_error": (DifyWorkflowFailed, _LOGS),
    "completion_request_error": (DifyWorkflowFailed, _LOGS),
    "too_many_requests": (DifyBusy, _LATER),
}
# For answers without a code, such as those of a proxy.
_BY_STATUS: dict[int, _Meaning] = {
    401: (DifyAccessDenied, _KEY),
    403: (DifyAccessDenied, _ALLOW),
    404: (DifyCallRefused, _ADDRESS),
    405: (DifyCallRefused, _ADDRESS),
    408: (DifyBusy, _LATER),
    413: (DifyCallRefused, "Give less text or a smaller file, or raise the proxy's limit."),
    425: (DifyBusy, _LATER),
    429: (DifyBusy, _LATER),
    503: (DifyBusy, _LATER),
}
_ANY_OTHER: _Meaning = (DifyCallRefused, _INPUTS)


@dataclass(frozen=True, slots=True)
class Said:
    """What Dify says when something is wrong.

    Attributes:
        status: the HTTP status, or that of an event.
        code: Dify's error code; empty if it is not Dify that answers.
        message: its words, or the start of whatever else came.
    """

    status: int
    code: str
    message: str

    def __str__(self) -> str:
        said = f"HTTP {self.status}" + (f" {self.code}" if self.code else "")
        return said + (f": {self.message}" if self.message else "")

    @property
    def is_refusal(self) -> bool:
        """Whether the call was turned down, rather than having failed somewhere on the way."""
        return 400 <= self.status < 500 or self.code in _BY_CODE


def said(body: bytes, status: int, *, secret: str) -> Said:
    """What the body of an unsuccessful answer says, without the secret."""
    try:
        return said_by(json_object(body), status, secret=secret)
    except BadAnswer:
        return Said(status, "", _shown(body.decode(errors="replace"), secret))


def said_by(envelope: dict[str, Any], status: int, *, secret: str) -> Said:
    """What an error's ``code``, ``message`` and ``status`` say, without the secret."""
    own = envelope.get("status")
    code = envelope.get("code")
    return Said(
        status=own if isinstance(own, int) and own >= 400 else status,
        code=code if isinstance(code, str) else "",
        message=_shown(str(envelope.get("message") or ""), secret),
    )


def refusal(
    said: Said,
    *,
    location: str,
    key_name: str,
    run_id: str | None = None,
    task_id: str | None = None,
) -> DifyError:
    """The error that what Dify says amounts to."""
    kind, advice = _BY_CODE.get(said.code) or _BY_STATUS.get(said.status, _ANY_OTHER)
    return kind(
        f"Dify at {location} refused ({said}). {advice.format(key_name=key_name)}",
        code=said.code,
        run_id=run_id,
        task_id=task_id,
    )


def _shown(text: str, secret: str) -> str:
    return " ".join(text.replace(secret, "***").split())[:SHOWN_CHARACTERS]
