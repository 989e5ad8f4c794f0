"""Values as colours: blue where low, grey between, orange where high; or from grey to orange alone.

The two ends differ in blue against yellow, which people with any of the common colour blindnesses tell apart, and all
stops have the one lightness at which text can be read on black as well as on white.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

from dyntemp.language.interval import Interval

STOPS = ((41, 111, 242), (89, 116, 178), (118, 118, 118), (165, 103, 63), (193, 85, 13))
WIDEST = Interval(0.0, 2.0)


@dataclass(frozen=True, slots=True)
class Scale:
    """Values from `low` (blue, or grey where it is not diverging) to `high` (orange); what lies beyond has an end's."""

    low: float
    high: float
    diverging: bool = True

    @classmethod
    def of(cls, bounds: Interval) -> Scale:
        """A scale that spends its colours on what a policy can return, at most 0 to 2."""
        low, high = max(bounds.low, WIDEST.low), min(bounds.high, WIDEST.high)
        return cls(low, high) if high - low > 1e-3 else cls(*WIDEST)

    def share(self, value: float) -> float:
        """How far along the scale a value lies, from 0 to 1."""
        return min(max((value - self.low) / (self.high - self.low), 0.0), 1.0) if isfinite(value) else float(value > 0)

    def rgb(self, value: float) -> tuple[int, int, int]:
        """The colour of a value, red, green and blue from 0 to 255.

        >>> Scale(0.0, 2.0).rgb(0.0)
        (41, 111, 242)
        """
        share = self.share(value) if self.diverging else (1 + self.share(value)) / 2
        at = share * (len(STOPS) - 1)
        left = min(int(at), len(STOPS) - 2)
        red, green, blue = (round(a + (b - a) * (at - left)) for a, b in zip(STOPS[left], STOPS[left + 1], strict=True))
        return red, green, blue

    def style(self, value: float) -> str:
        """The colour as Rich spells it."""
        return "rgb({},{},{})".format(*self.rgb(value))
