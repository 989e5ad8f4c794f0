"""An arm: a policy with its filters, as one of the methods under study or as a control."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dyntemp.distribution.filters import Filters
from dyntemp.language.policy import Policy

Series = Mapping[str, Mapping[str, Sequence[float]]]
"""Numbers of `given("name")` by position: item -> name -> one for each position, repeated behind the last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """A policy with its filters.

    Attributes:
        name: Its name in a report, such as `edt + min_p`.
        family: The family whose configurations are compared by a budget, such as `edt + min_p`.
        policy: The policy, with all its parameters bound.
        filters: The truncation of the draw.
        control: The kind of control, such as `static`, `matched` or `placebo`; None for a method under study.
        of: For a control that belongs to one method, such as `matched`: the name of that arm.
        given: Numbers of `given("name")`, by item, name and position; for controls that replay temperatures.
    """

    name: str
    family: str
    policy: Policy
    filters: Filters = Filters()
    control: str | None = None
    of: str | None = None
    given: Series = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """16 hexadecimal digits of what decides its texts: equal for equal policies, filters and given numbers."""
        told = json.dumps([str(self.policy), str(self.filters), self.given], sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()[:16]
