"""The temperature that engines compute themselves: low + (high - low)*normalized_entropy**exponent."""

from __future__ import annotations

import builtins
from dataclasses import dataclass
from fractions import Fraction

from dyntemp.functions import lerp, max  # noqa: A004 (the language's own)
from dyntemp.language.policy import Policy
from dyntemp.signals import normalized_entropy


class ConversionError(ValueError):
    """Settings or a policy that cannot be converted; the message says why, and what can be."""


@dataclass(frozen=True, slots=True)
class Curve:
    """T = low + (high - low)*normalized_entropy**exponent; one temperature for all where low equals high.

    Attributes:
        low: The temperature of a row that is certain.
        high: The temperature of a uniform row; below `low` where temperature falls as entropy rises.
        exponent: How fast it gets from one to the other.
    """

    low: float
    high: float
    exponent: float = 1.0

    @classmethod
    def around(cls, temperature: float, reach: float, exponent: float = 1.0) -> Curve:
        """From `temperature - reach`, though not below 0, to `temperature + reach`.

        Computed in the decimals as they are written, so that 0.8 - 0.5 is 0.3.

        >>> Curve.around(0.8, 0.5)
        Curve(low=0.3, high=1.3, exponent=1.0)
        """
        t, d = decimal(temperature), decimal(reach)
        return cls(_double(t - d) if t > d else 0.0, _double(t + d) if t > -d else 0.0, exponent)

    @classmethod
    def flat(cls, temperature: float) -> Curve:
        """One temperature for all; at or below 0 it is 0, which is greedy."""
        level = temperature if temperature > 0 else 0.0
        return cls(level, level)

    def times(self, number: float) -> Curve:
        """The curve of which both ends are multiplied with `number`, in the decimals as they are written.

        >>> Curve(0.1, 1.5).times(0.7)
        Curve(low=0.07, high=1.05, exponent=1.0)
        """
        factor = decimal(number)
        return Curve(_double(decimal(self.low) * factor), _double(decimal(self.high) * factor), self.exponent)

    @property
    def temperature(self) -> float:
        """Halfway between the ends: what `temperature` is to a program that moves around it."""
        return _double((decimal(self.low) + decimal(self.high)) / 2)

    @property
    def reach(self) -> float:
        """Half of the way from low to high: `dynatemp_range`."""
        return _double((decimal(self.high) - decimal(self.low)) / 2)

    @property
    def is_flat(self) -> bool:
        """Whether it is one temperature for all."""
        return self.low == self.high or self.exponent == 0

    def policy(self, floor: float = 0.0) -> Policy:
        """The policy of this shape, at least `floor` everywhere.

        >>> str(Curve(0.3, 1.3, 1.5).policy())
        'lerp(0.3, 1.3, normalized_entropy**1.5)'
        """
        if self.is_flat:
            return Policy(builtins.max(self.high, floor))
        share = normalized_entropy if self.exponent == 1 else normalized_entropy**self.exponent
        shape = lerp(self.low, self.high, share)
        return Policy(shape if min(self.low, self.high) >= floor else max(shape, floor))


def decimal(number: float) -> Fraction:
    """`number` as its shortest decimals say it, exactly."""
    return Fraction(repr(float(number)))


def _double(number: Fraction) -> float:
    """The double that is nearest to `number`.

    Raises:
        ConversionError: If it is beyond all of them.
    """
    try:
        return float(number)
    except OverflowError:
        raise ConversionError("these temperatures are beyond what a number can hold; up to 1e300 is allowed") from None
