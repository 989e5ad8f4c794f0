"""Figures of a report: the rows of its tables, for HTML and Markdown alike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from dyntemp.evaluation.results import ArmResult, Comparison, Results, TaskResult

COUNTS = ("distinct@", "pass@")
"""Beginnings of the names of metrics that grow with diversity, the first one that an arm has is drawn."""

TOLD = {"temperature", "temperature_spread"}
"""Metrics that every table has."""

ALPHA = 0.05


class Row(NamedTuple):
    """A row of a task's table: an arm on the test split.

    Attributes:
        arm: The arm.
        mean: The mean of the task's metric; None for a task without one.
        hardest: The comparison with the control that it beats by least; None for an arm that is not compared.
    """

    arm: ArmResult
    mean: float | None
    hardest: Comparison | None

    @property
    def beats(self) -> bool:
        """True if the method beats all of its controls after Holm's correction."""
        one = self.hardest
        return (
            self.arm.control is None and one is not None and one.holm is not None and one.holm < ALPHA and one.low > 0
        )


def mean(values: Iterable[float | None]) -> float | None:
    """The mean of the values that are defined; None if there are none."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def arms_of(results: Results, task: TaskResult, *splits: str) -> list[ArmResult]:
    """The arms of a task on these splits, those with the largest mean first."""
    found = [one for one in results.arms if one.task == task.name and one.split in splits]
    return sorted(found, key=lambda one: (splits.index(one.split), -_order(value_of(one, task))))


def value_of(arm: ArmResult, task: TaskResult) -> float | None:
    """The mean of a task's metric over an arm's items."""
    return mean(arm.values.get(task.metric or "", ()))


def described(found: Sequence[Row]) -> list[str]:
    """The names of the metrics that describe the texts of a task without a verifier."""
    return [name for name in dict.fromkeys(name for row in found for name in row.arm.values) if name not in TOLD]


def rows(results: Results, task: TaskResult) -> list[Row]:
    """The arms of a task on test, the best first."""
    return [
        Row(arm, value_of(arm, task), min(_against(results, task, arm.name), key=_difference, default=None))
        for arm in arms_of(results, task, "test")
    ]


def comparisons(results: Results, task: TaskResult) -> list[list[Comparison]]:
    """The comparisons of each method with its controls, the hardest control first, and the best method first."""
    methods = dict.fromkeys(one.arm for one in results.comparisons if one.task == task.name)
    found = [sorted(_against(results, task, name), key=_difference) for name in methods]
    return sorted((one for one in found if one), key=lambda one: -one[0].difference)


def fronts(arms: Sequence[ArmResult]) -> tuple[str, str] | None:
    """The names of two metrics that stand for diversity and for quality; None if no arm has both."""
    names = {name: None for one in arms for name in one.values}
    wide = next((name for kind in COUNTS for name in names if name.startswith(kind)), None)
    good = next((name for name in ("validity", "accuracy") if wide and any(
        {name, wide} <= one.values.keys() for one in arms)), None)  # fmt: skip
    return (wide, good) if wide and good else None


def front(points: Sequence[tuple[float, float]]) -> list[int]:
    """The numbers of the points that no other one exceeds in one coordinate without falling short in the other."""
    order = sorted(range(len(points)), key=lambda at: (-points[at][0], -points[at][1]))
    found: list[int] = []
    highest = float("-inf")
    for at in order:
        if points[at][1] > highest:
            found.append(at)
            highest = points[at][1]
    return found


def chance(p: float | None) -> str:
    """A p-value in three decimals."""
    return "" if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"


def _against(results: Results, task: TaskResult, arm: str) -> list[Comparison]:
    return [one for one in results.comparisons if (one.task, one.metric, one.arm) == (task.name, task.metric, arm)]


def _difference(one: Comparison) -> float:
    return one.difference


def _order(value: float | None) -> float:
    return float("-inf") if value is None else value
