"""Signals of a row, within their ranges: from the sums of one read, or from another read."""

from __future__ import annotations

import math

import numpy as np

from dyntemp.kernels.blocks import BLOCK
from dyntemp.kernels.cpu.blocks import row_moments
from dyntemp.kernels.cpu.compare import count_equal
from dyntemp.kernels.cpu.select import mass_above, order_statistics, runner_up, widened
from dyntemp.kernels.cpu.vectors import LOWEST64, floor_of, plain, type_of
from dyntemp.language.signals import SIGNALS

KINDS = {name: kind for kind, name in enumerate(name for name, row in SIGNALS.items() if row.measured)}
"""The number of each measured signal in a packed program; -1 stands for one that the caller gives."""

(MAX_PROB, ENTROPY, NORMALIZED_ENTROPY, PERPLEXITY, QUANTILE, MEDIAN_PROB, MARGIN, COLLISION, VARENTROPY, TOP_MASS,
 SUPPORT, SOLVED) = (
    KINDS[name] for name in ("max_prob", "entropy", "normalized_entropy", "perplexity", "quantile", "median_prob",
                             "margin", "collision", "varentropy", "top_mass", "support", "temperature_for_entropy")
)  # fmt: skip

ORDERED = (QUANTILE, MEDIAN_PROB, MARGIN, TOP_MASS)


@plain
def moment_signal(kind, moments):
    """A signal that the sums over the row determine, within its range; NaN for any other."""
    entropy, count = moments.entropy, moments.count
    most = math.log(count)
    entropy = min(max(entropy, 0.0), most)
    if kind == ENTROPY:
        return entropy
    if kind == MAX_PROB:
        return min(max(math.exp(-moments.log_total), 1.0 / count), 1.0)
    if kind == NORMALIZED_ENTROPY:
        return entropy / most if count > 1.0 else 0.0
    if kind == PERPLEXITY:
        return min(math.exp(entropy), count)
    if kind == COLLISION:
        return min(max(moments.collision, 1.0 / count), 1.0)
    if kind == VARENTROPY:
        return max(moments.varentropy, 0.0) if count > 1.0 else 0.0
    return count if kind == SUPPORT else np.nan


@plain
def order_signal(kind, argument, row, masked_at, blocks, moments, room):
    """A signal that order statistics determine; NaN for any other. Probabilities have the order of the logits."""
    n, count = len(row), int(moments.count)
    top, log_total = moments.top, moments.log_total
    if kind == MARGIN:
        if count == 1:
            return 1.0
        second = runner_up(row, blocks.tops, top)
        return min(math.exp(-log_total) - math.exp(second - top - log_total), 1.0)
    values = widened(row, room[2])
    if kind == TOP_MASS:
        k = int(argument)
        if k >= count:
            return 1.0
        cut, _, above, _ = order_statistics(values, n - k, room)
        mass = mass_above(row, cut, blocks.tops, type_of(cut, top)) + (k - above) * math.exp(cut - top)
        return min(max(mass * math.exp(-log_total), k / count), 1.0)
    if kind != QUANTILE and kind != MEDIAN_PROB:
        return np.nan
    at = argument * (count - 1)
    low = math.floor(at)
    one, following, _, _ = order_statistics(values, n - count + int(low), room)
    above = 1.0 if low == at else 0.0  # an exact place needs no second
    p, q = math.exp(one - top - log_total), math.exp((one if above else following) - top - log_total)
    return min(p + (q - p) * (at - low), 1.0 / (count - math.ceil(at)))  # as many are no smaller


@plain
def solve_entropy(row, target, masked_at, blocks, moments):
    """The temperature at which a row has the entropy `target`, by Newton on ln T inside a bracket.

    The slope dH/d(ln T) is the variance of ln p at T, so there is at most one; `reference.solve_increasing` likewise.
    """
    top = type_of(masked_at, moments.top)
    ties = 0
    for b in range(len(blocks.tops)):
        ties += count_equal(row[b * BLOCK : (b + 1) * BLOCK], top) if blocks.tops[b] == top else 0
    tight = 1e-7 if floor_of(top) > LOWEST64 else 1e-15
    if target >= math.log(moments.count):
        return np.inf
    if target <= math.log(ties):
        return 0.0
    reach = 85.0 if floor_of(top) > LOWEST64 else 700.0  # no 1/T lies beyond what its type can hold
    low, high, log_t = -reach, reach, 0.0
    centre = 0.0
    for _ in range(100):
        a = type_of(masked_at, math.exp(-log_t))
        total, aside, square = row_moments(row, top, a, centre, masked_at)
        mean = centre + aside
        value = math.log(total) - mean - target
        slope = max(square - aside * aside, 0.0)
        centre = max(mean, -50.0)
        if abs(value) <= tight:
            break
        if value < 0.0:
            low = log_t
        else:
            high = log_t
        step = log_t - value / slope if slope > 0.0 else np.inf
        if not low < step < high:
            step = 0.5 * (low + high)
            if low == -reach and high == log_t:
                step = max(high - 2.0, step)
            elif high == reach and low == log_t:
                step = min(low + 2.0, step)
        if abs(step - log_t) <= tight * max(1.0, abs(log_t)):
            break
        log_t = step
    return math.exp(log_t)
