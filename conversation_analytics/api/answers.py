"""Answers that say yes: JSON with an ETag, so that what did not change is not sent again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson
from fastapi import Request
from starlette.responses import Response

from conversation_analytics.storage.encoding import digest

PAGE_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
"""What a report's page may do: look as its own style says."""
_OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS


def json_answer(request: Request, value: Any) -> Response:
    """A value as JSON; decimals are text, so that no digit is lost."""
    return tagged(request, orjson.dumps(value, default=str, option=_OPTIONS), "application/json")


def tagged(
    request: Request, data: bytes, media_type: str, headers: Mapping[str, str] | None = None
) -> Response:
    """Bytes with their ETag, or that the client has them, whose copy then gets these headers."""
    tag = f'"{digest(data)}"'
    told = {"ETag": tag, **(headers or {})}
    if _has(request.headers.get("if-none-match", ""), tag):
        return Response(None, 304, headers=told)
    return Response(data, headers=told, media_type=media_type)


def _has(known: str, tag: str) -> bool:
    tags = [one.strip().removeprefix("W/") for one in known.split(",")]
    return tag in tags or tags == ["*"]
