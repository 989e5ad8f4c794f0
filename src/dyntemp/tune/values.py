"""The value of an objective from the values of items: of one task, or of several, weighed in their units."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from dyntemp.tune.results import Objective

Items = Mapping[str, Sequence[float | None]]
"""Metric -> one value for each item; None where it is not defined."""


def value_of(objective: Objective, items: Mapping[str, Items]) -> float:
    """The value of an objective: the weighted sum over tasks of the mean over items, in units of the task.

    A configuration of which no text has a value counts as 0, which no objective lies below.
    """
    return sum(
        weight * mean_of(items[task][objective.metrics[task]]) / objective.units[task]
        for task, weight in objective.weights.items()
    )


def per_item(objective: Objective, items: Mapping[str, Items]) -> list[float | None]:
    """Values by item, of all tasks one after the other, whose mean is the value of the objective."""
    return list(_per_item(objective, items))


def _per_item(objective: Objective, items: Mapping[str, Items]) -> Iterator[float | None]:
    total = sum(len(items[task][metric]) for task, metric in objective.metrics.items())
    for task, metric in objective.metrics.items():
        values = items[task][metric]
        factor = objective.weights[task] / objective.units[task] * total / len(values)
        yield from (None if value is None else factor * value for value in values)


def mean_of(values: Sequence[float | None]) -> float:
    """The mean of the values that are defined; 0 without any."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else 0.0
