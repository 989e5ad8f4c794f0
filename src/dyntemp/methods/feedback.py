"""Controllers that follow the surprisal of the tokens drawn."""

from __future__ import annotations

from dyntemp.functions import integral
from dyntemp.language.policy import Policy
from dyntemp.signals import surprisal


def surprise_control(target: float = 2.5, gain: float = 0.1, base: float = 0.7) -> Policy:
    """T = base + a clipped running sum of gain*(target - surprisal): hotter after unsurprising tokens, else colder."""
    return Policy(base + integral(gain * (target - surprisal), -0.5, 0.8), name="surprise_control")
