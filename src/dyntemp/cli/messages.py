"""Steps of the library that take seconds, such as compiling a kernel, shown while they run."""

from __future__ import annotations

import logging
import sys
import threading
import time

TICK = 1.0
"""Seconds between two updates of the line."""


class Announce(logging.Handler):
    """Prints the messages of the library to the standard error.

    A record with an event `ended` is of a step that goes on until the event is set. On a terminal the seconds that it
    has taken are counted behind its message; elsewhere the message is one line.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Print a message."""
        ended = getattr(record, "ended", None)
        if ended is not None and sys.stderr.isatty():
            threading.Thread(target=_count, args=(record.getMessage(), ended), daemon=True).start()
        else:
            print(record.getMessage(), file=sys.stderr, flush=True)  # noqa: T201


def _count(text: str, ended: threading.Event) -> None:
    """Print a text with the seconds since now, each second anew, until the event is set."""
    began, over = time.monotonic(), False
    print(text, end="", file=sys.stderr, flush=True)  # noqa: T201
    while not over:
        over = ended.wait(TICK)
        seconds = f"{time.monotonic() - began:.0f} s"
        print(f"\r{text}: {seconds}", end="\n" if over else "", file=sys.stderr, flush=True)  # noqa: T201


def announce() -> None:
    """Show the messages of the library from now on."""
    logger = logging.getLogger("dyntemp")
    if not any(isinstance(handler, Announce) for handler in logger.handlers):
        logger.addHandler(Announce())
