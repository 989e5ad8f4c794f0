"""A loop of a user's own that calls the module for PyTorch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dyntemp.engines.batch import Counts
from dyntemp.testing.fake_host import Asked, FakeHost, Row


class Loop(FakeHost):
    """Sequences in slots that are used again; some sequences have no policy."""

    adapter = "torch"

    def __init__(self) -> None:
        import torch

        from dyntemp.engines.torch import DynamicTemperature

        self.array: Any = torch.from_numpy
        self.module = DynamicTemperature("1")
        self.lengths: dict[int, int] = {}
        self.last: dict[int, int] = {}
        self.others: set[int] = set()

    def begin(self, asked: Sequence[Asked]) -> list[int]:
        """Begin sequences in the lowest free slots."""
        slots = []
        for one in asked:
            slot = next(slot for slot in range(100) if slot not in self.lengths)
            if one.policy is None:
                self.others.add(slot)
            else:
                self.module.begin(slot, one.policy, requested=one.requested, prompt=one.prompt)
            self.lengths[slot], self.last[slot] = one.prompt, -1
            slots.append(slot)
        return slots

    def step(self, rows: Mapping[int, Row]) -> dict[int, Row]:
        """Call the module once, with the rows of all sequences that have a policy."""
        slots = [slot for slot in self.lengths if slot in rows and slot not in self.others]
        scaled = self.module(
            self.array(np.stack([rows[slot] for slot in slots])),
            slot=slots,
            position=[self.lengths[slot] for slot in slots],
            drawn=[self.last[slot] for slot in slots],
        )
        return {**rows, **dict(zip(slots, scaled.numpy(), strict=True))}

    def draw(self, tokens: Mapping[int, int]) -> None:
        """Append a token to each sequence."""
        for slot, token in tokens.items():
            self.lengths[slot] += 1
            self.last[slot] = token

    def finish(self, request: int) -> None:
        """End a sequence and free its slot."""
        self.module.end(request)
        self.others.discard(request)
        del self.lengths[request]

    def rearrange(self) -> None:
        """Reorder the rows."""
        self.lengths = dict(reversed(self.lengths.items()))

    @property
    def counts(self) -> Counts:
        """The counts of the module."""
        return self.module.counts
