"""The results of learning on a task, as one JSON file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

from dyntemp.evaluation.records import read_results
from dyntemp.evaluation.results import TaskResult
from dyntemp.tune.results import Measured

FORMAT = 1
"""Version of the file."""

Answer = Literal["helps", "heat", "not better", "open"]
"""Better than every control; better than static, not than its own controls; not better than static; too few items."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """A round of a run.

    Attributes:
        round: Its number, from 0.
        policy: The policy that wrote its texts.
        score: The metric's mean over the prompts of learning.
        texts: Texts that the run has learned from, this round's among them.
        tokens: Tokens of the round's texts.
        temperature: Mean of T over its tokens.
        spread: Standard deviation of T over its tokens.
        at_bound: Share of its tokens whose T lies at a bound.
        divergence: Divergence of its draws from those at the static temperature, nats a token.
    """

    round: int
    policy: str
    score: float
    texts: int
    tokens: int
    temperature: float
    spread: float
    at_bound: float
    divergence: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run: what was learned from one seed's noise.

    Attributes:
        seed: Its number, from 0.
        rounds: Its rounds.
        learned: The policy at the mean of the parameters of its last rounds.
        on_val: That policy on val.
        static: True if the static temperature was as good on val or better, and so is the run's outcome.
        test: Value of the metric of the outcome for each item of test.
    """

    seed: int
    rounds: Sequence[Round]
    learned: str
    on_val: Measured
    static: bool
    test: Sequence[float | None]

    def outcome(self, anchor: str) -> str:
        """The policy that goes to test."""
        return anchor if self.static else self.learned


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """An arm on test that a learned policy has to beat.

    Attributes:
        name: Its name.
        kind: `static + min_p`, `static`, `matched`, `placebo` or `shuffled`.
        policy: Its policy.
        filters: Its chain of filters.
        test: Value of the metric for each item of test.
    """

    name: str
    kind: str
    policy: str
    filters: str
    test: Sequence[float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """The learned policies less a control on test, paired by item.

    Attributes:
        control: Name of the control.
        kind: Its kind.
        mean: Mean over items of what was learned: of all runs for static kinds, of the kept run for its own controls.
        other: The control's mean.
        difference: Mean of the differences.
        low: Lower end of its 95 % interval over clusters; None with a single cluster.
        high: Its upper end.
        p: One-sided p-value that what was learned is not better.
    """

    control: str
    kind: str
    mean: float
    other: float
    difference: float
    low: float | None
    high: float | None
    p: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceiling:
    """How much temperature could do at most on the items of test, computed from listed answers.

    Attributes:
        static: The metric at the static temperature.
        learned: The metric of the kept policy.
        oracle: The metric with a temperature of its own for each row, found by its gradient: a local best.
    """

    static: float
    learned: float
    oracle: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnResults:
    """The results of learning on a task.

    Attributes:
        settings: The settings, as `LearnSettings.to_json` has them.
        digest: SHA-256 of the settings, hexadecimal.
        model: Name of the model.
        about: Machine, versions, commit and date, by name.
        task: The task with its items.
        metric: What was made large.
        shape: The shape of the policy, written out.
        bounds: The lowest and the highest temperature that the shape reaches.
        filters: The chain before the temperature.
        anchor: The static temperature that learning began from, as a policy.
        rival: The static temperature with min-p that was tuned with as many texts, as a policy.
        rival_filters: Its chain of filters.
        anchor_on_val: The anchor on val.
        signals: Nine quantiles of each signal over the tokens of the first round, by the signal's text.
        runs: The runs.
        kept: Number of the run that is best on val.
        controls: The controls on test.
        beside: What was learned less each control.
        ceiling: What there was to win; None where answers are not listed.
        answer: The answer.
        sentence: The answer in one sentence, with its figures.
        warnings: What one should know of it, such as a temperature at its bound.
        budget: Texts that each run learned from, and that static temperature was tuned with.
    """

    settings: Mapping[str, Any]
    digest: str
    model: str
    about: Mapping[str, str]
    task: TaskResult
    metric: str
    shape: str
    bounds: tuple[float, float]
    filters: str
    anchor: str
    rival: str
    rival_filters: str
    anchor_on_val: Measured
    signals: Mapping[str, Sequence[float]]
    runs: Sequence[Run]
    kept: int
    controls: Sequence[Control]
    beside: Sequence[Beside]
    ceiling: Ceiling | None
    answer: Answer
    sentence: str
    warnings: Sequence[str]
    budget: tuple[int, int]

    @property
    def policy(self) -> str:
        """The policy of the kept run."""
        return self.runs[self.kept].outcome(self.anchor)

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
