"""Temperatures between two ends, by the entropy's share of the largest possible."""

from __future__ import annotations

from dyntemp.functions import lerp
from dyntemp.language.policy import Policy
from dyntemp.signals import normalized_entropy


def default() -> Policy:
    """T from 0.3 where the model is certain to 1 where the row is uniform.

    T never exceeds 1, on any vocabulary. So it never makes the model less certain than it is, and heat cannot feed
    itself. The square root spreads the small entropies at which real models take most of their steps.
    """
    return Policy(lerp(0.3, 1.0, normalized_entropy**0.5), name="default")


def dynatemp(low: float = 0.3, high: float = 1.3, exponent: float = 1.0) -> Policy:
    """T = low + (high - low)*normalized_entropy**exponent; `low` above `high` gives the inverse."""
    share = normalized_entropy if exponent == 1 else normalized_entropy**exponent
    return Policy(lerp(low, high, share), name="dynatemp")
