"""The sequence that a row belongs to, which MLX-LM does not say: it is found by the row's tokens."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dyntemp.engines.arrays import on_host
from dyntemp.engines.requests import Requests
from dyntemp.errors import EngineError
from dyntemp.language.policy import Policy

MOST_SEQUENCES = 1024
"""Most sequences that are kept apart. Beyond that, the one that got no row for longest is forgotten."""


class Sequences:
    """Sequences that are being generated, each a request in a slot, recognised by their tokens.

    A row belongs to a sequence if its tokens are those of the sequence and one more.

    Args:
        requests: The requests; a new sequence begins there.
        policy: The policy of each sequence.
        requested: The temperature that each asked for.

    Attributes:
        needed: True if the policy reads more than its row, so that sequences have to be kept apart.
    """

    def __init__(self, requests: Requests, policy: Policy, requested: float) -> None:
        self.needed = requests.reads_place(policy) or bool(policy.zones)
        self._requests, self._policy, self._requested = requests, policy, requested
        self._sequences: dict[
            int, tuple[int, bytes]
        ] = {}  # by slot: prompt length and all tokens; the latest at the end
        self._waiting: dict[bytes, list[int]] = {}

    def unplaced(self, rows: int) -> list[int]:
        """Slots of rows whose tokens are unknown: the rows' numbers."""
        for slot in range(rows):
            if slot not in self._requests:
                self._begin(slot, 0)
        return list(range(rows))

    def prompt(self, slot: int) -> int:
        """Number of tokens in the prompt of the sequence in a slot."""
        return self._sequences[slot][0]

    def find(self, tokens: NDArray[np.int32]) -> int:
        """The slot of the sequence with these tokens. A new sequence begins if they continue none.

        Raises:
            EngineError: If they end inside the generated part of a sequence, as after a host's rejected drafts.
        """
        text = tokens.tobytes()
        if self._waiting.get(before := text[: -tokens.itemsize]):
            slot = self._leave(before)
            prompt, _ = self._sequences.pop(slot)
        else:
            self._check_is_new(text, len(tokens))
            slot, prompt = len(self._sequences), len(tokens)
            if slot == MOST_SEQUENCES:
                slot, (_, oldest) = next(iter(self._sequences.items()))
                self._leave(oldest, slot)
                del self._sequences[slot]
            self._begin(slot, prompt)
        self._sequences[slot] = prompt, text
        self._waiting.setdefault(text, []).append(slot)
        return slot

    def _check_is_new(self, text: bytes, length: int) -> None:
        for prompt, other in self._sequences.values():
            if length > prompt and other.startswith(text):
                raise EngineError(
                    f"a row after {length} tokens came, which begin a text that is being generated, and "
                    f"`{self._policy}` reads more than its row: no such policy is allowed with draft_model=; to "
                    "generate anew from within a text, call reset() or make another"
                )

    def _leave(self, text: bytes, slot: int | None = None) -> int:
        """Take a sequence off the waiting list: the one in `slot`, or the first with this text."""
        slots = self._waiting[text]
        left = slots.pop(0 if slot is None else slots.index(slot))
        if not slots:
            del self._waiting[text]
        return left

    def _begin(self, slot: int, prompt: int) -> None:
        self._requests.begin(slot, self._policy, requested=self._requested, prompt=prompt)


def tokens_of(tokens: Any) -> NDArray[np.int32]:
    """The tokens that a processor is given, int32 [length], on the host."""
    return np.asarray(on_host(tokens), np.int32)
