"""Policies as users give them: by name, as a formula or as JSON, and with a temperature beside them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from dyntemp.distribution.filters import Filters, filters_of
from dyntemp.errors import PolicyError
from dyntemp.language.policy import Policy
from dyntemp.language.signals import suggestion
from dyntemp.methods import METHODS, Method, default
from dyntemp.methods.constant import MIN_P

TEMPERATURE_ADVICE = (
    "Leave one of them out, or write the temperature into the policy, as in `requested*(0.5 + entropy/10)`"
)
"""Advice to users who give a temperature beside a policy that does not read it."""


def read_policy(given: str | Mapping[str, Any]) -> Policy:
    """The policy that a user gives: the name of a published one, a formula, or an object as `Policy.to_json` writes it.

    Raises:
        PolicyError: If it is none of these.
    """
    if isinstance(given, Mapping):
        return Policy.from_json(json.dumps(given))
    return METHODS[given].make() if given in METHODS else Policy(given)


def read_method(name: str) -> Method:
    """The published method of this name.

    Raises:
        PolicyError: If there is none.
    """
    if name not in METHODS:
        known = f"`dyntemp policies` lists {len(METHODS)}"
        raise PolicyError(f"there is no method `{name}`; {known}{suggestion(name, METHODS)}")
    return METHODS[name]


def policy_of_temperature(temperature: float | None) -> Policy:
    """The policy of a user who gives none: one temperature for every token, or the default without a temperature."""
    return default() if temperature is None else Policy(temperature, name="static")


def chosen_filters(
    filters: Filters | str | None, top_k: int, top_p: float, min_p: float | None, filter_at: str, *, default: bool
) -> Filters:
    """The filters that a user gives, as `filters_of` takes them; beside the default policy and none of them, `MIN_P`.

    Raises:
        ValueError: As `filters_of`.
    """
    unnamed = filters is None and top_k == 0 and top_p == 1 and min_p is None and filter_at == "model"
    return filters_of(filters, top_k, top_p, MIN_P if default and unnamed else min_p or 0.0, filter_at)


def reads_temperature(policy: Policy) -> bool:
    """True if a temperature beside the policy has an effect, because the policy reads `requested`."""
    return any(signal.name == "requested" for signal in policy.signals)
