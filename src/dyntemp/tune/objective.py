"""The values of configurations on one or several tasks: computed where answers are listed, sampled elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np

from dyntemp.errors import StudyError
from dyntemp.evaluation.arm import Arm
from dyntemp.evaluation.controls import GREEDY, Samples
from dyntemp.evaluation.exact_tier import ExactTier
from dyntemp.evaluation.folder import Cell, Claim, Folder
from dyntemp.evaluation.metrics import metric_of
from dyntemp.evaluation.pairs import compare
from dyntemp.evaluation.results import TaskResult
from dyntemp.evaluation.runner import Runner
from dyntemp.evaluation.task import SPLITS, Item, Split, Task
from dyntemp.evaluation.work import complete
from dyntemp.language.policy import Policy
from dyntemp.tune.first_items import Enough, EnoughError, FirstItems
from dyntemp.tune.progress import Meter
from dyntemp.tune.results import Measured, Objective
from dyntemp.tune.settings import TuneSettings
from dyntemp.tune.values import Items, mean_of, per_item, value_of

REFERENCES = (GREEDY, *(Arm(name=f"T = {t:g}", family="reference", policy=Policy(t)) for t in (0.7, 1.0)))
"""Fixed static temperatures. The best of them on a task is the unit of that task's values, where there are several."""

SCORE = "score"
"""The name of the objective where tasks have different metrics."""


class Part(NamedTuple):
    """A configuration on one task: values by metric and item, and what they cost."""

    items: Items
    texts: int = 0
    tokens: int = 0


class Scorer:
    """The objectives of a tuning, and the values of configurations.

    With several tasks, a value counts in units of its task: that of the best of `REFERENCES` on tune. A score is the
    weighted mean over tasks, so that 1.1 is ten percent better than the best fixed temperature. Ranks among trials
    would need no unit, but each further trial would change those of all earlier ones, and a search needs values that
    stay. The range between fixed temperatures would make a task whose values hardly differ count most, by its noise.

    Attributes:
        objectives: What is made large; the units are 1 until `prepare` has measured them.
        constraint: The metric that has a least value, likewise; None without one.
        items: The items of each task and split.
        samples: Texts per item of each task and split.
    """

    def __init__(
        self, settings: TuneSettings, tasks: Sequence[Task], runner: Runner, folder: Folder, exact: ExactTier | None,
        meter: Meter,
    ) -> None:  # fmt: skip
        self._settings, self._tasks, self._runner, self._folder, self._exact = settings, tasks, runner, folder, exact
        self._meter = meter
        sizes = {task.name: settings.sizes(task) for task in tasks}
        self.items = {
            (task.name, split): _shuffled(task.items(split, sizes[task.name][0][split], settings.seed), settings.seed)
            for task in tasks for split in SPLITS
        }  # fmt: skip
        self.samples = {task.name: sizes[task.name][1] for task in tasks}
        self.objectives = [self._objective(name) for name in settings.objectives or (None,)]
        self.constraint = None if settings.constraint is None else self._objective(settings.constraint)

    def prepare(self, arms: Sequence[Arm]) -> None:
        """Find the tasks that can be computed for arms like these, and measure the units of tasks.

        A task is computed for all configurations or for none, so that no sampled value is compared with a computed one.

        Raises:
            StudyError: If the runner cannot run one of the arms, or a task shows nothing.
        """
        for arm in arms:
            self._runner.check(arm)
        computed = {task.name for task in self._tasks if all(self._computed(task, "tune", arm) for arm in arms)}
        if not computed:
            self._exact = None
        self._sampled = {task.name for task in self._tasks} - computed
        if len(self._tasks) > 1:
            found = [self.measure(arm, "tune") for arm in REFERENCES]
            self.objectives = [self._with_units(objective, found) for objective in self.objectives]
            self.constraint = self.constraint and self._with_units(self.constraint, found)

    @property
    def prunes(self) -> bool:
        """True if values of single items can end a trial: one task, which is sampled, one objective, no constraint."""
        return len(self._sampled) == len(self._tasks) == len(self.objectives) == 1 and self.constraint is None

    def texts(self, split: Split) -> int:
        """How many texts one configuration has on a split."""
        return sum(len(self.items[task.name, split]) * self.samples[task.name][split] for task in self._tasks)

    def measure(self, arm: Arm, split: Split, enough: Enough | None = None) -> Measured:
        """The values of an arm on a split.

        Args:
            arm: The configuration.
            split: The split.
            enough: Ends the measurement after the first items; for a single task and objective.
        """
        parts = {task.name: self._part(task, split, arm, enough) for task in self._tasks}
        items = {task: dict(part.items) for task, part in parts.items()}
        full = {task.name: len(self.items[task.name, split]) for task in self._tasks}
        own = [self._interval(objective, items, split) for objective in self.objectives] if split != "tune" else []
        return Measured(
            split=split,
            values=[value_of(objective, items) for objective in self.objectives],
            low=[low for low, _ in own] or [None] * len(self.objectives),
            high=[high for _, high in own] or [None] * len(self.objectives),
            items=items,
            exact=not self._sampled,
            texts=sum(part.texts for part in parts.values()),
            tokens=sum(part.tokens for part in parts.values()),
            whole=all(len(of_task) == full[task] for task in items for of_task in items[task].values()),
        )

    def records(self) -> list[TaskResult]:
        """The tasks with their items."""
        return [
            TaskResult(
                name=task.name,
                group=task.group,
                metric=task.metric,
                about=task.about,
                items={split: [item.id for item in self.items[task.name, split]] for split in SPLITS},
                clusters={split: self._clusters(task.name, split) for split in SPLITS},
                samples={split: self.samples[task.name][split] for split in SPLITS},
            )
            for task in self._tasks
        ]

    def clusters(self, split: Split) -> list[str]:
        """The cluster of each item of all tasks, in the order of `per_item`."""
        return [f"{task.name} {one}" for task in self._tasks for one in self._clusters(task.name, split)]

    def _clusters(self, task: str, split: Split) -> list[str]:
        return [item.cluster for item in self.items[task, split]]

    def _interval(
        self, objective: Objective, items: Mapping[str, Items], split: Split
    ) -> tuple[float | None, float | None]:
        values = per_item(objective, items)
        found = compare(values, [0.0] * len(values), self.clusters(split))  # the interval of the mean itself
        return (found.low, found.high) if np.isfinite(found.low) else (None, None)

    def _objective(self, name: str | None) -> Objective:
        if name is None and (without := [task.name for task in self._tasks if task.metric is None]):
            raise StudyError(f"the task {without[0]!r} has no metric of its own: name an objective")
        weights = {task.name: float(self._settings.weights.get(task.name, 1.0)) for task in self._tasks}
        metrics = {task.name: name or str(task.metric) for task in self._tasks}
        common = next(iter(metrics.values())) if len(set(metrics.values())) == 1 else None
        return Objective(
            name=common if common and len(metrics) == 1 else f"relative {common}" if common else SCORE,
            metrics=metrics,
            units=dict.fromkeys(metrics, 1.0),
            weights={task: weight / sum(weights.values()) for task, weight in weights.items()},
        )

    def _with_units(self, objective: Objective, references: Sequence[Measured]) -> Objective:
        units = {
            task: max(mean_of(one.items[task][metric]) for one in references)
            for task, metric in objective.metrics.items()
        }
        if zero := [task for task, unit in units.items() if unit <= 0]:
            raise StudyError(
                f"no fixed temperature has a {objective.metrics[zero[0]]} above 0 on {zero[0]!r}, so that the task has "
                "no unit beside others: leave it out, or tune on it alone"
            )
        return replace(objective, units=units)

    def _names(self, task: Task) -> tuple[str, ...]:
        """The metrics that are measured on a task."""
        asked = [*self.objectives, *([] if self.constraint is None else [self.constraint])]
        own = [] if task.metric is None else [task.metric]
        return tuple(dict.fromkeys([*(objective.metrics[task.name] for objective in asked), *own]))

    def _part(self, task: Task, split: Split, arm: Arm, enough: Enough | None) -> Part:
        if task.name not in self._sampled:
            items = self._computed(task, split, arm)
            if not items:
                raise StudyError(
                    f"`{arm.policy}` with the filters `{arm.filters}` has no computed value on {task.name}"
                )
            self._meter.text(len(self.items[task.name, split]) * self.samples[task.name][split], 0)
            return Part(items)
        cell = Cell(task, split, arm, self.items[task.name, split], self.samples[task.name][split])
        samples = list(self._samples(cell, self._names(task)[0], enough))
        items = {name: [metric_of(name).of(one) for one in samples] for name in self._names(task)}
        texts = [one for of_item in samples for one in of_item]
        return Part(items, len(texts), sum(one.tokens for one in texts))

    def _computed(self, task: Task, split: Split, arm: Arm) -> Items:
        """The values of a task that lists its answers; none where they have to be sampled."""
        if self._exact is None:
            return {}
        items = self.items[task.name, split]
        tell = partial(self._meter.read, f"{task.name}, {split}")
        return self._exact.values(self._folder, task, split, items, [arm], self._names(task), tell).get(arm.digest, {})

    def _samples(self, cell: Cell, metric: str, enough: Enough | None) -> Samples:
        """The samples of a cell by item; of the first items, where these are enough."""
        first = FirstItems(cell, metric, enough) if enough is not None else None

        def seen(claim: Claim) -> None:
            if first is not None and first.are_enough(claim.samples):
                raise EnoughError

        try:
            complete(self._folder, [cell], self._runner, self._settings.seed, self._meter.text, seen)
        except EnoughError:
            assert first is not None
            return first.samples
        samples = self._folder.samples(cell)
        if first is not None:
            known = {(one.item, one.number): one for of_item in samples for one in of_item}
            if first.are_enough(known):
                return first.samples
        return samples


def _shuffled(items: Sequence[Item], seed: int) -> list[Item]:
    """The items in an order that follows from the seed: a trial may end after the first ones."""
    return [items[at] for at in np.random.default_rng(seed).permutation(len(items))]
