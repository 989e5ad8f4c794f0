"""Draws at temperatures that are decided already."""

from __future__ import annotations

from typing import Any

from dyntemp.language.policy import Policy
from dyntemp.language.signals import MAX_REQUESTED
from dyntemp.sampling import Draw, sample

AS_DECIDED = Policy("requested")
"""The policy that returns the temperature it is given."""


def draw_at(logits: Any, temperature: Any, **settings: Any) -> Draw:
    """A token of each row at its temperature, [rows]; `settings` are those of `dyntemp.sample`."""
    return sample(logits, AS_DECIDED, requested=temperature.clip(max=MAX_REQUESTED), **settings)
