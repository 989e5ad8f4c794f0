"""Power: the smallest difference that a test split can show, stated before it is read."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from statistics import NormalDist, median

import numpy as np

from dyntemp.evaluation.results import ArmResult, TaskResult
from dyntemp.statistics.estimate import sums_by_cluster

POWER = 0.8
"""Probability with which a true difference of the stated size is found."""

LEVEL = 0.05
"""Two-sided level of a test."""


def smallest_difference(variance: float, units: int, level: float = LEVEL, power: float = POWER) -> float:
    """The smallest true mean of paired differences that a test shows: (z(1 - level/2) + z(power)) sqrt(variance/units).

    >>> round(smallest_difference(variance_of(within=0.15, between=0.01, samples=4), 100), 3)
    0.082

    Args:
        variance: Variance of one unit's difference.
        units: How many units are paired: clusters, or items where each is its own.
        level: Two-sided level.
        power: Probability of finding it.
    """
    normal = NormalDist()
    return (normal.inv_cdf(1 - level / 2) + normal.inv_cdf(power)) * sqrt(variance / units)


def variance_of(within: float, between: float, samples: int) -> float:
    """The variance of an item's difference between two arms: between + 2 within/samples.

    Args:
        within: Variance of one sample's score within an item, for each arm.
        between: Variance over items of the true difference.
        samples: Samples for each item and arm.
    """
    return between + 2 * within / samples


def detectable(task: TaskResult, val: Sequence[ArmResult], methods: int = 1) -> float | None:
    """The smallest difference to a tuned static temperature that the task's test split can show, from values of val.

    The median over the methods on val of their differences' variance stands for that of a method on test. The variance
    on val holds the noise of its own number of samples; with more samples on test the truth is smaller.

    Args:
        task: The task, with the clusters of val and test.
        val: Its arms on val.
        methods: How many methods are declared for test; the level is that of Holm's first step.

    Returns:
        The difference, in the unit of the task's metric; None without a static control or a method on val, with fewer
        than two clusters there, or where the median variance is 0: values that do not differ say nothing.
    """
    if task.metric is None:
        return None
    arms = [one for one in val if one.task == task.name and one.split == "val" and task.metric in one.values]
    static = next((one for one in arms if one.control == "static"), None)
    others = [one for one in arms if one.control is None]
    if static is None or not others:
        return None
    variances = [_variance(one.values[task.metric], static.values[task.metric], task.clusters["val"]) for one in others]
    known = [value for value in variances if value is not None]
    clusters = len(set(task.clusters["test"]))
    if not clusters or not (variance := median(known or [0.0])):
        return None
    level = min(LEVEL, 2 * LEVEL / max(methods, 1))  # one-sided tests at Holm's first step, and a two-sided interval
    return smallest_difference(variance, clusters, level)


def _variance(
    values: Sequence[float | None], baseline: Sequence[float | None], clusters: Sequence[str]
) -> float | None:
    """The variance of the mean difference of items, times the number of clusters; None for fewer than two."""
    pairs = [(a - b, c) for a, b, c in zip(values, baseline, clusters, strict=True) if a is not None and b is not None]
    if len({cluster for _, cluster in pairs}) < 2:
        return None
    differences = np.array([pair[0] for pair in pairs])
    sums, sizes = sums_by_cluster(differences, [pair[1] for pair in pairs])
    residuals = (sums - sizes * differences.mean()) / sizes.mean()
    return float((residuals**2).sum() / (len(sums) - 1))
