"""Prompts that a session has read lately, so that those who join later with the same beginning need not read it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar


class ReadState(Protocol):
    """A model's state after a prompt.

    Attributes:
        length: Number of tokens of the prompt.
    """

    @property
    def length(self) -> int:
        """See `length`."""


State = TypeVar("State", bound=ReadState)


class KeptPrompts(Generic[State]):
    """The model's states after some prompts. Those that were used least recently go.

    Args:
        most: How many prompts are kept.
    """

    def __init__(self, most: int = 0) -> None:
        self._most = most
        self._states: dict[tuple[int, ...], State] = {}

    def longest(self, prompt: Sequence[int]) -> State | None:
        """The state after the longest kept prompt that `prompt` begins with; None without one."""
        tokens = tuple(prompt)
        found = max((kept for kept in self._states if tokens[: len(kept)] == kept), key=len, default=None)
        if found is None:
            return None
        self._states[found] = state = self._states.pop(found)  # the last one used
        return state

    def keep(self, prompt: Sequence[int], state: State) -> None:
        """Keep a prompt, unless a kept one makes up half of it."""
        known = self.longest(prompt)
        if not self._most or (known is not None and 2 * known.length >= len(prompt)):
            return
        while len(self._states) >= self._most:
            del self._states[next(iter(self._states))]
        self._states[tuple(prompt)] = state
