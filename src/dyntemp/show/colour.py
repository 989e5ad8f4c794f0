"""Values as colours: from blue (low) over grey to orange (high), or from grey to orange alone.

The two ends differ in blue against yellow, which stays visible with the common colour blindnesses. All stops have one
lightness, at which text can be read on black and on white.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

from dyntemp.language.interval import Interval

STOPS = ((41, 111, 242), (89, 116, 178), (118, 118, 118), (165, 103, 63), (193, 85, 13))
WIDEST = Interval(0.0, 2.0)


@dataclass(frozen=True, slots=True)
class Scale:
    """A scale from `low` (blue, or grey if not diverging) to `high` (orange). Values beyond an end have its colour."""

    low: float
    high: float
    diverging: bool = True

    @classmethod
    def of(cls, bounds: Interval) -> Scale:
        """A scale over the temperatures that a policy can return, at most 0 to 2."""
        low, high = max(bounds.low, WIDEST.low), min(bounds.high, WIDEST.high)
        return cls(low, high) if high - low > 1e-3 else cls(*WIDEST)

    def share(self, value: float) -> float:
        """The place of a value on the scale, from 0 to 1."""
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
        """The colour of a value as a style of Rich."""
        return "rgb({},{},{})".format(*self.rgb(value))
