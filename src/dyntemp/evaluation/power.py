"""The smallest difference that test is likely to show, from the results on val."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dyntemp.evaluation.pairs import needed
from dyntemp.evaluation.results import ArmResult

POWER, ALPHA = 0.8, 0.05


def detectable(results: Sequence[ArmResult], metric: str, baseline: ArmResult, items: int, methods: int) -> float:
    """The smallest mean difference to a control that is found with a power of 80 %.

    The spread of a difference between items is the median over the methods on val. Holm's correction counts with its
    first step, 5 % over the number of methods.

    Args:
        results: The methods on val.
        metric: Name of the metric.
        baseline: The tuned static temperature on val.
        items: Items of test.
        methods: How many methods test compares.

    Raises:
        ValueError: If statsmodels is not installed.
    """
    spreads = [np.std(_differences(one.values[metric], baseline.values[metric]), ddof=1) for one in results]
    spread = float(np.median(spreads)) if spreads else 0.0
    size = needed("statsmodels.stats.power").TTestPower().solve_power(
        nobs=items, alpha=ALPHA / max(methods, 1), power=POWER, alternative="larger"
    )  # fmt: skip
    return float(np.squeeze(size)) * spread


def _differences(values: Sequence[float | None], baseline: Sequence[float | None]) -> list[float]:
    pairs = zip(values, baseline, strict=True)
    return [value - other for value, other in pairs if value is not None and other is not None]
