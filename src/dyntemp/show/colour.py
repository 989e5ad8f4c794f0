"""Temperatures as colours: blue where cold, grey between, orange where hot.

The two ends differ in blue against yellow, which people with any of the common colour blindnesses tell apart, and all
stops have a middling lightness, so that text in them can be read on a dark and on a light ground.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

from dyntemp.interval import Interval

STOPS = ((37, 99, 235), (74, 134, 214), (140, 140, 140), (214, 132, 52), (222, 88, 14))
WIDEST = Interval(0.0, 2.0)


@dataclass(frozen=True, slots=True)
class Scale:
    """Temperatures from `low` (blue) to `high` (orange); what lies beyond has the colour of the end."""

    low: float
    high: float

    @classmethod
    def of(cls, bounds: Interval) -> Scale:
        """A scale that spends its colours on what a policy can return, at most 0 to 2."""
        low, high = max(bounds.low, WIDEST.low), min(bounds.high, WIDEST.high)
        return cls(low, high) if high - low > 1e-3 else cls(*WIDEST)

    def rgb(self, temperature: float) -> tuple[int, int, int]:
        """The colour of a temperature, red, green and blue from 0 to 255.

        >>> Scale(0.0, 2.0).rgb(0.0)
        (37, 99, 235)
        """
        share = (temperature - self.low) / (self.high - self.low) if isfinite(temperature) else 1.0
        at = min(max(share, 0.0), 1.0) * (len(STOPS) - 1)
        left = min(int(at), len(STOPS) - 2)
        red, green, blue = (round(a + (b - a) * (at - left)) for a, b in zip(STOPS[left], STOPS[left + 1], strict=True))
        return red, green, blue

    def style(self, temperature: float) -> str:
        """The colour as Rich spells it."""
        return "rgb({},{},{})".format(*self.rgb(temperature))
