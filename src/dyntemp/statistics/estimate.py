"""Means over prompts, paired differences to a baseline, and their bootstrap intervals.

Prompts are the independent units: values of several seeds on one prompt are averaged before they come here.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

RESAMPLES = 9_999
"""Resamples of the bootstrap."""

FEW_PROMPTS = 10
"""With fewer prompts than this, bootstrap intervals come out too narrow."""

AT_ONCE = 1_000_000
"""Values that are resampled at a time, which bounds the memory."""


class Estimate(NamedTuple):
    """A mean over prompts, and its paired difference to a baseline. None stands for a value that is not defined.

    Attributes:
        mean: Mean over the prompts.
        difference: Mean over prompts of the value less the baseline's; None for the baseline itself.
        low: Lower end of the difference's 95 % interval.
        high: Upper end of the interval.
        prompts: How many prompts the difference is over; for the baseline, the mean.
    """

    mean: float | None
    difference: float | None
    low: float | None
    high: float | None
    prompts: int


def estimate(values: Sequence[float | None], baseline: Sequence[float | None] | None = None) -> Estimate:
    """The estimate of values, one for each prompt, against a baseline's values on the same prompts.

    A prompt without a value on either side is left out of the difference. Infinite values have no difference.
    """
    known = [value for value in values if value is not None]
    if baseline is None:
        return Estimate(mean(known), None, None, None, len(known))
    pairs = [(a, b) for a, b in zip(values, baseline, strict=True) if a is not None and b is not None]
    if not pairs or not np.all(np.isfinite(pairs)):
        return Estimate(mean(known), None, None, None, len(pairs))
    differences = np.array([a - b for a, b in pairs])
    low, high = interval(differences) or (None, None)
    return Estimate(mean(known), float(differences.mean()), low, high, len(pairs))


def mean(values: Sequence[float]) -> float | None:
    """The mean; None for no values."""
    return float(np.mean(values)) if len(values) else None


def interval(
    values: Values, share: float = 0.95, clusters: Sequence[Hashable] | None = None
) -> tuple[float, float] | None:
    """The interval of the mean by the percentile bootstrap (Efron 1979), resampled with one fixed seed.

    Args:
        values: One for each prompt, [prompts].
        share: Probability with which the interval is meant to hold the true mean.
        clusters: The cluster of each prompt; clusters are resampled whole. None where every prompt is its own.

    Returns:
        Its ends; None for fewer than two prompts, or clusters.
    """
    sums, sizes = (values, None) if clusters is None else sums_by_cluster(values, clusters)
    count = len(sums)
    if count < 2:
        return None
    generator, means = np.random.default_rng(0), np.empty(RESAMPLES)
    size = max(1, AT_ONCE // count)
    for first in range(0, RESAMPLES, size):
        part = means[first : first + size]
        drawn = generator.integers(0, count, (len(part), count))
        part[:] = sums[drawn].mean(axis=1)
        if sizes is not None:
            part /= sizes[drawn].mean(axis=1)
    low, high = np.quantile(means, [(1 - share) / 2, (1 + share) / 2])
    return float(low), float(high)


def sums_by_cluster(values: Values, clusters: Sequence[Hashable]) -> tuple[Values, Values]:
    """The sum of the values of each cluster, and how many they are."""
    names = {name: at for at, name in enumerate(dict.fromkeys(clusters))}
    at = [names[name] for name in clusters]
    return np.asarray(np.bincount(at, values), np.float64), np.bincount(at).astype(np.float64)
