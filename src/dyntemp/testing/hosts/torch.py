"""A loop of a user's own that calls the module for PyTorch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dyntemp.engines.batch import Counts
from dyntemp.testing.fake_host import Asked, FakeHost, Row
from dyntemp.testing.spelling import OWN_ZONE, spelled


class Loop(FakeHost):
    """Sequences in slots that are used again; some sequences have no policy."""

    adapter = "torch"

    def __init__(self) -> None:
        import torch

        from dyntemp.engines.torch import DynamicTemperature

        self.array: Any = torch.from_numpy
        self.module = DynamicTemperature("1", tokenizer=spelled, zones=OWN_ZONE)
        self.texts: dict[int, list[int]] = {}
        self.others: set[int] = set()

    def begin(self, asked: Sequence[Asked]) -> list[int]:
        """Begin sequences in the lowest free slots."""
        slots = []
        for one in asked:
            slot = next(slot for slot in range(100) if slot not in self.texts)
            prompt = one.prompt_of(-1)
            if one.policy is None:
                self.others.add(slot)
            else:
                self.module.begin(slot, one.policy, requested=one.requested, prompt=len(prompt))
            self.texts[slot] = prompt
            slots.append(slot)
        return slots

    def step(self, rows: Mapping[int, Row]) -> dict[int, Row]:
        """Call the module once, with the rows of all sequences that have a policy."""
        slots = [slot for slot in self.texts if slot in rows and slot not in self.others]
        scaled = self.module(
            self.array(np.stack([rows[slot] for slot in slots])),
            slot=slots,
            position=[len(self.texts[slot]) for slot in slots],
            drawn=[self.texts[slot][-1] for slot in slots],
            text=[self.texts[slot] for slot in slots],
        )
        return {**rows, **dict(zip(slots, scaled.numpy(), strict=True))}

    def draw(self, tokens: Mapping[int, int]) -> None:
        """Append a token to each sequence."""
        for slot, token in tokens.items():
            self.texts[slot].append(token)

    def take_back(self, count: int) -> bool:
        """Shorten each sequence."""
        self.texts = {slot: text[:-count] for slot, text in self.texts.items()}
        return True

    def finish(self, request: int) -> None:
        """End a sequence and free its slot."""
        self.module.end(request)
        self.others.discard(request)
        del self.texts[request]

    def rearrange(self) -> None:
        """Reorder the rows."""
        self.texts = dict(reversed(self.texts.items()))

    @property
    def counts(self) -> Counts:
        """The counts of the module."""
        return self.module.counts
