"""One temperature for every token."""

from __future__ import annotations

from dyntemp.language.policy import Policy
from dyntemp.methods.method import Method, Number, Range


def static(temperature: Number = 0.7) -> Policy:
    """One temperature for every token: the baseline of every comparison."""
    return Policy(temperature, name="static")


METHODS = (
    Method(
        "static", static, "one temperature for every token", "Ackley, Hinton and Sejnowski 1985",
        "treats a forced token and an open one alike", {"temperature": Range(0, 2, "the temperature")},
    ),
)  # fmt: skip
