"""Intervals on the extended reals: the arithmetic behind `Policy.bounds`.

Sums, products and quotients of float64 are monotone under rounding, so their ends need no widening. The results of
`exp`, `log`, `tanh` and `**` differ between mathematics libraries in the last place or two: their ends are widened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import product
from math import inf, isinf, nextafter
from typing import NamedTuple

import numpy as np

from dyntemp.language.operators import divide, raised

ULPS = 4
"""Units in the last place by which a transcendental result may differ from one mathematics library to another."""


EXACT = (-inf, -1.0, 0.0, 1.0, inf)
"""Results that every mathematics library gives exactly, where it gives them at all."""


class Interval(NamedTuple):
    """Every number from `low` to `high`, both included; either may be infinite."""

    low: float
    high: float

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int | float) and self.low <= value <= self.high

    @property
    def unbounded(self) -> bool:
        """True if an end is infinite."""
        return isinf(self.low) or isinf(self.high)

    @property
    def is_point(self) -> bool:
        """True if it holds one number only."""
        return self.low == self.high


class IndeterminateError(ArithmeticError):
    """An operation reaches a form without a value, such as 0/0; the message names the form."""


class DomainError(IndeterminateError):
    """An argument may lie where the function is not defined.

    Args:
        fault: What may be, such as `its decay may be 2, outside 0 to 1`.
        instead: What to write.
    """

    def __init__(self, fault: str, instead: str) -> None:
        super().__init__(fault)
        self.instead = instead


def hull(values: Iterable[float]) -> Interval:
    """The smallest interval that holds all of `values`."""
    found = [float(value) for value in values]
    return Interval(min(found), max(found))


def union(intervals: Iterable[Interval]) -> Interval:
    """The smallest interval that holds all of `intervals`."""
    return hull(end for interval in intervals for end in interval)


def corners(operation: Callable[..., float], *intervals: Interval) -> Interval:
    """The range of `operation`, which is monotone in each argument, from its values at the corners."""
    with np.errstate(all="ignore"):
        return hull(operation(*corner) for corner in product(*intervals))


def widened(interval: Interval, within: Interval = Interval(-inf, inf)) -> Interval:
    """`interval` with its ends moved outward by `ULPS`, but never beyond `within`.

    Ends at -1, 0, 1 and infinity stay: above all a lower bound of 0 must not turn into a negative temperature. But
    what nears -1 or 1 from inside `within` is rounded to it by one library, and to the number beside it by another.
    """
    low, high = interval
    low_stays = low in EXACT and not low == within.high == 1.0
    high_stays = high in EXACT and not high == within.low == -1.0
    for _ in range(ULPS):
        low = low if low_stays else nextafter(low, -inf)
        high = high if high_stays else nextafter(high, inf)
    return Interval(max(low, within.low), min(high, within.high))


def add(left: Interval, right: Interval) -> Interval:
    """Sums are increasing in both."""
    if (inf in left and -inf in right) or (-inf in left and inf in right):
        raise IndeterminateError("inf - inf")
    return Interval(left.low + right.low, left.high + right.high)


def negative(operand: Interval) -> Interval:
    """Negation swaps the ends."""
    return Interval(-operand.high, -operand.low)


def subtract(left: Interval, right: Interval) -> Interval:
    """Differences are increasing in the first and decreasing in the second."""
    return add(left, negative(right))


def multiply(left: Interval, right: Interval) -> Interval:
    """Products are monotone in each factor, in a direction that the other's sign decides."""
    if (0 in left and right.unbounded) or (0 in right and left.unbounded):
        raise IndeterminateError("0 * inf")
    return corners(np.multiply, left, right)


def quotient(left: Interval, right: Interval) -> Interval:
    """Quotients are monotone in each argument on either side of zero.

    x/0 is +inf for x > 0 where the divisor is never negative, and has no value otherwise.
    """
    if left.unbounded and right.unbounded:
        raise IndeterminateError("inf/inf")
    if 0 not in right:
        return corners(divide, left, right)
    if right.low < 0:
        raise IndeterminateError("x/0 where the divisor may have either sign")
    if left.low <= 0:
        raise IndeterminateError("0/0" if left.high >= 0 else "a negative number over 0")
    return Interval(left.low / right.high if right.high > 0 else inf, inf)


def power(base: Interval, exponent: Interval) -> Interval:
    """`x**y = exp(y*log(x))` is monotone in each argument where x >= 0; below that y must be one whole number."""
    if base.low < 0:
        return _whole_power(base, exponent)
    if 1 in base and exponent.unbounded:
        raise IndeterminateError("1**inf")
    if inf in base and 0 in exponent:
        raise IndeterminateError("inf**0")
    at_most_one = (base.high <= 1 and exponent.low >= 0) or (base.low >= 1 and exponent.high <= 0)
    at_least_one = (base.low >= 1 and exponent.low >= 0) or (base.high <= 1 and exponent.high <= 0)
    within = Interval(1.0 if at_least_one else 0.0, 1.0 if at_most_one else inf)
    return widened(corners(raised, base, exponent), within)


def _whole_power(base: Interval, exponent: Interval) -> Interval:
    if not (exponent.is_point and exponent.low.is_integer()):
        raise IndeterminateError("a negative number raised to what is not a whole number")
    n = int(exponent.low)
    if n == 0 and base.unbounded:
        raise IndeterminateError("inf**0")
    if n < 0 and 0 in base and n % 2:
        raise IndeterminateError("x/0 where the divisor may have either sign")
    ends = corners(lambda x: raised(x, float(n)), base)
    if n % 2 == 0 and 0 in base:  # an even power has its turning point at zero
        ends = union((ends, hull([0.0 if n > 0 else 1.0 if n == 0 else inf])))
    return widened(ends, Interval(0.0, inf) if n % 2 == 0 else Interval(-inf, inf))
