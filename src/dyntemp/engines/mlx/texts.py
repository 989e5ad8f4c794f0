"""Whose row is whose in MLX-LM, which tells a sampler nothing and a processor the tokens; its arrays as NumPy's."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dyntemp.engines.requests import Requests
from dyntemp.errors import EngineError
from dyntemp.language.policy import Policy

MOST_TEXTS = 1024
"""How many texts are told apart; beyond, the one that was silent for longest is forgotten."""


class Texts:
    """Texts that are being generated, each a request in a slot, told apart by their tokens.

    A row belongs to a text if its tokens are that text's and one more.

    Args:
        requests: Where they begin.
        policy: The policy of each.
        requested: The temperature that each asked for.

    Attributes:
        needed: Whether the policy reads more than its row, so that texts have to be told apart.
    """

    def __init__(self, requests: Requests, policy: Policy, requested: float) -> None:
        self.needed = policy.reads_place
        self._requests, self._policy, self._requested = requests, policy, requested
        self._texts: dict[int, tuple[int, bytes]] = {}  # by slot: tokens of its prompt, and all; the latest at the end
        self._waiting: dict[bytes, list[int]] = {}

    def unplaced(self, rows: int) -> list[int]:
        """Slots of rows of which nothing is known: their numbers."""
        for slot in range(rows):
            if slot not in self._requests:
                self._begin(slot, 0)
        return list(range(rows))

    def prompt(self, slot: int) -> int:
        """How many tokens the text in a slot began with."""
        return self._texts[slot][0]

    def find(self, tokens: NDArray[np.int32]) -> int:
        """The slot of the text that these tokens are, which begins with them if none goes on with them.

        Raises:
            EngineError: If they begin the generated part of a text, as a host's drafts do.
        """
        text = tokens.tobytes()
        if self._waiting.get(before := text[: -tokens.itemsize]):
            slot = self._leave(before)
            prompt, _ = self._texts.pop(slot)
        else:
            self._check_is_new(text, len(tokens))
            slot, prompt = len(self._texts), len(tokens)
            if slot == MOST_TEXTS:
                slot, (_, oldest) = next(iter(self._texts.items()))
                self._leave(oldest, slot)
                del self._texts[slot]
            self._begin(slot, prompt)
        self._texts[slot] = prompt, text
        self._waiting.setdefault(text, []).append(slot)
        return slot

    def _check_is_new(self, text: bytes, length: int) -> None:
        for prompt, other in self._texts.values():
            if length > prompt and other.startswith(text):
                raise EngineError(
                    f"a row after {length} tokens came, which begin a text that is being generated, and "
                    f"`{self._policy}` reads more than its row: no such policy is allowed with draft_model=; to "
                    "generate anew from within a text, call reset() or make another"
                )

    def _leave(self, text: bytes, slot: int | None = None) -> int:
        """A text in a slot, or in the first of several, no longer waits for a token."""
        slots = self._waiting[text]
        left = slots.pop(0 if slot is None else slots.index(slot))
        if not slots:
            del self._waiting[text]
        return left

    def _begin(self, slot: int, prompt: int) -> None:
        self._requests.begin(slot, self._policy, requested=self._requested, prompt=prompt)


def tokens_of(tokens: Any) -> NDArray[np.int32]:
    """The tokens that a processor is given, on the host."""
    return np.asarray(on_host(tokens), np.int32)


def on_host(values: Any) -> NDArray[Any]:
    """An array of MLX, which is waited for, as one of NumPy in the same memory; bfloat16 as float32."""
    if isinstance(values, np.ndarray):
        return values
    import mlx.core as mx

    return np.asarray(values.astype(mx.float32) if values.dtype == mx.bfloat16 else values)


def beside(values: NDArray[Any], other: Any) -> Any:
    """An array in the library of another."""
    if isinstance(other, np.ndarray):
        return values
    import mlx.core as mx

    return mx.array(values)
