"""A client of an application that is not behind a socket."""

from contextlib import asynccontextmanager
from importlib.util import find_spec

import pytest

NEEDED = ("fastapi", "uvicorn", "openai", "prometheus_client", "httpx2")
collect_ignore_glob = [] if all(map(find_spec, NEEDED)) else ["*.py"]


@pytest.fixture
def asked():
    """`async with asked(app) as client`: the application runs, and the client calls it."""
    import httpx2

    @asynccontextmanager
    async def run(app, host="127.0.0.1"):
        async with (
            app.router.lifespan_context(app),
            httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=f"http://{host}", timeout=30) as client,
        ):
            yield client

    return run
