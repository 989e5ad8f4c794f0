"""What is known of a host's requests, and of the rows of one step beside their logits."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dyntemp.distribution.filters import GREEDY_AT
from dyntemp.engines.batch import Batch, beside
from dyntemp.language.policy import Policy

UNTOUCHED = Policy(1.0)
"""What rows are measured with that nobody asked us to change."""


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """What is known of a request from its beginning: see `Requests.begin`."""

    policy: Policy
    requested: float
    prompt: int


@dataclass(slots=True, eq=False)
class Rows:
    """What is known of each row beside its logits, [rows].

    Attributes:
        slots: Slot of each.
        policies: Its policy; `UNTOUCHED` for rows that stay as they are.
        prompts: How many tokens its prompt has.
        requested: The temperature that its request asked for.
        ours: Which are to be changed.
        greedy: Which belong to greedy requests.
        position: How many tokens were generated before it; may be below 0 only where a row is not ours.
    """

    slots: NDArray[np.int64]
    policies: list[Policy]
    prompts: NDArray[np.int64]
    requested: NDArray[np.float64]
    ours: NDArray[np.bool_]
    greedy: NDArray[np.bool_]
    position: NDArray[np.int64]

    @classmethod
    def of(cls, slots: NDArray[np.int64], requests: Mapping[int, Request]) -> Rows:
        """The rows of these slots, at the first position of each."""
        found = [requests.get(slot) for slot in slots.tolist()]
        known = np.array([one is not None for one in found], bool)
        requested = np.array([1.0 if one is None else one.requested for one in found], np.float64)
        sampled = requested > GREEDY_AT
        policies = [UNTOUCHED if one is None or one.requested <= GREEDY_AT else one.policy for one in found]
        prompts = np.array([0 if one is None else one.prompt for one in found], np.int64)
        return cls(slots, policies, prompts, requested, known & sampled, known & ~sampled, np.zeros_like(prompts))

    def at(self, which: NDArray[np.int64]) -> Rows:
        """Some of them, by number."""
        return Rows(
            self.slots[which], [self.policies[row] for row in which.tolist()], self.prompts[which],
            self.requested[which], self.ours[which], self.greedy[which], self.position[which],
        )  # fmt: skip

    def only(self, live: NDArray[np.bool_]) -> Rows:
        """The same where only these are to be changed."""
        policies = [policy if alive else UNTOUCHED for policy, alive in zip(self.policies, live.tolist(), strict=True)]
        return replace(self, policies=policies, ours=self.ours & live, greedy=self.greedy & live)


NOBODY, GREEDY = -1, -2
"""What `DeviceRows.which` has for rows that are not ours, and for greedy ones."""


@dataclass(slots=True, eq=False)
class DeviceRows:
    """The same where only a device knows the slot of each row; tensors there, [rows].

    Attributes:
        policies: Those of all requests, each once.
        which: The number of the row's policy among these, or `NOBODY`, or `GREEDY`.
        requested: As in `Rows`.
        position: As in `Rows`.
    """

    policies: list[Policy]
    which: Any
    requested: Any
    position: Any

    @classmethod
    def of(cls, batch: Batch, requests: Mapping[int, Request]) -> DeviceRows:
        """The rows of a batch."""
        torch = sys.modules["torch"]
        policies = list(dict.fromkeys(one.policy for one in requests.values() if one.requested > GREEDY_AT))
        nothing = np.array([[NOBODY], [0.0], [1.0]])
        table = nothing.repeat(max(requests, default=-1) + 2, axis=1)  # the last column is for slots without a request
        for slot, one in requests.items():
            number = GREEDY if one.requested <= GREEDY_AT else policies.index(one.policy)
            table[:, slot] = number, one.prompt, one.requested
        nobody = table.shape[1] - 1
        slots = torch.where(batch.slot < 0, nobody, batch.slot.long().clamp(max=nobody))
        which, prompt, requested = beside(table, batch.slot)[:, slots]
        position = batch.position - prompt.long()
        ours = position >= 0 if batch.live is None else (position >= 0) & batch.live
        return cls(policies, torch.where(ours, which, NOBODY), requested, position)
