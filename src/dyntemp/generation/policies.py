"""Policies as users give them: by name, as a formula or as JSON, and with a temperature beside them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from dyntemp.distribution.filters import Filters, filters_of
from dyntemp.errors import PolicyError
from dyntemp.generation.policy_file import PolicyFile
from dyntemp.language.policy import Policy
from dyntemp.language.signals import suggestion
from dyntemp.methods import METHODS, Method, default
from dyntemp.methods.constant import MIN_P

DEFAULT = PolicyFile(policy=default(), filters=Filters(min_p=MIN_P))
"""The policy of a user who names no policy, no temperature and no filter."""

TEMPERATURE_ADVICE = (
    "Leave one of them out, or write the temperature into the policy, as in `requested*(0.5 + entropy/10)`"
)
"""Advice to users who give a temperature beside a policy that does not read it."""


def read_policy(given: str) -> Policy:
    """The policy that a user gives: the name of a published one, or a formula.

    Raises:
        PolicyError: If it is neither.
    """
    return METHODS[given].make() if given in METHODS else Policy(given)


def read_given(given: str | Mapping[str, Any]) -> PolicyFile:
    """The policy that a user gives with its filters: as `read_policy` takes it, or what `PolicyFile.to_json` writes.

    Args:
        given: A name, a formula, or the JSON of a policy's file, as text or as an object.

    Raises:
        PolicyError: If it is none of these.
    """
    if isinstance(given, Mapping):
        given = json.dumps(given)
    if given.startswith("{"):
        return PolicyFile.from_json(given)
    return PolicyFile(policy=read_policy(given))


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
    return DEFAULT.policy if temperature is None else Policy(temperature, name="static")


def chosen_filters(
    filters: Filters | str | None, top_k: int, top_p: float, min_p: float | None, filter_at: str, *, default: bool
) -> Filters:
    """The filters that a user gives, as `filters_of` takes them; those of `DEFAULT` where none stand beside its policy.

    Raises:
        ValueError: As `filters_of`.
    """
    asked = filters_of(filters, top_k, top_p, min_p or 0.0, filter_at)
    unnamed = default and filters is None and min_p is None and asked == Filters()
    return DEFAULT.filters if unnamed else asked


def reads_temperature(policy: Policy) -> bool:
    """True if a temperature beside the policy has an effect, because the policy reads `requested`."""
    return any(signal.name == "requested" for signal in policy.signals)
