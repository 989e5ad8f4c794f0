"""A tuning's results as its report reads them: each search with its trials, and its winner at every stage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from dyntemp.evaluation.report.reading import value
from dyntemp.tune.results import Finalist, Luck, Measured, Space, Tested, Trial, TuningResults


@dataclass(frozen=True)
class Search:
    """One search: the policy's, or that of the static temperature."""

    results: TuningResults
    space: Space

    @property
    def title(self) -> str:
        """Its name where the policy's text would be too long."""
        return self.space.family if self.space.control else "policy"

    @cached_property
    def trials(self) -> Sequence[Trial]:
        """Its trials by number."""
        return [one for one in self.results.trials if one.family == self.space.family]

    @cached_property
    def complete(self) -> Sequence[Trial]:
        """The trials that saw all items of tune and keep the constraint."""
        return [one for one in self.trials if one.state == "complete" and one.feasible]

    @cached_property
    def finalists(self) -> Sequence[Finalist]:
        """The trials that were measured again on val, the best on tune first."""
        return [one for one in self.results.finalists if one.family == self.space.family]

    @cached_property
    def winner(self) -> Tested | None:
        """Its winner on test."""
        return next((one for one in self.results.tested if one.family == self.space.family), None)

    def luck(self, objective: str) -> Luck | None:
        """The expected luck of its best trial."""
        found = (one for one in self.results.luck if (one.family, one.objective) == (self.space.family, objective))
        return next(found, None)


def searches(results: TuningResults) -> Iterator[Search]:
    """The searches: the policy's first, then the static temperature's."""
    return (Search(results, space) for space in sorted(results.spaces, key=lambda one: one.control))


def own(results: TuningResults) -> Search:
    """The search of the policy."""
    return next(searches(results))


def with_interval(measured: Measured, at: int) -> str:
    """A value with its 95 % interval."""
    low, high = measured.low[at], measured.high[at]
    between = "" if low is None or high is None else f" ({value(low)} to {value(high)})"
    return f"{value(measured.values[at])}{between}"
