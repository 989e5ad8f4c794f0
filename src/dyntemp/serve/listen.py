"""The listening socket, and the server process on it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import uvicorn

from dyntemp.serve.worker import SECONDS_TO_END


def listen(app: Any, host: str, port: int, announce: Callable[[str], object]) -> None:
    """Serve `app`; see `dyntemp.serve.run`."""
    with bound(host, port) as listener:
        shown = f"[{host}]" if ":" in host else host
        address = f"http://{shown}:{listener.getsockname()[1]}"
        server = Server(app, lambda: announce(address))
        asyncio.run(server.serve(sockets=[listener]))


class Server(uvicorn.Server):
    """A server that reports when it listens, and ends open responses when it stops."""

    def __init__(self, app: Any, listening: Callable[[], object]) -> None:
        config = uvicorn.Config(
            app, log_level="warning", access_log=False, server_header=False, ws="none", lifespan="on",
            timeout_graceful_shutdown=int(SECONDS_TO_END),
        )  # fmt: skip
        super().__init__(config)
        self._listening = listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept requests, and say so."""
        await super().startup(sockets)
        if self.started:
            self._listening()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End open requests, and wait until their clients have the error."""
        own = getattr(getattr(self.config.app, "state", None), "server", None)
        if own is not None and own.worker is not None:
            own.worker.stop()
        await super().shutdown(sockets)


def bound(host: str, port: int) -> socket.socket:
    """A listening socket.

    Raises:
        OSError: If the address cannot be listened on; the message says what to do.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise OSError(f"{host}:{port} cannot be listened on ({why}): name another --host or --port") from None
