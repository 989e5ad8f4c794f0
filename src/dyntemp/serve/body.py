"""The body of a request -> a JSON object, within limits."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from starlette.requests import Request

from dyntemp.serve.errors import ApiError, wrong
from dyntemp.serve.settings import Settings

CLOSE = {"Connection": "close"}
"""Whoever still sends a body that is not wanted is hung up on."""


async def read_json(request: Request, settings: Settings) -> dict[str, Any]:
    """The object that a request brings.

    Raises:
        ApiError: 400, 408, 413 or 415 for what is none, comes too slowly, is too large, or is called something else.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        text = f"the content type {kind[:80]!r} was given; send JSON, with the header `Content-Type: application/json`"
        raise ApiError(415, text, code="unsupported_media_type", headers=CLOSE)
    return _object(await _read(request, settings))


async def _read(request: Request, settings: Settings) -> bytes:
    most = settings.max_body
    too_large = ApiError(413, f"the body is larger than the {most} bytes allowed", code="body_too_large", headers=CLOSE)
    length = request.headers.get("content-length", "0")
    if not length.isdecimal() or int(length[:20]) > most:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(settings.patience):
            async for part in request.stream():
                body += part
                if len(body) > most:
                    raise too_large
    except TimeoutError:
        text = f"the body did not arrive within {settings.patience:g} s"
        raise ApiError(408, text, code="timeout", headers=CLOSE) from None
    return bytes(body)


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body.decode("utf-8"), parse_constant=_refuse, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        what = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise wrong(None, f"the body is not JSON: {what[:200]}", "invalid_json") from None
    if not isinstance(found, dict):
        text = f"the body is {type(found).__name__}; a JSON object is expected, such as {{...}}"
        raise wrong(None, text, "invalid_json")
    return found


def _refuse(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a field stands in it twice")
    return found
