"""A server in front of one model: the OpenAI API with a policy per request, and the page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dyntemp.serve.settings import ServerSettings

__all__ = ["ServerSettings", "run"]


def run(app: Any, host: str = "127.0.0.1", port: int = 8000, *, announce: Callable[[str], object] = print) -> None:
    """Serve `app` until Ctrl-C or SIGTERM; open answers then end with an error that says so.

    Args:
        app: The application from `dyntemp.serve.app.make_app`.
        host: The address to listen on; this machine alone by default.
        port: The port; 0 takes any that is free.
        announce: Called with the address once requests are accepted.

    Raises:
        OSError: If the address cannot be listened on.
        KeyboardInterrupt: After Ctrl-C, once everything has ended.
    """
    from dyntemp.serve.listen import listen

    listen(app, host, port, announce)
