"""The guard of a server: checks of host and key before a request is read, and headers of every response."""

from __future__ import annotations

import hmac
import logging
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dyntemp.serve.errors import ApiError, internal
from dyntemp.serve.metrics import Metrics
from dyntemp.serve.settings import ServerSettings

OPEN = ("/", "/health", "/ready")
"""Paths that need no key; the page asks for it itself."""

PATHS = (
    "/", "/health", "/ready", "/metrics", "/openapi.json", "/v1/models", "/v1/chat/completions", "/v1/completions",
    "/play/info", "/play/generate",
)  # fmt: skip
"""Paths that are counted by name; others count as one."""

COOKIE = "dyntemp_key"
"""The cookie in which the page keeps the key."""

LEFT = 499
"""The status of requests whose client left before there was an answer."""

log = logging.getLogger("dyntemp.serve")


class Guard:
    """Checks the host and the key, adds headers, counts responses, and answers errors that nobody else caught.

    Args:
        app: The application behind it.
        settings: The server's.
        metrics: The counters of responses.
    """

    def __init__(self, app: ASGIApp, settings: ServerSettings, metrics: Metrics) -> None:
        self._app, self._settings, self._metrics = app, settings, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, if it may pass."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = LEFT
        started = False

        async def marked(message: Message) -> None:
            nonlocal status, started
            if message["type"] == "http.response.start":
                status, started = message["status"], True
                headers = MutableHeaders(scope=message)
                headers["X-Content-Type-Options"] = "nosniff"
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            self._check(scope)
            await self._app(scope, receive, marked)
        except ApiError as error:
            await error.response()(scope, receive, marked)
        except Exception:
            log.exception("%s %s failed", scope["method"], scope["path"])
            if started:
                raise
            await internal().response()(scope, receive, marked)
        finally:
            self._metrics.answered(_endpoint(scope["path"]), status)

    def _check(self, scope: Scope) -> None:
        """Refuse a request to another host, and a request without the key."""
        headers = Headers(scope=scope)
        hosts = self._settings.hosts
        if hosts is not None and (name := _host(headers.get("host", ""))) not in hosts:
            text = f"this server does not go by the name {name[:80]!r}, but by {', '.join(hosts)}"
            raise ApiError(403, text, code="unknown_host")
        path = scope["path"]
        if self._settings.api_key is None or path in OPEN or (path == "/metrics" and self._settings.open_metrics):
            return
        if not has_key(headers, self._settings.api_key, cookie=path.startswith("/play/")):
            raise ApiError(
                401, "no API key, or a wrong one: send the header `Authorization: Bearer KEY`",
                code="invalid_api_key", headers={"WWW-Authenticate": "Bearer"},
            )  # fmt: skip


def has_key(headers: Headers, key: str, *, cookie: bool) -> bool:
    """True if a request brings the key in its header or, with `cookie`, in the page's cookie."""
    kind, _, found = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer" and same(found.strip(), key):
        return True
    if not cookie:
        return False
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return False
    return morsel is not None and same(morsel.value, key)


def same(found: str, key: str) -> bool:
    """True if two keys are equal. The time of the comparison does not depend on how far they agree."""
    return hmac.compare_digest(found.encode("utf-8", "surrogatepass"), key.encode())


def _host(header: str) -> str:
    """The name in a `Host` header, without the port."""
    name, colon, port = header.rpartition(":")
    return (name if colon and port.isdecimal() else header).strip("[]").lower()


def _endpoint(path: str) -> str:
    return path if path in PATHS else "/v1/models/{id}" if path.startswith("/v1/models/") else "other"
