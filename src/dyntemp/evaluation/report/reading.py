"""A task's results as a report reads them: arms in order, and each method beside its hardest control."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isfinite

from dyntemp.evaluation.pairs import LEVEL
from dyntemp.evaluation.results import ArmResult, Comparison, Results, Standing, TaskResult
from dyntemp.evaluation.selection import mean
from dyntemp.evaluation.verdict import OWN

KINDS = {
    "greedy": "greedy",
    "static": "static",
    "static + min_p": "static + min_p",
    "no_op": "no-op",
    "matched": "matched static",
    "placebo": "placebo",
    "shuffled": "shuffled",
}
"""The kinds of control as the names of arms have them."""

EXPLAINED = {
    "greedy": "The likeliest token, always.",
    "static": "One temperature for all tokens, chosen on tune and val with the budget of every family.",
    "static + min_p": "One temperature behind min-p, both numbers chosen likewise.",
    "no_op": "The tuned static temperature, run once more as a policy that reads the row. Its difference should be 0.",
    "matched": "One temperature for all tokens: the mean of the method's own, with the method's filters.",
    "placebo": "Each token has a temperature drawn from the method's own ones, without regard to the row.",
    "shuffled": "Each text has the temperatures that the method chose for another text, in their order.",
}
"""The meaning of each kind."""


@dataclass(frozen=True)
class Reading:
    """One task of a study."""

    results: Results
    task: TaskResult

    @property
    def metric(self) -> str:
        """Name of the first metric; empty for a task without a verifier."""
        return self.task.metric or ""

    @property
    def anchor(self) -> str:
        """The name of its place in a page."""
        return f"task-{self.results.tasks.index(self.task) + 1}"

    @property
    def detectable(self) -> float | None:
        """The smallest difference that test was said to show."""
        return self.results.detectable.get(self.task.name)

    @cached_property
    def _by_split(self) -> Mapping[str, list[ArmResult]]:
        found: dict[str, list[ArmResult]] = {"test": [], "val": [], "tune": []}
        for one in self.results.arms:
            if one.task == self.task.name:
                found[one.split].append(one)
        if self.metric:
            for arms in found.values():
                arms.sort(key=lambda one: -mean(one.values.get(self.metric, ())))
        return found

    def arms(self, split: str) -> Sequence[ArmResult]:
        """The arms of a split, the best mean first."""
        return self._by_split[split]

    @cached_property
    def methods(self) -> Sequence[ArmResult]:
        """The methods on test, the best mean first."""
        return [one for one in self.arms("test") if one.control is None]

    @cached_property
    def shown(self) -> Sequence[ArmResult]:
        """The arms of test without the controls that belong to one method, the best mean first."""
        return [one for one in self.arms("test") if one.of is None]

    @cached_property
    def controls(self) -> Sequence[ArmResult]:
        """The controls on test, the best mean first."""
        return [one for one in self.arms("test") if one.control is not None]

    @cached_property
    def _by_arm(self) -> Mapping[str, list[Comparison]]:
        found: dict[str, list[Comparison]] = {}
        for one in self.results.comparisons:
            if one.task == self.task.name:
                found.setdefault(one.arm, []).append(one)
        return {name: sorted(of_arm, key=lambda one: one.difference) for name, of_arm in found.items()}

    def comparisons(self, arm: str) -> Sequence[Comparison]:
        """The comparisons of an arm with its controls, the hardest control first."""
        return self._by_arm.get(arm, ())

    def hardest(self, arm: str) -> Comparison | None:
        """The comparison with the control that leaves an arm the smallest difference."""
        return next(iter(self.comparisons(arm)), None)

    @cached_property
    def standings(self) -> Sequence[Standing]:
        """Every family on val, the best difference to the better static control first."""
        return [one for one in self.results.standings if one.task == self.task.name]

    @cached_property
    def on_val(self) -> Mapping[str, ArmResult]:
        """The arms of val by name."""
        return {one.name: one for one in self.arms("val")}

    @cached_property
    def best_method(self) -> Comparison | None:
        """The method with the largest mean, beside its hardest control."""
        found = (one for arm in self.methods if (one := self.hardest(arm.name)) is not None)
        return max(found, key=lambda one: one.mean, default=None)

    def outcome(self, arm: str) -> str:
        """The result of a method in words."""
        found = self.comparisons(arm)
        if not found:
            return ""
        if all(one.low > 0 and one.holm is not None and one.holm < LEVEL for one in found):
            kinds = {one.control for one in found}
            return "better than every control" if kinds.issuperset(OWN) else "better than the controls that were run"
        if found[0].high < 0:
            return "worse than its hardest control"
        return "not shown to be better"


def readings(results: Results) -> Iterator[Reading]:
    """The tasks of a study in order."""
    return (Reading(results, task) for task in results.tasks)


def sizes(task: TaskResult) -> str:
    """The size of the test split, as a sentence."""
    items, clusters = task.items["test"], set(task.clusters["test"])
    return (
        f"{len(items)} items in {len(clusters)} clusters on test, {task.samples['test']} texts of each arm to an item."
    )


def average(arm: ArmResult, metric: str) -> float | None:
    """The mean of a metric over items; None where it is not defined."""
    value = mean(arm.values.get(metric, ()))
    return value if isfinite(value) else None


def value(number: float | None) -> str:
    """A mean in a table: three decimals, or one from 10 on."""
    return "–" if number is None else f"{number:,.{1 if abs(number) >= 10 else 3}f}"


def difference(number: float) -> str:
    """A difference in a table, with its sign.

    >>> difference(0.25), difference(-0.25)
    ('+0.250', '−0.250')
    """
    return f"{number:+.3f}".replace("-", "−")


def difference_with_ends(number: float, low: float | None, high: float | None) -> str:
    """A difference with its 95 % interval, where it has one.

    >>> difference_with_ends(0.25, -0.1, 0.6), difference_with_ends(0.25, None, None)
    ('+0.250 (−0.100 to +0.600)', '+0.250')
    """
    ends = "" if low is None or high is None else f" ({difference(low)} to {difference(high)})"
    return f"{difference(number)}{ends}"


def interval(one: Comparison | Standing) -> str:
    """The 95 % interval of a difference."""
    return f"{difference(one.low)} to {difference(one.high)}"


def chance(p: float | None) -> str:
    """A p-value."""
    return "–" if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"


def title_of(arm: ArmResult) -> str:
    """The kind of an arm, as a report calls it."""
    return "" if arm.control is None else KINDS.get(arm.control, arm.control)
