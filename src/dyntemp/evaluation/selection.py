"""Selection: the configurations that go from one split to the next, by their results on the first one alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dyntemp.evaluation.results import ArmResult


def mean(values: Sequence[float | None]) -> float:
    """The mean over items where a value is defined; -inf where none is."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else -np.inf


def best(results: Sequence[ArmResult], metric: str, count: int) -> list[ArmResult]:
    """The `count` results with the largest mean, best first; of equal ones the earlier."""
    return sorted(results, key=lambda one: -mean(one.values[metric]))[:count]


def best_of_families(results: Sequence[ArmResult], metric: str, count: int) -> list[ArmResult]:
    """The `count` best results of each family, family by family."""
    families = dict.fromkeys(one.family for one in results)
    return [one for family in families for one in best([r for r in results if r.family == family], metric, count)]
