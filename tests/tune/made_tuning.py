"""Results as a tuning has them, made up: values that scatter around a surface with one peak."""

from itertools import chain

import numpy as np

from dyntemp.evaluation.results import TaskResult
from dyntemp.language.policy import Policy
from dyntemp.tune.results import (
    Difference,
    Finalist,
    Luck,
    Measured,
    Objective,
    Parameter,
    Space,
    Tested,
    Trial,
    TuningResults,
)

POLICY = Space(
    family="mine + min_p(0:0.3)", control=False,
    policy='clip(param("a", 0, 3) + param("b", -3, 3)*normalized_entropy, 0.05, 3)', chain="min_p({min_p})",
    parameters={"a": Parameter(low=0, high=3, log=False), "b": Parameter(low=-3, high=3, log=False),
                "min_p": Parameter(low=0, high=0.3, log=False)},
)  # fmt: skip
STATIC = Space(
    family="static + min_p", control=True, policy='param("T", 0.05, 3)', chain="min_p({min_p})",
    parameters={"T": Parameter(low=0.05, high=3, log=True), "min_p": Parameter(low=0, high=0.3, log=False)},
)  # fmt: skip
NOISE = 0.1
PEAKS = {"a": 0.6, "T": 0.9, "b": 0.5}
WIDTHS = {"a": 1.2, "T": 1.2, "b": 3.0}
ITEMS = {"tune": 12, "val": 8, "test": 20}
SENTENCE = (
    "`mine + min_p(0:0.3)` was worth its parameters on fluency: distinct@8 4.52 against 4.21 of the tuned static "
    "temperature, +0.31 (0.12 to 0.5)."
)


class Maker:
    """Makes the results of one tuning.

    Args:
        trials: Trials of each search.
        objectives: Metrics; two make a front.
        tasks: Names of tasks.
        constraint: Name of the constraint.
    """

    def __init__(self, trials=24, objectives=("distinct@8",), tasks=("fluency",), constraint=None):
        self.random = np.random.default_rng(5)
        self.trials, self.names, self.tasks, self.constraint = trials, objectives, tasks, constraint

    def results(self):
        found = {space.family: [self.trial(space, at) for at in range(self.trials)] for space in (STATIC, POLICY)}
        best = {family: self.best(trials) for family, trials in found.items()}
        return TuningResults(
            settings={"template": POLICY.policy, "filters": "min_p(0:0.3)", "trials": self.trials},
            digest="51ab" * 16, model="smollm2",
            about={"date": "2026-11-28", "processor": "AMD EPYC 9R14", "dyntemp": "0.1.0", "commit": "0a52aa8c5045"},
            tasks=[self.task(name) for name in self.tasks],
            objectives=[
                Objective(name=name, metrics=dict.fromkeys(self.tasks, name), units=dict.fromkeys(self.tasks, 1.0),
                          weights=dict.fromkeys(self.tasks, 1 / len(self.tasks)))
                for name in self.names
            ],
            spaces=[STATIC, POLICY], constraint=self.constraint, least=0.5 if self.constraint else None,
            trials=list(chain(*found.values())),
            finalists=[self.finalist(one, at) for trials in best.values() for at, one in enumerate(trials)],
            luck=[Luck(family=space.family, objective=name, trials=self.trials, noise=NOISE, expected=2 * NOISE)
                  for space in (STATIC, POLICY) for name in self.names],
            tested=[self.tested(best[POLICY.family][1], POLICY), self.tested(best[STATIC.family][1], STATIC)],
            differences=[
                Difference(objective=name, mean=4.52, other=4.21, difference=0.31, low=0.12, high=0.5, p=0.004,
                           items=20)
                for name in self.names
            ],
            answer="worth", sentence=SENTENCE, tokens={"tune": 120_000, "val": 40_000, "test": 20_000},
        )  # fmt: skip

    def task(self, name):
        ids = {split: [f"{split}{at}" for at in range(count)] for split, count in ITEMS.items()}
        return TaskResult(name=name, group="text", metric=self.names[0], about="Name a thing of a category.", items=ids,
                          clusters=ids, samples={"tune": 8, "val": 64, "test": 64})  # fmt: skip

    def trial(self, space, number):
        drawn = {name: one.low + self.random.random() * (one.high - one.low) for name, one in space.parameters.items()}
        parameters = {name: float(f"{value:.4g}") for name, value in drawn.items()}
        sources = ("first: greedy", "first: T = 0.7", "first: T = 1")
        policy = Policy(space.policy)
        return Trial(
            family=space.family, number=number, parameters=parameters,
            source=sources[number] if number < len(sources) else "tpe",
            state="pruned" if number > 8 and number % 7 == 0 else "complete",
            policy=str(policy.bind(**{name: parameters[name] for name in policy.parameters})),
            filters=f"min_p({parameters['min_p']:g})", measured=self.measured("tune", self.height(parameters)),
            feasible=not (self.constraint and number % 5 == 4),
        )  # fmt: skip

    def height(self, parameters):
        """The true value: a peak over the parameters that matter, and none over `min_p`."""
        return 4.5 - sum(
            ((value - PEAKS[name]) / WIDTHS[name]) ** 2 for name, value in parameters.items() if name in PEAKS
        )

    def measured(self, split, height):
        values = [height - 3 * at + self.random.normal(0, NOISE) for at in range(len(self.names))]
        items = {
            task: {name: [value] * ITEMS[split] for name, value in zip(self.names, values, strict=True)}
            for task in self.tasks
        }
        low, high = ([value + sign * 2 * NOISE for value in values] for sign in (-1, 1))
        return Measured(split=split, values=values, low=low, high=high, items=items, exact=False,
                        texts=ITEMS[split] * 8, tokens=ITEMS[split] * 24)  # fmt: skip

    def best(self, trials):
        complete = [one for one in trials if one.state == "complete" and one.feasible]
        return sorted(complete, key=lambda one: -one.measured.values[0])[:3]

    def finalist(self, one, at):
        return Finalist(family=one.family, number=one.number, promised=one.measured.values, feasible=True,
                        left=self.measured("val", self.height(one.parameters)), chosen=at == 1)  # fmt: skip

    def tested(self, one, space):
        return Tested(family=one.family, number=one.number, parameters=one.parameters, policy=one.policy,
                      filters=one.filters, control=space.control,
                      measured=self.measured("test", self.height(one.parameters)))  # fmt: skip
