"""The application: every endpoint of a server, behind its guard."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from difflib import get_close_matches
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse

from dyntemp._version import __version__
from dyntemp.models import Model
from dyntemp.serve import openai_api, play
from dyntemp.serve.errors import ApiError
from dyntemp.serve.guard import LEFT, PATHS, Guard
from dyntemp.serve.server import IGNORED, Server
from dyntemp.serve.settings import ServerSettings


def make_app(model: Model | None, *, settings: ServerSettings | None = None, page: str | None = None) -> FastAPI:
    """The ASGI application in front of `model`, which it uses in a thread of its own while it runs.

    Args:
        model: The model; without one the page works alone, and `/v1` answers 503.
        settings: The settings of the server.
        page: The HTML at `/`; without it there is neither `/` nor `/play`.

    Raises:
        ValueError: If the policy in the settings cannot be read.
    """
    server = Server.of(model, settings or ServerSettings())

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        worker = server.worker
        if worker is not None:
            worker.start()
        yield
        if worker is not None:
            worker.stop()
            await worker.join()

    app = FastAPI(title="dyntemp", version=__version__, docs_url=None, redoc_url=None, lifespan=lifespan)
    app.state.server = server
    app.include_router(openai_api.router(server))
    if page is not None:
        app.include_router(play.router(server, page))
    _add_operations(app, server)
    _add_errors(app, _paths(server.settings, page))
    app.add_middleware(Guard, settings=server.settings, metrics=server.metrics)
    if server.settings.allowed_origins:
        app.add_middleware(
            CORSMiddleware, allow_origins=server.settings.allowed_origins, allow_methods=["GET", "POST"],
            allow_headers=["*"], expose_headers=[IGNORED, "Retry-After"],
        )  # fmt: skip
    return app


def _add_operations(app: FastAPI, server: Server) -> None:
    """The endpoints for operators of the server."""

    @app.get("/health")
    async def health() -> dict[str, Any]:
        """The state of the process, which answers."""
        worker = server.worker
        about = {"status": "ok", "version": __version__, "model": worker and worker.model.name}
        if worker is None:
            return about
        counts = {"open": worker.open, "waiting": worker.waiting, "reading": worker.reading, "running": worker.live}
        return about | counts

    @app.get("/ready")
    async def ready() -> Response:
        """Readiness for requests: 503 without a model, and while the server stops."""
        if server.worker is not None and server.worker.ready:
            return JSONResponse({"status": "ready"})
        return JSONResponse({"status": "no model" if server.worker is None else "stopping"}, 503)

    if server.settings.metrics:

        @app.get("/metrics")
        async def metrics() -> Response:
            """The counters, for Prometheus."""
            return Response(server.metrics.text(), media_type=CONTENT_TYPE_LATEST)


def _paths(settings: ServerSettings, page: str | None) -> list[str]:
    """The paths that this server answers."""
    absent = () if page is not None else ("/", "/play/info", "/play/generate")
    return [path for path in PATHS if path not in absent and (settings.metrics or path != "/metrics")]


def _add_errors(app: FastAPI, there: Sequence[str]) -> None:
    """Answer every error in the shape that clients of the OpenAI API read; `there` are the paths of this server."""

    @app.exception_handler(ApiError)
    async def ours(_: Request, error: ApiError) -> Response:
        return error.response()

    @app.exception_handler(HTTPException)
    async def of_routing(request: Request, error: HTTPException) -> Response:
        path, method = request.url.path[:200], request.method
        if error.status_code == 404:
            close = get_close_matches(path, there, n=1)
            text = f"there is no {method} {path}" + (f"; did you mean `{close[0]}`?" if close else "")
            if path == "/":
                text += ": this server has no page; its API begins with /v1"
        elif error.status_code == 405:
            text = f"{method} {path} is not possible; try {(error.headers or {}).get('Allow', 'another method')}"
        else:
            text = str(error.detail)
        return ApiError(error.status_code, text, code=_code(error.status_code), headers=error.headers).response()

    @app.exception_handler(RequestValidationError)
    async def of_reading(_: Request, error: RequestValidationError) -> Response:
        return ApiError(422, str(error.errors()[0]["msg"]), code="invalid_value").response()

    @app.exception_handler(ClientDisconnect)
    async def of_leaving(_: Request, __: ClientDisconnect) -> Response:
        return Response(status_code=LEFT)


def _code(status: int) -> str | None:
    return {404: "not_found", 405: "method_not_allowed"}.get(status)
