"""Values of `given("name", low, high)`: one number, or a list of numbers by position.

A list has a number for each position of the text, from 0. Behind its end it begins again: position p of a list of n
numbers has number p % n. Where rows stand for sequences, an array has a number for each row instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dyntemp.errors import PolicyError
from dyntemp.language.nodes import Signal
from dyntemp.language.policy import Policy

GivenNumbers = float | Sequence[float]
"""One number, or a list or tuple of numbers by position."""


def number_at(value: Any, position: int) -> Any:
    """The number of a list or tuple at a position, from 0. Any other value holds for all positions, and is returned."""
    return value[position % len(value)] if isinstance(value, list | tuple) else value


def numbers_at(given: Mapping[str, Any] | None, position: int) -> dict[str, Any]:
    """The numbers at a position, by name; see `number_at`."""
    return {name: number_at(value, position) for name, value in (given or {}).items()}


def lists_of(policy: Policy, given: Mapping[str, Any] | None) -> dict[Signal, Any]:
    """The lists of `given` that a policy reads, by the signal that reads each."""
    named = {signal: (given or {}).get(str(signal.arguments[0])) for signal in policy.signals if signal.name == "given"}
    return {signal: value for signal, value in named.items() if isinstance(value, list | tuple)}


def check_lists(policy: Policy, given: Mapping[str, Any] | None) -> None:
    """Check the lists of `given` that a policy reads.

    Raises:
        PolicyError: For a list that is empty, that holds anything but numbers, or a number outside the signal's range.
    """
    for signal, value in lists_of(policy, given).items():
        try:
            numbers = np.asarray(value, np.float64)
        except (TypeError, ValueError):
            numbers = np.empty(0)
        if numbers.ndim != 1 or not numbers.size:
            raise PolicyError(
                f"given[{signal.arguments[0]!r}] = {value!r:.80} was given; a number is allowed, or a list with a "
                "number for each position of the text"
            )
        policy.within(signal, numbers)
