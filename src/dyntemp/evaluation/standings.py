"""The standing of every family on val: its best configuration beside the better one of the tuned static controls."""

from __future__ import annotations

from collections.abc import Sequence

from dyntemp.evaluation.pairs import compare
from dyntemp.evaluation.results import ArmResult, Standing, TaskResult
from dyntemp.evaluation.selection import best, best_of_families

BASELINES = ("static", "static + min_p")
"""The families of the tuned static controls."""


def standings(task: TaskResult, arms: Sequence[ArmResult]) -> list[Standing]:
    """The standings of all families on a task, the best difference first; none on a task without a metric.

    Where a study keeps one configuration of each family, val chose none of them, and a difference has no luck of
    selection in it. The intervals are not corrected for the number of families.

    Args:
        task: The task, with the clusters of its items.
        arms: Its arms on val; others have no part in it.

    Raises:
        StudyError: If SciPy is not installed.
    """
    if task.metric is None:
        return []
    val = [one for one in arms if (one.task, one.split) == (task.name, "val")]
    winners = best_of_families(val, task.metric, 1)
    baselines = best([one for one in winners if one.family in BASELINES], task.metric, 1)
    found = [_standing(task, task.metric, one, base) for base in baselines for one in winners if one is not base]
    return sorted(found, key=lambda one: -one.difference)


def _standing(task: TaskResult, metric: str, arm: ArmResult, base: ArmResult) -> Standing:
    pair = compare(arm.values[metric], base.values[metric], task.clusters["val"])
    return Standing(
        task=task.name,
        metric=metric,
        family=arm.family,
        arm=arm.name,
        against=base.name,
        mean=pair.mean,
        other=pair.other,
        difference=pair.difference,
        low=pair.low,
        high=pair.high,
    )
