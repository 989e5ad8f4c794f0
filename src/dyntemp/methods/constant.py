"""One temperature for every token."""

from __future__ import annotations

from dyntemp.language.policy import Policy
from dyntemp.methods.method import Method, Number, Range


def static(temperature: Number = 0.7) -> Policy:
    """One temperature for every token: the baseline of every comparison."""
    return Policy(temperature, name="static")


def default() -> Policy:
    """The temperature of a user who names none, behind `MIN_P` where no filter is named either.

    docs/evidence.md compares it with everything else: no policy that reads the row was better than a tuned static
    temperature behind min-p.
    """
    return Policy(0.7, name="default")


MIN_P = 0.05
"""The share of the likeliest token's probability that every token has to have, beside `default`."""

METHODS = (
    Method("default", default, "one temperature, meant to stand behind min-p", "dyntemp",
           "one number for all uses; a task of your own may want another"),
    Method(
        "static", static, "one temperature for every token", "Ackley, Hinton and Sejnowski 1985",
        "treats a forced token and an open one alike", {"temperature": Range(0, 2, "the temperature")},
    ),
)  # fmt: skip
