"""The results of a study, as one JSON file: values for each item, comparisons, curves and the verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from dyntemp.evaluation.records import read_results

FORMAT = 1
"""Version of the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskResult:
    """A task and its items.

    Attributes:
        name: Its name.
        group: The use that it stands for.
        metric: Its first metric; None for a task without a verifier.
        about: What is asked, in one sentence.
        items: The ids of the items of each split.
        clusters: The cluster of each of these items.
        samples: Texts per item and arm, by split.
    """

    name: str
    group: str
    metric: str | None
    about: str
    items: Mapping[str, Sequence[str]]
    clusters: Mapping[str, Sequence[str]]
    samples: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmResult:
    """An arm on one split of one task.

    Attributes:
        task: Name of the task.
        split: `tune`, `val` or `test`.
        name: The arm's name.
        family: Its family.
        control: The kind of control; None for a method under study.
        of: The arm that a control belongs to.
        policy: The policy's text.
        filters: The chain of filters; empty without any.
        exact: Whether the values were computed from logits, without sampling.
        values: By the name of each metric, one value for each item of the split, in the order of the task; None where
            it is not defined.
        texts: How many texts were written.
        tokens: How many tokens were drawn.
        temperatures: Quantiles 0, 0.05, 0.25, 0.5, 0.75, 0.95, 1 of the temperature over tokens.
        temperature: Its mean; infinite ones count as 20.
        spread: Its standard deviation, likewise.
        points: Some tokens: entropy, largest probability and temperature of each.
    """

    task: str
    split: str
    name: str
    family: str
    control: str | None
    of: str | None
    policy: str
    filters: str
    exact: bool
    values: Mapping[str, Sequence[float | None]]
    texts: int
    tokens: int
    temperatures: Sequence[float]
    temperature: float | None
    spread: float | None
    points: Sequence[Sequence[float]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A declared comparison on the test split: a method less a control, paired by item.

    Attributes:
        task: Name of the task.
        metric: Name of the metric.
        arm: Name of the method's arm.
        against: Name of the control's arm.
        control: The kind of control.
        mean: The method's mean.
        other: The control's mean.
        difference: The mean over items of the method's value less the control's.
        low: Lower end of the 95 % bootstrap interval of the difference, over clusters.
        high: Its upper end.
        p: One-sided p-value that the method is not better.
        holm: The p-value after Holm's correction over the methods declared for the task; None for comparisons that
            are not declared.
        items: How many items were paired.
        wilcoxon: One-sided p-value of Wilcoxon's signed-rank test, a second opinion.
    """

    task: str
    metric: str
    arm: str
    against: str
    control: str
    mean: float
    other: float
    difference: float
    low: float
    high: float
    p: float
    holm: float | None
    items: int
    wilcoxon: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A family's best configuration on val less the better one of the tuned static controls, paired by item.

    Attributes:
        task: Name of the task.
        metric: Name of the metric.
        family: The family.
        arm: Name of the arm.
        against: Name of the control's arm.
        mean: The family's mean.
        other: The control's mean.
        difference: The mean over items of the family's value less the control's.
        low: Lower end of the 95 % bootstrap interval of the difference, over clusters.
        high: Its upper end.
    """

    task: str
    metric: str
    family: str
    arm: str
    against: str
    mean: float
    other: float
    difference: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The answer of a study.

    Attributes:
        sentence: The answer, in one sentence.
        helps: The families that beat every control on test after Holm in two groups or more.
        groups: By family: the groups in which it beats every control.
        reasons: Further sentences: groups, missing controls, smallest differences that could have been seen.
    """

    sentence: str
    helps: Sequence[str]
    groups: Mapping[str, Sequence[str]]
    reasons: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Best of N: the expected score of the best of N configurations, on the items that did not choose it.

    Attributes:
        task: Name of the task.
        family: The family.
        configurations: The numbers N.
        scores: The score for each N.
        tokens: Tokens that N configurations cost, for each N; 0 where the exact tier computed them.
    """

    task: str
    family: str
    configurations: Sequence[int]
    scores: Sequence[float]
    tokens: Sequence[float]


@dataclass(frozen=True, slots=True, kw_only=True)
class TextPair:
    """Texts of some arms to one item, side by side: the name of each arm and its texts."""

    task: str
    item: str
    prompt: str
    texts: Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """A study's results.

    Attributes:
        study: The configuration, as its file has it.
        digest: Hexadecimal digits of the configuration, which was fixed before the test split was read.
        model: Name of the model.
        about: Machine, versions, commit and date, by name.
        tasks: The tasks.
        arms: All arms of all splits, losers too.
        comparisons: Comparisons on test.
        detectable: By task: the smallest difference that the test split shows with a power of 80 %, stated before it
            was read.
        curves: Best of N.
        verdict: The answer.
        texts: Texts side by side.
        standings: Every family on val.
    """

    study: Mapping[str, Any]
    digest: str
    model: str
    about: Mapping[str, str]
    tasks: Sequence[TaskResult]
    arms: Sequence[ArmResult]
    comparisons: Sequence[Comparison]
    detectable: Mapping[str, float]
    curves: Sequence[Curve]
    verdict: Verdict
    texts: Sequence[TextPair] = ()
    standings: Sequence[Standing] = ()

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
