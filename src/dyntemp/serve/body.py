"""The body of a request -> a JSON object, within limits."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

from starlette.requests import Request

from dyntemp.serve.errors import ApiError, wrong
from dyntemp.serve.settings import ServerSettings

CLOSE = {"Connection": "close"}
"""The header that ends the connection of a client whose body is refused."""

SECONDS_TO_DROP, IDLE_SECONDS, MOST_DROPPED = 10.0, 2.0, 100_000_000
"""Limits for the rest of a refused body: seconds in all, seconds without data, and bytes."""


async def read_json(request: Request, settings: ServerSettings) -> dict[str, Any]:
    """The JSON object in the body of a request.

    Raises:
        ApiError: 400 for other content, 408 for a slow body, 413 for a large one, 415 for another content type.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        text = f"the content type {kind[:80]!r} was given; send JSON, with the header `Content-Type: application/json`"
        raise ApiError(415, text, code="unsupported_media_type", headers=CLOSE)
    return _object(await _read(request, settings))


async def _read(request: Request, settings: ServerSettings) -> bytes:
    most = settings.max_body
    length = request.headers.get("content-length", "0")
    parts = request.stream()
    body = bytearray()
    try:
        async with asyncio.timeout(settings.patience):
            fits = length.isdecimal() and int(length[:20]) <= most
            while fits and (part := await anext(parts, b"")):
                body += part
                fits = len(body) <= most
    except TimeoutError:
        text = f"the body did not arrive within {settings.patience:g} s"
        raise ApiError(408, text, code="timeout", headers=CLOSE) from None
    if not fits:
        await _drop(parts, waits="expect" in request.headers)
        text = f"the body is larger than the {most} bytes allowed"
        raise ApiError(413, text, code="body_too_large", headers=CLOSE)
    return bytes(body)


async def _drop(parts: AsyncIterator[bytes], *, waits: bool) -> None:
    """Read and drop the rest of a body, within limits; a client that is still sending would not see the answer.

    Args:
        parts: The parts of the body.
        waits: Whether the client waits for the server's permission to send it.
    """
    dropped = 0
    with suppress(TimeoutError):
        async with asyncio.timeout(SECONDS_TO_DROP):
            while not waits and dropped < MOST_DROPPED:
                async with asyncio.timeout(IDLE_SECONDS):
                    part = await anext(parts, b"")
                if not part:
                    return
                dropped += len(part)


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body.decode("utf-8-sig"), parse_constant=_refuse, object_pairs_hook=_once)
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
