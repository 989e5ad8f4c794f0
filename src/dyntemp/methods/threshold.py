"""Two temperatures, on either side of a threshold."""

from __future__ import annotations

from dyntemp.functions import where
from dyntemp.language.policy import Policy
from dyntemp.signals import max_prob


def greedy_threshold(threshold: float = 0.3, temperature: float = 0.7) -> Policy:
    """Greedy where max_prob < threshold, else `temperature`."""
    return Policy(where(max_prob < threshold, 0, temperature), name="greedy_threshold")
