"""One run of learning: texts are written under the policy, credited, and learned from, round after round."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple, Self, TypeVar

import numpy as np

from dyntemp.distribution.filters import Filters
from dyntemp.evaluation.arm import Arm
from dyntemp.evaluation.folder import Cell, Folder
from dyntemp.evaluation.metrics import metric_of
from dyntemp.evaluation.runner import Runner
from dyntemp.evaluation.sample import Sample
from dyntemp.evaluation.selection import mean
from dyntemp.evaluation.task import Item, Task
from dyntemp.evaluation.work import complete, noise_seed
from dyntemp.language.policy import Policy
from dyntemp.learn.credit import credits_of
from dyntemp.learn.learnable import NEAR, Learnable, Shape, check_bounds, inside, learnable, reach
from dyntemp.learn.objective import clipped, divergence, entropy
from dyntemp.learn.results import Round
from dyntemp.learn.settings import LearnSettings
from dyntemp.learn.steps import natural_step
from dyntemp.learn.tokens import Temperatures, Tokens, Values, check_learnable, temperatures, values_along

LAST = 1 / 3
"""The share of rounds, the last ones, over which the parameters are averaged (Polyak and Juditsky 1992)."""

QUANTILES = np.linspace(0, 1, 9)
"""The quantiles of a signal that place and scale a shape."""

LEAST = 1e-3
"""The least unit of regularisation, for a metric that is 0 at the start."""

PLACEHOLDER = tuple(QUANTILES)
"""Quantiles of signals that nothing is known of; they do not matter at the static temperature."""


Entry = TypeVar("Entry")


def last_of(rounds: Sequence[Entry]) -> Sequence[Entry]:
    """The last rounds, whose parameters are averaged."""
    return rounds[-max(1, round(LAST * len(rounds))) :]


class Course(NamedTuple):
    """The outcome of a run.

    Attributes:
        rounds: Its rounds.
        policy: The policy at the mean of the parameters of its last rounds.
        signals: Quantiles of the signals over the first round's tokens, by their text.
        bounds: The lowest and the highest temperature of the shape.
        static: True if the shape was the static temperature when it began.
    """

    rounds: Sequence[Round]
    policy: Policy
    signals: Mapping[str, Sequence[float]]
    bounds: tuple[float, float]
    static: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Learner:
    """Runs that differ by their seed.

    Attributes:
        settings: The settings.
        task: The task.
        items: The prompts of learning.
        runner: Writes the texts.
        folder: Keeps texts and rounds.
        anchor: The static temperature to begin from.
        filters: The chain before the temperature.
        metric: What is made large.
        tell: Called with the seed, the rounds that are done, and the last score; also as texts end.
    """

    settings: LearnSettings
    task: Task
    items: Sequence[Item]
    runner: Runner
    folder: Folder
    anchor: float
    filters: Filters
    metric: str
    tell: Callable[[int, int, int, float | None], None]

    def run(self, seed: int) -> Course:
        """All rounds of a run, or those that are missing.

        The texts and the parameters of each round are kept in the folder, so that a run that was killed goes on, and
        processes that share the folder write parts of the same round.
        """
        shape = Shape.read(self.settings.shape)
        first = self._shaped(shape, dict.fromkeys(shape.signals, PLACEHOLDER), seed)
        check_learnable(first.template)
        opening = self._batch(seed, 0, first.policy(first.start))
        found = self._shaped(shape, {one: opening.quantiles(one) for one in shape.signals}, seed)
        reached = found.template.bounds()
        bounds = check_bounds((reached.low, reached.high))
        unit = max(opening.score, LEAST)
        values: Mapping[str, float] = found.start
        rounds: list[Round] = []
        visited: list[Mapping[str, float]] = []
        for number in range(self.settings.rounds):
            name = f"rounds/{seed}-{number:03}.json"
            if not self.folder.holds(name):
                batch = opening if number == 0 else self._batch(seed, number, found.policy(values))
                begun = found.short(values)
                drawn = temperatures(found.template, begun, batch.tokens)
                told = self._told(number, found.policy(values), batch, drawn, bounds)
                after = self._learned(found, begun, batch, drawn, number, unit)
                self.folder.write_first(name, {"round": asdict(told), "values": after})
            data = self.folder.read(name)
            rounds.append(Round(**data["round"]))
            values = data["values"]
            visited.append(values)
            self.tell(seed, number + 1, 0, rounds[-1].score)
        mean = {name: float(np.mean([one[name] for one in last_of(visited)])) for name in values}
        signals = {str(one): opening.quantiles(str(one)) for one in found.template.signals}
        return Course(rounds, found.policy(mean), signals, bounds, found.static)

    @property
    def begin(self) -> float:
        """The anchor, or the nearest temperature that leaves the shape room to move."""
        return inside(self.anchor, reach(Shape.read(self.settings.shape), self.settings.bounds))

    def _shaped(self, shape: Shape, quantiles: Mapping[str, Sequence[float]], seed: int) -> Learnable:
        drawn = noise_seed(self.settings.seed, "weights", seed)
        found = learnable(shape, self.settings.bounds, self.begin, quantiles, drawn)
        return found._replace(static=found.static and self.begin == self.anchor)

    def _batch(self, seed: int, number: int, policy: Policy) -> Batch:
        """The texts of a round, with their credits."""
        arm = Arm(name=f"seed {seed}, round {number}", family="learning", policy=policy, filters=self.filters)
        parts = np.array_split(np.arange(len(self.items)), min(self.settings.parts, len(self.items)))
        cells = [
            Cell(self.task, "tune", arm, [self.items[at] for at in part], self.settings.texts,
                 part=f"{seed}-{number:03}-{place}", curves=True)
            for place, part in enumerate(parts)
        ]  # fmt: skip
        noise = noise_seed(self.settings.seed, "learning", seed, number)
        complete(self.folder, cells, self.runner, noise, lambda done, _: self.tell(seed, number, done, None))
        return Batch.of([texts for cell in cells for texts in self.folder.samples(cell)], self.metric)

    def _learned(
        self, found: Learnable, begun: Mapping[str, float], batch: Batch, drawn: Temperatures, number: int, unit: float
    ) -> Mapping[str, float]:
        """The values after the steps of a round; `unit` is the metric's value in which regularisation is told."""
        settings, tokens = self.settings, batch.tokens
        credit = batch.credit[tokens.text]
        radius = settings.radius * (1 - number / settings.rounds)
        after, now = begun, drawn
        for step in range(settings.epochs):
            if step:
                now = temperatures(found.template, after, tokens)
            slope = clipped(now.draws, drawn.draws.log_prob, credit, settings.clip).by_log_t / len(self.items)
            price = settings.pull * divergence(now.draws, tokens.curves, now.log_t, self.begin).by_log_t
            slope += unit / tokens.texts * (settings.entropy * entropy(now.draws).by_log_t - price)
            after = natural_step(found.template, after, now.jacobian, slope, now.draws.varentropy, radius)
        return after

    def _told(
        self, number: int, policy: Policy, batch: Batch, drawn: Temperatures, bounds: tuple[float, float]
    ) -> Round:
        """The record of a round."""
        tokens, log_t = batch.tokens, drawn.log_t
        t, (low, high) = np.exp(log_t), np.log(bounds)
        at_bound = np.minimum(log_t - low, high - log_t) <= NEAR * (high - low)
        return Round(
            round=number,
            policy=str(policy),
            score=batch.score,
            texts=(number + 1) * tokens.texts,
            tokens=len(t),
            temperature=float(t.mean()),
            spread=float(t.std()),
            at_bound=float(at_bound.mean()),
            divergence=divergence(drawn.draws, tokens.curves, log_t, self.begin).value / len(t),
        )


class Batch(NamedTuple):
    """The texts of a round.

    Attributes:
        tokens: Their tokens.
        credit: The credit of each text, [texts].
        score: The metric's mean over the items.
    """

    tokens: Tokens
    credit: Values
    score: float

    @classmethod
    def of(cls, samples: Sequence[Sequence[Sample]], metric: str) -> Self:
        """The batch of texts by item."""
        of = metric_of(metric).of
        return cls(
            tokens=Tokens.of([one for of_item in samples for one in of_item]),
            credit=np.concatenate([credits_of(of_item, metric) for of_item in samples]),
            score=mean([of(of_item) for of_item in samples]),
        )

    def quantiles(self, expression: str) -> list[float]:
        """Quantiles of an expression of signals over the tokens."""
        return np.quantile(values_along(expression, self.tokens), QUANTILES).tolist()
