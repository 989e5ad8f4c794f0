"""One temperature for every token."""

from __future__ import annotations

from dyntemp.language.policy import Policy


def static(temperature: float = 0.7) -> Policy:
    """One temperature for every token: the baseline of every comparison."""
    return Policy(temperature, name="static")
