"""Answers that say yes: JSON with an ETag, so that what did not change is not sent again."""

from __future__ import annotations

from typing import Any

import orjson
from fastapi import Request
from starlette.responses import Response

from conversation_analytics.storage.encoding import digest

_OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS


def json_answer(request: Request, value: Any) -> Response:
    """A value as JSON; decimals are text, so that no digit is lost."""
    return tagged(request, orjson.dumps(value, default=str, option=_OPTIONS), "application/json")


def tagged(request: Request, data: bytes, media_type: str) -> Response:
    """Bytes with their ETag, or that the client has them."""
    tag = f'"{digest(data)}"'
    if _has(request.headers.get("if-none-match", ""), tag):
        return Response(None, 304, headers={"ETag": tag})
    return Response(data, headers={"ETag": tag}, media_type=media_type)


def _has(known: str, tag: str) -> bool:
    tags = [one.strip().removeprefix("W/") for one in known.split(",")]
    return tag in tags or tags == ["*"]
