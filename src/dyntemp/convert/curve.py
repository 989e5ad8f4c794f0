"""The dynamic temperature of other programs: low + (high - low)*normalized_entropy**exponent."""

from __future__ import annotations

import builtins
from dataclasses import dataclass
from fractions import Fraction

from dyntemp.functions import max  # noqa: A004 (the language's own)
from dyntemp.language.policy import Policy
from dyntemp.methods.normalized import between
from dyntemp.methods.programs import around

TOO_LARGE = "these temperatures are beyond what a number can hold; up to 1e300 is allowed"


class ConversionError(ValueError):
    """Settings or a policy cannot be converted; the message says why, and what is allowed."""


@dataclass(frozen=True, slots=True)
class Curve:
    """T = low + (high - low)*normalized_entropy**exponent; one temperature for all where low equals high.

    Attributes:
        low: The temperature of a row that is certain.
        high: The temperature of a uniform row; below `low` if the temperature falls as entropy rises.
        exponent: The exponent of the normalized entropy.
    """

    low: float
    high: float
    exponent: float = 1.0

    @classmethod
    def around(cls, temperature: float, reach: float, exponent: float = 1.0) -> Curve:
        """A curve from `temperature - reach`, but not below 0, to `temperature + reach`.

        Computed in decimals, so that 0.8 - 0.5 is 0.3.

        >>> Curve.around(0.8, 0.5)
        Curve(low=0.3, high=1.3, exponent=1.0)
        """
        try:
            return cls(*around(temperature, reach), exponent)
        except OverflowError:
            raise ConversionError(TOO_LARGE) from None

    @classmethod
    def flat(cls, temperature: float) -> Curve:
        """One temperature for all rows; 0, which is greedy, for values below 0 too."""
        level = temperature if temperature > 0 else 0.0
        return cls(level, level)

    def times(self, number: float) -> Curve:
        """The curve with both ends multiplied by `number`, in decimals.

        >>> Curve(0.1, 1.5).times(0.7)
        Curve(low=0.07, high=1.05, exponent=1.0)
        """
        factor = decimal(number)
        return Curve(_double(decimal(self.low) * factor), _double(decimal(self.high) * factor), self.exponent)

    @property
    def temperature(self) -> float:
        """The middle between the ends: `temperature` in programs with `dynatemp_range`."""
        return _double((decimal(self.low) + decimal(self.high)) / 2)

    @property
    def reach(self) -> float:
        """Half of the distance from low to high: `dynatemp_range`."""
        return _double((decimal(self.high) - decimal(self.low)) / 2)

    @property
    def is_flat(self) -> bool:
        """True if all rows have one temperature."""
        return self.low == self.high or self.exponent == 0

    def policy(self, floor: float = 0.0) -> Policy:
        """The policy of this shape, at least `floor` everywhere.

        >>> str(Curve(0.3, 1.3, 1.5).policy())
        'lerp(0.3, 1.3, normalized_entropy**1.5)'
        """
        if self.is_flat:
            return Policy(builtins.max(self.high, floor))
        shape = between(self.low, self.high, self.exponent)
        return Policy(shape if min(self.low, self.high) >= floor else max(shape, floor))


def decimal(number: float) -> Fraction:
    """The exact value of the shortest decimals of `number`."""
    return Fraction(repr(float(number)))


def _double(number: Fraction) -> float:
    """The double nearest to `number`.

    Raises:
        ConversionError: If it is larger than any double.
    """
    try:
        return float(number)
    except OverflowError:
        raise ConversionError(TOO_LARGE) from None
