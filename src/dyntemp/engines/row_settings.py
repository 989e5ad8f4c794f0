"""Sampling settings of a host's requests, gathered for the rows of one step."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dyntemp.distribution.filters import GREEDY_AT
from dyntemp.engines.arrays import beside
from dyntemp.engines.batch import Batch
from dyntemp.language.given import GivenNumbers
from dyntemp.language.policy import Policy

UNTOUCHED = Policy(1.0)
"""The policy of rows that stay as they are: a batch needs one for each row."""


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """The settings of a request, fixed when it begins.

    Attributes:
        policy: Its policy.
        requested: The temperature that it asked for.
        prompt: Number of tokens in its prompt.
        given: Its own values of `given("name", low, high)`, by name.
        curves: True if it asks for the curves of its draws.
    """

    policy: Policy
    requested: float
    prompt: int
    given: Mapping[str, GivenNumbers] = field(default_factory=dict)
    curves: bool = False

    @property
    def is_greedy(self) -> bool:
        """True where the request asked for temperature 0."""
        return self.requested <= GREEDY_AT


@dataclass(slots=True, eq=False)
class RowSettings:
    """The settings of each row's request, [rows].

    Attributes:
        slots: Slot of each row.
        policies: Policy of each row; `UNTOUCHED` for rows that stay as they are.
        of_job: The policies as a `Job` holds them: one for all rows, or one each.
        prompts: Number of tokens in the prompt.
        requested: The temperature that the request asked for.
        ours: True for rows that get a temperature.
        greedy: True for rows of greedy requests.
        curves: True for rows whose curves are asked for.
        position: Number of tokens generated before the row; below 0 only where the row is not ours.
        given: The request's own values of `given("name", low, high)`, by name.
        remembers: True if a policy remembers.
        reads_surprisal: True if a policy reads `surprisal`.
        inside: The value of each `inside("zone")`, by its text.
    """

    slots: NDArray[np.int64]
    policies: list[Policy]
    of_job: tuple[Policy, ...]
    prompts: NDArray[np.int64]
    requested: NDArray[np.float64]
    ours: NDArray[np.bool_]
    greedy: NDArray[np.bool_]
    curves: NDArray[np.bool_]
    position: NDArray[np.int64]
    given: list[Mapping[str, GivenNumbers]]
    remembers: bool
    reads_surprisal: bool
    inside: dict[str, NDArray[np.float64]] = field(default_factory=dict)

    @classmethod
    def of(cls, slots: NDArray[np.int64], requests: Mapping[int, Request]) -> RowSettings:
        """The settings of the requests in these slots, each at its first position."""
        found = [requests.get(slot) for slot in slots.tolist()]
        policies = [UNTOUCHED if one is None or one.is_greedy else one.policy for one in found]
        prompts = np.array([0 if one is None else one.prompt for one in found], np.int64)
        return cls(
            slots=slots,
            policies=policies,
            of_job=_of_job(policies),
            prompts=prompts,
            requested=np.array([1.0 if one is None else one.requested for one in found], np.float64),
            ours=np.array([one is not None and not one.is_greedy for one in found], bool),
            greedy=np.array([one is not None and one.is_greedy for one in found], bool),
            curves=np.array([one is not None and one.curves for one in found], bool),
            position=np.zeros_like(prompts),
            given=[{} if one is None else one.given for one in found],
            remembers=any(policy.remembers for policy in policies),
            reads_surprisal=any(policy.reads_surprisal for policy in policies),
        )

    def at(self, rows: NDArray[np.int64]) -> RowSettings:
        """The settings of some rows, by number."""
        policies = [self.policies[row] for row in rows.tolist()]
        return replace(
            self,
            slots=self.slots[rows],
            policies=policies,
            of_job=_of_job(policies),
            prompts=self.prompts[rows],
            requested=self.requested[rows],
            ours=self.ours[rows],
            greedy=self.greedy[rows],
            curves=self.curves[rows],
            position=self.position[rows],
            given=[self.given[row] for row in rows.tolist()],
            remembers=any(policy.remembers for policy in policies),
            inside={name: values[rows] for name, values in self.inside.items()},
        )

    def only(self, live: NDArray[np.bool_]) -> RowSettings:
        """The same settings, but rows that are not live stay as they are."""
        policies = [policy if alive else UNTOUCHED for policy, alive in zip(self.policies, live.tolist(), strict=True)]
        return replace(
            self,
            policies=policies,
            of_job=_of_job(policies),
            ours=self.ours & live,
            greedy=self.greedy & live,
            remembers=any(policy.remembers for policy in policies),
        )


def _of_job(policies: list[Policy]) -> tuple[Policy, ...]:
    return tuple(policies[:1] if all(policy is policies[0] for policy in policies) else policies)


NOBODY, GREEDY = -1, -2
"""Values of `DeviceRowSettings.policy` for rows that stay as they are, and for rows of greedy requests."""


@dataclass(slots=True, eq=False)
class DeviceRowSettings:
    """The settings of each row where only a device knows the row's slot: tensors there, [rows].

    Attributes:
        policies: The policies of all requests, each once.
        policy: The index of the row's policy in `policies`, or `NOBODY`, or `GREEDY`.
        requested: The temperature that the request asked for.
        position: Number of tokens generated before the row.
    """

    policies: list[Policy]
    policy: Any
    requested: Any
    position: Any

    @classmethod
    def of(cls, batch: Batch, requests: Mapping[int, Request]) -> DeviceRowSettings:
        """The settings of a batch's rows."""
        torch = sys.modules["torch"]
        policies = list(dict.fromkeys(one.policy for one in requests.values() if not one.is_greedy))
        nothing = np.array([[NOBODY], [0.0], [1.0]])
        table = nothing.repeat(max(requests, default=-1) + 2, axis=1)  # the last column is for slots without a request
        for slot, one in requests.items():
            number = GREEDY if one.is_greedy else policies.index(one.policy)
            table[:, slot] = number, one.prompt, one.requested
        nobody = table.shape[1] - 1
        slots = torch.where(batch.slot < 0, nobody, batch.slot.long().clamp(max=nobody))
        policy, prompt, requested = beside(table, batch.slot)[:, slots]
        position = batch.position - prompt.long()
        ours = position >= 0 if batch.live is None else (position >= 0) & batch.live
        return cls(policies, torch.where(ours, policy, NOBODY), requested, position)
