"""Paired comparisons by item, resampled over clusters."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dyntemp.errors import StudyError

RESAMPLES = 9_999


class Difference(NamedTuple):
    """A mean difference with its 95 % interval, and the one-sided p-value that it is not above 0."""

    difference: float
    low: float
    high: float
    p: float


def compare(values: Sequence[float | None], baseline: Sequence[float | None], clusters: Sequence[str]) -> Difference:
    """The mean over items of the value less the baseline's.

    Clusters are resampled for the interval (percentile bootstrap), and change sign as wholes for the p-value.

    Args:
        values: A value for each item, None where it is not defined; such items are left out.
        baseline: The baseline's, likewise.
        clusters: The cluster of each item.

    Raises:
        ValueError: If SciPy is not installed, or no item has both values.
    """
    sums, counts = _by_cluster(values, baseline, clusters)
    if not len(sums):
        raise StudyError("no item has a value on both sides: nothing can be compared")
    mean = float(sums.sum() / counts.sum())
    drawn = np.random.default_rng(0).integers(len(sums), size=(RESAMPLES, len(sums)))
    low, high = np.quantile(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1), (0.025, 0.975))
    tested = needed("scipy.stats").permutation_test(
        (sums,), np.sum, permutation_type="samples", alternative="greater", n_resamples=RESAMPLES, vectorized=True,
        rng=np.random.default_rng(0),
    )  # fmt: skip
    return Difference(mean, float(low), float(high), float(tested.pvalue))


def _by_cluster(
    values: Sequence[float | None], baseline: Sequence[float | None], clusters: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The sum of the differences of each cluster, and its number of items, both [clusters]."""
    found: dict[str, list[float]] = {}
    for value, other, cluster in zip(values, baseline, clusters, strict=True):
        if value is not None and other is not None:
            found.setdefault(cluster, []).append(value - other)
    return np.array([sum(one) for one in found.values()]), np.array([len(one) for one in found.values()], np.float64)


def needed(module: str) -> Any:
    """A module of the extra `evaluate`.

    Raises:
        StudyError: If it is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise StudyError(f"{error.name} is not installed: pip install 'dyntemp[evaluate]'") from None
