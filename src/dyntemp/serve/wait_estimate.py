"""The time that a running request still takes, from the times of the steps and the parts of prompts so far."""

from __future__ import annotations

from collections.abc import Callable

WEIGHT = 0.1
"""Share of the latest measurement in a moving average."""


class WaitEstimate:
    """Moving averages of the seconds of a step and of a token of a prompt.

    Args:
        tokens: How many tokens of prompts are read for each step, where there are both.
        clock: Returns the time in seconds.
    """

    def __init__(self, tokens: float, clock: Callable[[], float]) -> None:
        self.now = clock
        self._tokens = tokens
        self._step: float | None = None
        self._token: float | None = None

    def stepped(self, began: float) -> None:
        """Count a step that began at this time and ends now."""
        self._step = _average(self._step, self.now() - began)

    def read(self, began: float, tokens: int) -> None:
        """Count a part of a prompt with so many tokens that began at this time and ends now."""
        if tokens:
            self._token = _average(self._token, (self.now() - began) / tokens)

    def seconds(self, prompt: int, tokens: int, readers: int, unread: int) -> float:
        """About how long a request takes that has these tokens still to read and to write; 0 while nothing is known.

        Args:
            prompt: Tokens of its prompt that are not read.
            tokens: Most tokens that it may still write.
            readers: How many prompts are being read, its own included, and share the time.
            unread: Tokens of all these prompts that are not read.
        """
        step, token = self._step or 0.0, self._token or 0.0
        before = min(prompt * readers, unread)  # tokens of prompts that are read before its own is
        beside = min(tokens * self._tokens, unread - before)  # and those that are read while it is written
        return before * (token + step / self._tokens) + tokens * step + beside * token


def _average(before: float | None, value: float) -> float:
    return value if before is None else before + WEIGHT * (value - before)
