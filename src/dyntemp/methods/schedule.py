"""Temperatures that follow the position in the text."""

from __future__ import annotations

from dyntemp.functions import exp, max  # noqa: A004 (the language's own)
from dyntemp.language.policy import Policy
from dyntemp.signals import position


def annealed(tau_max: float = 1.2, tau_min: float = 0.1, d: float = 1000.0) -> Policy:
    """T = max(1 + tau_max - exp(position/d), tau_min): early hot, late cold."""
    return Policy(max(1 + tau_max - exp(position / d), tau_min), name="annealed")
