"""An error about one place of a text: the message, the text and carets under the place."""

from __future__ import annotations

from typing import NoReturn

from dyntemp.errors import PolicyError

SHOWN = 60
"""Characters of the text that are shown on each side of the place."""


def fail(message: str, line: str, start: int, end: int) -> NoReturn:
    """Raise `message` with the part of `line` around the characters `start` to `end`.

    Raises:
        PolicyError: Always; its `position` is `start`.
    """
    first = max(0, start - SHOWN)
    shown = ("..." if first else "") + line[first : start + SHOWN]
    mark = " " * (start - first + (3 if first else 0)) + "^" * max(1, min(end, start + SHOWN) - start)
    raise PolicyError(f"{message}\n    {shown}\n    {mark}", start) from None
