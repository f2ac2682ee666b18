"""Answers that say no: problem details (RFC 9457), each with a kind for programs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from fastapi.exceptions import RequestValidationError
from starlette.responses import Response

from conversation_analytics.errors import RequestRefused

MEDIA_TYPE = "application/problem+json"
_TYPE = "urn:conversation-analytics:problem:"
_LONGEST_VALUE = 100

TITLES: dict[str, tuple[int, str]] = {
    "invalid-request": (422, "The request has a part that is not allowed"),
    "invalid-cursor": (422, "The cursor is not one of this list"),
    "future-date": (422, "The date lies in the future"),
    "unknown-metric": (422, "There is no such metric"),
    "unknown-dimension": (422, "There is no such dimension"),
    "invalid-period": (422, "The period is not one of this grain"),
    "no-key": (401, "An API key is needed"),
    "unknown-key": (401, "The API key is not valid"),
    "missing-scope": (403, "The API key lacks a scope"),
    "foreign-host": (403, "The host name is not this machine's"),
    "foreign-form": (403, "The form was sent by another site"),
    "not-found": (404, "There is nothing here"),
    "no-conversation": (404, "There is no such conversation"),
    "no-report": (404, "There is no such report"),
    "no-user": (404, "There is no such user"),
    "method-not-allowed": (405, "The method is not allowed here"),
    "too-large": (413, "The request is too large"),
    "too-many-requests": (429, "Too many requests"),
    "internal-error": (500, "Something went wrong here"),
    "overloaded": (503, "Too many requests are being answered"),
    "damaged-day": (503, "A day of the lake is damaged"),
    "damaged-report": (503, "A report in the lake is damaged"),
    "lake-unavailable": (503, "The lake cannot be read"),
    "keys-unusable": (503, "The API keys cannot be read"),
    "timeout": (504, "The answer took too long"),
}
"""Status and title of each kind of problem."""

SCHEMA: dict[str, Any] = {
    "type": "object",
    "title": "Problem",
    "description": "Why a request is not answered (RFC 9457). Some kinds have further members.",
    "required": ["type", "title", "status", "detail", "request_id"],
    "properties": {
        "type": {"type": "string", "enum": [_TYPE + kind for kind in TITLES]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What was wrong, and what to do."},
        "request_id": {"type": "string", "description": "To be found in the log by."},
        "errors": {
            "type": "array",
            "description": "Of an invalid request: each part that is not allowed, and why.",
            "items": {
                "type": "object",
                "required": ["part", "reason"],
                "properties": {"part": {"type": "string"}, "reason": {"type": "string"}},
            },
        },
    },
    "example": {
        "type": f"{_TYPE}missing-scope",
        "title": "The API key lacks a scope",
        "status": 403,
        "detail": "This needs the scope read:conversations; the key has read:reports.",
        "request_id": "5f2c7d0e8a6b4c1d9e3f2a1b0c9d8e7f",
    },
}


class Problem(RequestRefused):
    """A request is not answered.

    Args:
        kind: one of `TITLES`.
        detail: what was wrong with this very request, and what to do.
        headers: further headers of the answer.
        more: further members of the answer.
    """

    def __init__(
        self, kind: str, detail: str, *, headers: Mapping[str, str] | None = None, **more: Any
    ) -> None:
        super().__init__(detail)
        self.kind = kind
        self.status, self.title = TITLES[kind]
        self.headers = dict(headers or {})
        self.more = more

    def response(self, request_id: str) -> Response:
        """The answer."""
        body = {
            "type": _TYPE + self.kind,
            "title": self.title,
            "status": self.status,
            "detail": str(self),
            "request_id": request_id,
            **self.more,
        }
        data = orjson.dumps(body, default=str)
        return Response(data, self.status, headers=self.headers, media_type=MEDIA_TYPE)


def invalid(error: RequestValidationError) -> Problem:
    """The problem of a request whose parameters are not what the route takes."""
    problems = []
    for one in error.errors():
        place, *names = (str(part) for part in one["loc"])
        part = ".".join([place, *(name for name in names if name)])
        if one["type"] == "extra_forbidden":
            problems.append({"part": part, "reason": "There is no such parameter."})
            continue
        reason = one["msg"].removeprefix("Value error, ")
        value = repr(one.get("input"))[:_LONGEST_VALUE]
        problems.append({"part": part, "reason": f"{reason} (given: {value})"})
    words = "; ".join(f"{one['part']}: {one['reason']}" for one in problems)
    return Problem("invalid-request", words, errors=problems)


def documented(*kinds: str) -> dict[int | str, dict[str, Any]]:
    """OpenAPI's description of the problems that a route may answer with."""
    found: dict[int | str, dict[str, Any]] = {}
    for kind in kinds:
        status, title = TITLES[kind]
        words = f"{found[status]['description']} {title}." if status in found else f"{title}."
        content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
        found[status] = {"description": words, "content": content}
    return found
