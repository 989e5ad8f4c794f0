"""How fast each signal can move with the logits: Lipschitz constants, over all rows where the signal is in a range.

The distance of two rows z and z' over the same support is the least max|z - z' - c| over constants c, since no signal
sees a constant; it is half the spread of z - z'. A slope bounds the sum of |d signal/d z_i| over the entries i. The
derivations are in `docs/theory/rows.md`.
"""

from __future__ import annotations

from functools import lru_cache
from math import exp, inf, log, sinh, sqrt, tanh

from dyntemp.language.interval import Interval
from dyntemp.language.nodes import Signal
from dyntemp.language.signals import SIGNALS
from dyntemp.language.slopes import STILL, UNBOUNDED, Slope

STEPS = 60
"""Halvings of a bracket, which leave it as narrow as float64 can tell."""


def signal_slope(signal: Signal, values: Interval, support: Interval) -> Slope:
    """The most that `signal` moves per unit of distance, at rows where its value is in `values`.

    Args:
        signal: The signal.
        values: The range of its value, a part of its bounds.
        support: The number of unmasked entries, the same in both rows.

    Returns:
        Bounds in units of the signal, and relative to its value; 0 where the logits do not move it, infinite where
        no bound is known.
    """
    low, high = values
    n = support.high
    match signal.name:
        case "surprisal":  # the entropy of this row at the first token, then -ln p of the row before
            return Slope(max(2.0, largest_entropy_slope(max(n, 2.0))), 2.0)
        case "divergence":
            return UNBOUNDED  # the other prompt's row moves too
        case "support" | "entries" | "inside":
            return STILL
        case _ if n < 2 or SIGNALS[signal.name].source == "context":
            return STILL  # one entry has p = 1, whatever its logit
        case "max_prob" | "top_mass" | "quantile" | "median_prob":
            return Slope(2 * _largest_share(low, high), 2 * (1 - low))
        case "margin":
            return Slope(1 - low**2, inf)
        case "collision":
            return Slope(_collision_slope(low, high), 4 * (1 - sqrt(low)))
        case "entropy":
            return Slope(entropy_slope(low, high, n), 2.0)
        case "normalized_entropy":
            return Slope(_normalized_slope(low, high, support), 2.0)
        case "perplexity":
            relative = entropy_slope(log(low), log(high), n)
            return Slope(relative * high, relative)
        case "varentropy":
            return Slope(2 * high + 2 * min(sqrt(high), largest_entropy_slope(n)), inf)
        case _:  # the solution of temperature_for_entropy(...) has no bound where tokens tie
            return UNBOUNDED


def _largest_share(low: float, high: float) -> float:
    """The largest x*(1 - x) from `low` to `high`."""
    x = min(max(0.5, low), high)
    return x * (1 - x)


def _collision_slope(low: float, high: float) -> float:
    """The largest 4*C*(1 - sqrt(C)) from `low` to `high`; its top is at 4/9."""
    c = min(max(4 / 9, low), high)
    return 4 * c * (1 - sqrt(c))


@lru_cache
def largest_entropy_slope(n: float) -> float:
    """The largest E|I - H| over all rows of n >= 2 entries, I the surprisal and H its mean: sup |dH/dz|_1.

    A row with mass a on one entry and the rest spread evenly has 2*a*(1 - a)*(ln(n - 1) + x) with x = ln(a/(1 - a)),
    and no row has more. The best x solves x + ln(n - 1) = coth(x/2), where the value is 1/sinh(x).

    >>> [round(largest_entropy_slope(n), 4) for n in (2, 49_152)]
    [0.4477, 5.4471]
    """
    c = log(n - 1)
    low, high = 0.0, 2.0  # coth(1) < 2
    for _ in range(STEPS):
        x = (low + high) / 2
        low, high = (x, high) if (x + c) * tanh(x / 2) < 1 else (low, x)
    return 1 / sinh(low)


def entropy_slope(low: float, high: float, n: float) -> float:
    """The largest E|I - H| over rows of n entries whose entropy H is from `low` to `high`.

    With a the mass of the entries likelier than exp(-H), E|I - H| is at most 2*a*(H + ln a), and at most
    2*(1 - a)*(ln(n - 1) - ln(1 - a) - H). The first rises with a; the second falls once 1 - a < (n - 1)*exp(-H - 1).
    """
    room = log(n - 1) - low
    start = max(1 - exp(room - 1), 0.0)

    def flat(a: float) -> float:
        return (1 - a) * (room - log(1 - a))

    left, right = start, 1.0
    for _ in range(STEPS):
        a = (left + right) / 2
        if a >= 1 or a * (high + log(a)) >= flat(a):
            right = a
        else:
            left = a
    return min(2 * flat(left), 2 * high, largest_entropy_slope(n))


def _normalized_slope(low: float, high: float, support: Interval) -> float:
    """Over supports of 2 or more, the largest entropy slope divided by ln n falls as n grows."""
    if support.is_point:
        size = log(support.high)
        return entropy_slope(low * size, high * size, support.high) / size
    least = max(support.low, 2.0)
    return min(2 * high, largest_entropy_slope(least) / log(least))
