"""Best of N: the score of the best of N configurations, on items that did not choose it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dyntemp.errors import StudyError
from dyntemp.evaluation.results import ArmResult, Curve, TaskResult
from dyntemp.statistics.estimate import Values

DRAWS = 2_000
"""Random halves of the items, each with a random order of the configurations."""


def curve(task: TaskResult, family: str, found: Sequence[ArmResult]) -> Curve:
    """The curve of a family's configurations on tune, in the task's metric.

    The procedure of Schaeffer et al. 2025 (arXiv:2506.13681), cross-fitted: one half of the clusters chooses the best
    of N random configurations, and the other half scores it.

    Args:
        task: The task.
        family: The family.
        found: Its configurations on tune.

    Raises:
        StudyError: For a task without a metric, no configuration, or fewer than two clusters.
    """
    if task.metric is None or not found:
        raise StudyError(f"the family {family!r} has no values on {task.name!r}: give configurations and a metric")
    values = np.array([one.values[task.metric] for one in found], np.float64)  # None becomes NaN
    scores = best_of(values, task.clusters["tune"])
    numbers = _numbers(len(found))
    tokens = float(np.mean([one.tokens for one in found]))
    return Curve(
        task=task.name,
        family=family,
        configurations=numbers,
        scores=[float(scores[number - 1]) for number in numbers],
        tokens=[number * tokens for number in numbers],
    )


def best_of(values: Values, clusters: Sequence[str], draws: int = DRAWS, seed: int = 0) -> Values:
    """The expected score of the best of 1, 2, ... configurations, on the clusters that did not choose it.

    Args:
        values: [configurations, items]; NaN where a value is not defined.
        clusters: The cluster of each item.
        draws: Random halves and orders.
        seed: Their seed.

    Returns:
        The scores, [configurations].

    Raises:
        StudyError: For fewer than two clusters.
    """
    names, at = np.unique(np.asarray(clusters), return_inverse=True)
    if len(names) < 2:
        raise StudyError("the items lie in one cluster; one half chooses and the other scores: give two or more")
    generator = np.random.default_rng(seed)
    first = generator.permuted(np.tile(np.arange(len(names)) < len(names) // 2, (draws, 1)), axis=1)[:, at]
    order = generator.permuted(np.tile(np.arange(len(values)), (draws, 1)), axis=1)
    chosen_by = np.take_along_axis(_means(values, first), order, axis=1)
    scored_by = np.take_along_axis(_means(values, ~first), order, axis=1)
    known = np.where(np.isnan(chosen_by), -np.inf, chosen_by)
    before = np.column_stack([np.full(draws, -np.inf), np.maximum.accumulate(known, axis=1)[:, :-1]])
    best = np.maximum.accumulate(np.where(known > before, np.arange(len(values)), 0), axis=1)
    return np.asarray(np.nanmean(np.take_along_axis(scored_by, best, axis=1), axis=0), np.float64)


def _means(values: Values, kept: np.ndarray) -> Values:
    """The mean of each configuration over the kept items of each draw, [draws, configurations]; NaN without any."""
    defined = ~np.isnan(values)
    counts = kept.astype(np.float64) @ defined.T
    sums = kept.astype(np.float64) @ np.where(defined, values, 0.0).T
    return np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)


def _numbers(most: int) -> list[int]:
    """Powers of two below a number, and the number itself."""
    return [*(1 << power for power in range(most.bit_length()) if 1 << power < most), most]
