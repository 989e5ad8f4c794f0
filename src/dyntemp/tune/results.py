"""The results of a tuning, as one JSON file: all trials, the best measured again, and the winner beside static."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Self

from dyntemp.evaluation.records import read_results
from dyntemp.evaluation.results import TaskResult
from dyntemp.evaluation.task import Split

FORMAT = 1
"""Version of the file."""

State = Literal["complete", "pruned"]
Answer = Literal["worth", "not worth", "open"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A number that is tuned.

    Attributes:
        low: Smallest value.
        high: Largest value.
        log: True if it is searched by its logarithm.
        whole: True if it is a whole number.
    """

    low: float
    high: float
    log: bool
    whole: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """The configurations that one search may choose from.

    Attributes:
        family: Its name; trials, finalists and tested arms name it.
        policy: The policy with its parameters, as text.
        chain: The filters, with `{name}` where a parameter stands; empty without any.
        parameters: The parameters of policy and filters, by name.
        control: True for the static temperature with min-p, which the policy has to beat.
    """

    family: str
    policy: str
    chain: str
    parameters: Mapping[str, Parameter]
    control: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """A number that is made large.

    Attributes:
        name: Name of the metric; `relative` and the name where several tasks, in their units, have it; else `score`.
        metrics: The metric of each task.
        units: The value of each task that counts as 1: with several tasks, that of the best fixed static temperature;
            with one task, 1.
        weights: The weight of each task; they sum to 1.
    """

    name: str
    metrics: Mapping[str, str]
    units: Mapping[str, float]
    weights: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The values of one configuration on one split.

    Attributes:
        split: `tune`, `val` or `test`.
        values: One number for each objective, in their order: over the tasks, the weighted sum of the mean in units.
        low: Lower end of the 95 % bootstrap interval of each, over clusters; None for fewer than two.
        high: Its upper end.
        items: Task -> metric -> one value for each item of the split in the task's order, or for the first ones, where
            the trial was pruned; None where it is not defined.
        exact: True if the values were computed from logits, without sampling.
        texts: How many texts were written.
        tokens: How many tokens they have; 0 where nothing was sampled.
        whole: False if it was pruned: it has the first items alone.
    """

    split: Split
    values: Sequence[float]
    low: Sequence[float | None]
    high: Sequence[float | None]
    items: Mapping[str, Mapping[str, Sequence[float | None]]]
    exact: bool
    texts: int
    tokens: int
    whole: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One configuration of a search, on tune.

    Attributes:
        family: The search.
        number: Its number there, from 0.
        parameters: The value of each parameter.
        source: `first: greedy` or the like for a trial that was set, or the name of the sampler that drew it.
        state: `complete`, or `pruned` where its first items were enough to see that it is worse than the best.
        policy: The policy with these values.
        filters: The chain of filters with these values.
        measured: Its values on tune; for a pruned trial, those of the items that it has.
        feasible: False if it breaks the constraint.
    """

    family: str
    number: int
    parameters: Mapping[str, float]
    source: str
    state: State
    policy: str
    filters: str
    measured: Measured
    feasible: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Finalist:
    """One of the best trials, measured again on val.

    Attributes:
        family: The search.
        number: The number of the trial there.
        promised: Its objectives on tune, which chose it: too good on average.
        left: Its values on val.
        feasible: False if it breaks the constraint on val.
        chosen: True for the one that went to test.
    """

    family: str
    number: int
    promised: Sequence[float]
    left: Measured
    feasible: bool
    chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Luck:
    """The luck that the best of N trials has on average, where all are equally good; see `tune/luck.py`.

    Attributes:
        family: The search.
        objective: Name of the objective.
        trials: N, the number of different configurations.
        noise: Standard deviation of one trial's value between draws of items and texts.
        expected: noise times the mean of the largest of N standard normal numbers.
    """

    family: str
    objective: str
    trials: int
    noise: float
    expected: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """A configuration on test: the winner of a search.

    Attributes:
        family: The search.
        number: The number of the trial there.
        parameters: The value of each parameter.
        policy: The policy.
        filters: The chain of filters; empty without any.
        control: True for the tuned static temperature with min-p.
        measured: Its values on test, which no choice has seen.
    """

    family: str
    number: int
    parameters: Mapping[str, float]
    policy: str
    filters: str
    control: bool
    measured: Measured


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The winner less the tuned static temperature with min-p on test, paired by item.

    Attributes:
        objective: Name of the objective.
        mean: The winner's mean, in the objective's unit.
        other: The mean of the static temperature.
        difference: The mean of the paired differences.
        low: Lower end of its 95 % bootstrap interval over clusters; None with a single cluster.
        high: Its upper end.
        p: One-sided p-value that the winner is not better.
        items: How many items were paired.
    """

    objective: str
    mean: float
    other: float
    difference: float
    low: float | None
    high: float | None
    p: float
    items: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TuningResults:
    """A tuning's results.

    Attributes:
        settings: The settings, as `TuneSettings.to_json` has them.
        digest: SHA-256 of the settings, hexadecimal.
        model: Name of the model.
        about: Machine, versions, commit and date, by name.
        tasks: The tasks with their items.
        objectives: The objectives: one or two.
        spaces: What was searched: the control's space first, then the policy's.
        constraint: Name of the metric that must be no less than the control's; None without one.
        least: The least allowed value of that metric: the control's mean on tune.
        trials: All trials of both searches, in the order of search and number.
        finalists: The best of each search, measured again on val; the best on tune first.
        luck: The expected luck of the best trial, for each search and objective.
        tested: The winners on test: the policy's first, then the control's.
        differences: The policy's winner less the control's, for each objective.
        answer: `worth` or `not worth` the parameters, or `open` where the test split cannot tell.
        sentence: The answer, in one sentence with its figures.
        tokens: Tokens that were drawn, by split.
    """

    settings: Mapping[str, Any]
    digest: str
    model: str
    about: Mapping[str, str]
    tasks: Sequence[TaskResult]
    objectives: Sequence[Objective]
    spaces: Sequence[Space]
    constraint: str | None
    least: float | None
    trials: Sequence[Trial]
    finalists: Sequence[Finalist]
    luck: Sequence[Luck]
    tested: Sequence[Tested]
    differences: Sequence[Difference]
    answer: Answer
    sentence: str
    tokens: Mapping[str, int] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        return {"format": FORMAT, **asdict(self)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The results that `to_json` wrote.

        Raises:
            ValueError: For a file of another version.
        """
        return read_results(cls, data, FORMAT)
