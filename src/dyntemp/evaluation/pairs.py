"""Paired comparisons by item: difference, interval over clusters, and p-values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from dyntemp.errors import StudyError
from dyntemp.statistics.estimate import Values, interval, sums_by_cluster

RESAMPLES = 9_999
"""Sign flips of the permutation test. It is exact where there are no more than these."""

LEVEL = 0.05
"""Level of tests; intervals hold the true difference with a probability of 1 - LEVEL."""


class Pair(NamedTuple):
    """Values of items against a baseline's values of the same items.

    Attributes:
        mean: Mean of the values.
        other: Mean of the baseline.
        difference: Mean of the differences.
        low: Lower end of the 95 % interval of the difference; -inf with a single cluster.
        high: Its upper end; inf with a single cluster.
        p: One-sided p-value of the sign-flip test that the values are not larger.
        two_sided: Its two-sided p-value.
        wilcoxon: One-sided p-value of Wilcoxon's signed-rank test, a second opinion.
        items: How many items were paired.
    """

    mean: float
    other: float
    difference: float
    low: float
    high: float
    p: float
    two_sided: float
    wilcoxon: float
    items: int


def compare(
    values: Sequence[float | None], baseline: Sequence[float | None], clusters: Sequence[str] | None = None
) -> Pair:
    """Compare values with a baseline, item by item. Items without a value on either side are left out.

    The interval is a percentile bootstrap over clusters, at the share that corrects it for few clusters (Hesterberg
    2015, arXiv:1411.5279, section 3.2). The tests flip the signs of the clusters' sums of differences.

    Args:
        values: One for each item.
        baseline: One for each item, in the same order.
        clusters: The cluster of each item; None where every item is one of its own.

    Raises:
        StudyError: If lengths differ, no item has both values, or SciPy is not installed.
    """
    stats = scipy_stats()
    names = range(len(values)) if clusters is None else clusters
    if not len(values) == len(baseline) == len(names):
        raise StudyError(
            f"{len(values)} values, {len(baseline)} of the baseline and {len(names)} clusters were given; each item "
            "needs one of each"
        )
    pairs = [(a, b, c) for a, b, c in zip(values, baseline, names, strict=True) if a is not None and b is not None]
    if not pairs:
        raise StudyError("no item has a value on both sides: compare metrics that are defined for the task's texts")
    left, right = np.array([pair[:2] for pair in pairs], np.float64).T
    differences, kept = left - right, [pair[2] for pair in pairs]
    sums, _ = sums_by_cluster(differences, kept)
    low, high = interval(differences, _share(stats, len(sums)), kept) or (-np.inf, np.inf)
    p, two_sided = _flipped(stats, sums)
    return Pair(
        mean=float(left.mean()),
        other=float(right.mean()),
        difference=float(differences.mean()),
        low=float(low),
        high=float(high),
        p=p,
        two_sided=two_sided,
        wilcoxon=float(stats.wilcoxon(sums, alternative="greater").pvalue) if np.any(sums) else 1.0,
        items=len(pairs),
    )


def holm(p: Sequence[float]) -> list[float]:
    """p-values corrected for their number (Holm 1979), in the given order.

    Raises:
        StudyError: If statsmodels is not installed.
    """
    try:
        from statsmodels.stats.multitest import multipletests
    except ImportError as error:
        raise _missing("statsmodels") from error
    return [float(value) for value in multipletests(p, method="holm")[1]] if len(p) else []


def scipy_stats() -> Any:
    """`scipy.stats`.

    Raises:
        StudyError: If SciPy is not installed.
    """
    try:
        from scipy import stats
    except ImportError as error:
        raise _missing("SciPy") from error
    return stats


def _missing(name: str) -> StudyError:
    return StudyError(f"{name} is not installed: run `pip install 'dyntemp[evaluate]'`")


def _share(stats: Any, clusters: int) -> float:
    """The share at which a percentile interval over n clusters is as wide as Student's."""
    if clusters < 2:
        return 1 - LEVEL
    wide = np.sqrt(clusters / (clusters - 1)) * stats.t.isf(LEVEL / 2, clusters - 1)
    return 1 - 2 * float(stats.norm.sf(wide))


def _flipped(stats: Any, sums: Values) -> tuple[float, float]:
    """One-sided and two-sided p-value of the sum, among those of sums with flipped signs; 1 for one cluster."""
    if len(sums) < 2:
        return 1.0, 1.0
    found = stats.permutation_test(
        (sums,), np.sum, permutation_type="samples", vectorized=True, n_resamples=RESAMPLES, alternative="greater",
        rng=np.random.default_rng(0),
    )  # fmt: skip
    null, own = found.null_distribution, len(found.null_distribution) < 2.0 ** len(sums)
    beyond = np.sum(null >= abs(found.statistic) - 1e-12 * np.abs(sums).sum())  # sums are equal up to rounding
    tail = (beyond + own) / (len(null) + own)  # random flips count the observed sum too
    return float(found.pvalue), min(1.0, 2 * float(tail))  # flipped sums lie symmetrically
