"""Temperatures at which the row reaches a target entropy."""

from __future__ import annotations

from dyntemp.functions import clip, max  # noqa: A004 (the language's own)
from dyntemp.language.policy import Policy
from dyntemp.signals import entropy, temperature_for_entropy


def target_entropy(share: float = 0.85, low: float = 0.01, high: float = 1.0) -> Policy:
    """The temperature at which the row's entropy is `share` of its entropy at T = 1, within [low, high]."""
    return Policy(clip(temperature_for_entropy(max(1e-5, share * entropy)), low, high), name="target_entropy")
