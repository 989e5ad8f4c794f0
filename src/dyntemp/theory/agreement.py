"""How often two models draw the same token, given how far their logits are apart: a quantised one and the exact one."""

from __future__ import annotations

from math import expm1, inf, log, log1p, tanh

from dyntemp.distribution.filters import GREEDY_AT
from dyntemp.errors import PolicyError
from dyntemp.language.interval import Interval
from dyntemp.language.policy import Policy
from dyntemp.language.signals import MAX_SUPPORT, SIGNALS
from dyntemp.theory.lipschitz import ASSUMPTIONS, steepest
from dyntemp.theory.signal_slopes import largest_entropy_slope
from dyntemp.theory.verdict import Verdict


def agreement(policy: Policy, distance: float, support: int | None = None, temperature: float | None = None) -> Verdict:
    """The verdict on how far apart the distributions of two rows are, each at the temperature of its own.

    Two models whose logits differ by `distance` can be coupled so that they draw different tokens with probability
    `total_variation` at most; over a text of N tokens with probability N times as much.

    Args:
        policy: A policy that is no template.
        distance: The least max|z - z' - c| over constants c, for the logits z and z' of the two models.
        support: The number of unmasked entries of every row, or None for any of 1 to 2**20.
        temperature: The temperature of one of the two rows, if it is known; by default the lowest of the policy.

    Raises:
        PolicyError: For a parameter without a range, a negative distance, or a temperature outside the policy's bounds.

    >>> round(agreement(Policy("0.7"), 0.01).values["total_variation"], 5)
    0.00714
    """
    bounds = policy.bounds(support)
    if not distance >= 0:
        raise PolicyError(f"a distance of {distance} was given; it is 0 or more")
    if temperature is not None and temperature not in bounds:
        raise PolicyError(f"a temperature of {temperature} was given; those of `{policy}` are {bounds}")
    slope = steepest(policy.computed, support).slope
    step = slope * distance if slope else 0.0
    low = bounds.low if temperature is None else max(temperature - step, bounds.low)
    n = MAX_SUPPORT if support is None else support
    ratio = min(log1p(step / low), log(bounds.high / low)) if low > GREEDY_AT else inf
    variation = total_variation(distance, low, ratio, n)
    certain = variation < 1
    values = {
        "distance": distance, "temperature": low, "constant": slope, "total_variation": variation,
        "divergence": divergence(distance, low, ratio, n),
    }  # fmt: skip
    if certain:
        claim = f"rows {distance:g} apart give distributions {variation:.3g} apart at most, in total variation"
        evidence = f"their temperatures are {low:.4g} or more, and a factor of {1 + expm1(ratio):.4g} apart at most"
    else:
        claim = f"no bound is known on how far apart the distributions of rows {distance:g} apart are"
        evidence = f"the temperature may be {low:.4g}, and move {slope:.4g} times as far as the logits"
    return Verdict(claim, True if certain else None, evidence, "rows.md#agreement", values, UNFILTERED)


UNFILTERED = (*ASSUMPTIONS, "no filter is on, and no temperature is 1e-6 or less, which takes the likeliest token")


def total_variation(distance: float, low: float, ratio: float, support: int) -> float:
    """The largest total variation of softmax(z/T) and softmax(z'/T'), at most 1.

    From softmax(z/T) to softmax(z/T') it is at most ratio/2 times the largest mean deviation of a surprisal; from there
    to softmax(z'/T') at most tanh(distance/(2*T')).

    Args:
        distance: The least max|z - z' - c| over constants c.
        low: A bound below T and T'.
        ratio: A bound on |ln(T/T')|.
        support: The number of entries of the rows.
    """
    if low <= GREEDY_AT or inf in (distance, ratio):
        return 1.0 if distance > 0 else 0.0
    return min(_of_temperatures(ratio, support) + tanh(distance / (2 * low)), 1.0)


def divergence(distance: float, low: float, ratio: float, support: int) -> float:
    """The largest KL(softmax(z/T) || softmax(z'/T')), in nats; the arguments are those of `total_variation`."""
    if low <= GREEDY_AT or inf in (distance, ratio):
        return inf if distance > 0 else 0.0
    spread = 2 * distance / low
    varentropy = SIGNALS["varentropy"].bounds(Interval(1.0, float(support))).high
    of_temperatures = varentropy * (expm1(ratio) - ratio)
    return of_temperatures + of_spread(spread) + spread * min(_of_temperatures(ratio, support), 1.0)


def of_spread(spread: float) -> float:
    """The largest KL of two distributions with ln(q/q') in an interval of this length: that of two entries."""
    if spread < SMALL:
        return spread**2 / 8  # Hoeffding's bound, which is above by a share of 1e-5 at most
    return log(expm1(spread) / spread) - 1 + spread / expm1(spread) if spread < LARGE else spread - log(spread) - 1


SMALL, LARGE = 1e-2, 500.0
"""Spreads below and above which the formula would cancel, or overflow."""


def _of_temperatures(ratio: float, support: int) -> float:
    return ratio / 2 * largest_entropy_slope(support) if support > 1 else 0.0
