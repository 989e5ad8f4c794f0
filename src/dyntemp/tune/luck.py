"""The luck of the best of several trials: how much too good its value is, where all are equally good."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

from dyntemp.statistics.estimate import Values

FEWEST = 2
"""Fewest trials, and fewest items, from which noise can be told."""

POINTS = np.linspace(0.0, 9.0, 1801)
"""Where the integral is summed."""


def largest_of(count: int) -> float:
    """The mean of the largest of `count` standard normal numbers.

    It is the integral of 1 - F**count - (1 - F)**count over x > 0, where F is the normal distribution function (David
    and Nagaraja, Order Statistics, 3rd edition 2003, section 3.1).

    >>> [round(largest_of(count), 4) for count in (1, 2, 3)]
    [0.0, 0.5642, 0.8463]
    """
    below = np.array([NormalDist().cdf(x) for x in POINTS])
    heights = 1 - below**count - (1 - below) ** count
    return float((heights[1:] + heights[:-1]).sum() / 2 * POINTS[1])


def noise_of(values: Values) -> float | None:
    """The standard deviation of one trial's mean over its items, from the trials that come near the best.

    All trials have the same items, so what items have in common moves no trial ahead of another. Noise is what is left
    without the mean of each trial and of each item: the residual of the two-way layout with one value a cell (Scheffe,
    The Analysis of Variance, 1959, section 4.1). The upper half of the trials counts.

    Args:
        values: One for each trial and item, [trials, items].

    Returns:
        The deviation; None for fewer than two trials or items.
    """
    count = max(FEWEST, -(-len(values) // 2))
    near = values[np.argsort(-values.mean(axis=1), kind="stable")[:count]]
    trials, items = near.shape
    if trials < FEWEST or items < FEWEST:
        return None
    rest = near - near.mean(axis=1, keepdims=True) - near.mean(axis=0) + near.mean()
    return float(np.sqrt((rest**2).sum() / ((trials - 1) * (items - 1)) / items))
