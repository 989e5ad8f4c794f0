"""Tuning: a search for parameters on tune, the best measured again on val, and the winner beside static on test."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from dyntemp.evaluation.about import circumstances
from dyntemp.evaluation.exact_tier import ExactTier
from dyntemp.evaluation.families import Family
from dyntemp.evaluation.folder import Folder
from dyntemp.evaluation.runner import Runner
from dyntemp.evaluation.task import SPLITS, Split, Task
from dyntemp.tune.answer import answer_of, difference, sentence
from dyntemp.tune.first_trials import Static, first_trials
from dyntemp.tune.luck import largest_of, noise_of
from dyntemp.tune.objective import Scorer
from dyntemp.tune.progress import Meter, Progress
from dyntemp.tune.results import Finalist, Luck, Measured, Tested, Trial, TuningResults
from dyntemp.tune.search import Search
from dyntemp.tune.settings import TuneSettings
from dyntemp.tune.space import TEMPERATURE, control, parameters, space_of
from dyntemp.tune.storage import open_storage
from dyntemp.tune.values import per_item, value_of

RESULTS = "tuning.json"
"""The results in the folder, as `TuningResults.to_json` has them."""


def tune(
    settings: TuneSettings,
    tasks: Sequence[Task],
    runner: Runner,
    folder: str | Path,
    *,
    exact: ExactTier | None = None,
    storage: str | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> TuningResults:
    """Tune a policy, or go on with a tuning that was interrupted; several processes may share its folder or database.

    The static temperature with min-p is searched first, with as many trials. The best of both searches are measured
    again on val with more texts, where they have other items and other noise; the best of each there goes to test.
    The score on test is without the luck of any choice.

    Args:
        settings: Template, tasks and sizes.
        tasks: The tasks that the settings name, in their order.
        runner: Writes the texts.
        folder: Where samples, trials and results are kept.
        exact: Computes values without sampling, for tasks that list their answers.
        storage: The URL of a PostgreSQL database for the trials, such as `postgresql://user@host/name`; None for a
            file of SQLite in the folder.
        progress: Called as texts end.

    Raises:
        ValueError: If the settings do not fit, the folder holds another tuning, a task has too few items, or Optuna or
            SciPy is not installed.
    """
    with Folder(folder, settings) as place:
        meter = Meter(progress)
        scorer = Scorer(settings, tasks, runner, place, exact, meter)
        results = Tuning(settings, scorer, open_storage(place.path, storage), runner.name, meter).run()
        place.write(RESULTS, results.to_json())
    return results


class Tuning:
    """The stages of a tuning; see `tune`.

    Args:
        settings: Template and sizes.
        scorer: Measures configurations.
        database: Optuna's storage for the trials.
        model: Name of the model.
        meter: Takes the progress.
    """

    def __init__(self, settings: TuneSettings, scorer: Scorer, database: Any, model: str, meter: Meter) -> None:
        self.settings, self.scorer, self.database, self.model, self.meter = settings, scorer, database, model, meter

    def run(self) -> TuningResults:
        """All stages, and the results."""
        families = static, policy = control(), self.settings.family()
        counts = {"tune": 2 * self.settings.trials, "val": 2 * self.settings.kept, "test": 2}
        self.meter.plan(sum(counts[split] * self.scorer.texts(split) for split in SPLITS))
        self.scorer.prepare([family.arm(family.name, _middle(family)) for family in families])
        rival = self.search(static, None, None)
        best = self._ranked(rival)[0]
        least = self._least(best.measured)
        numbers = {name: value for name, value in best.parameters.items() if name != TEMPERATURE}
        own = self.search(policy, Static("best static", best.parameters[TEMPERATURE], numbers), least)
        rivals = self.again(static, rival, None)
        finalists = self.again(policy, own, self._least(chosen(rivals).left))
        winner, other = self._tested(policy, own, finalists), self._tested(static, rival, rivals)
        clusters = self.scorer.clusters("test")
        differences = [
            difference(objective, winner.measured, other.measured, clusters) for objective in self.scorer.objectives
        ]
        answer = answer_of(differences, winner)
        measured = [one.measured for one in (*rival, *own)] + [one.left for one in (*rivals, *finalists)]
        measured += [winner.measured, other.measured]
        return TuningResults(
            settings=self.settings.to_json(),
            digest=self.settings.digest,
            model=self.model,
            about=circumstances(),
            tasks=self.scorer.records(),
            objectives=self.scorer.objectives,
            spaces=[space_of(static), space_of(policy)],
            constraint=self.settings.constraint,
            least=least,
            trials=[*rival, *own],
            finalists=[*rivals, *finalists],
            luck=[one for trials in (rival, own) for one in self._luck(trials)],
            tested=[winner, other],
            differences=differences,
            answer=answer,
            sentence=sentence(answer, differences, winner, other, self.settings.tasks, self.settings.trials),
            tokens={split: sum(one.tokens for one in measured if one.split == split) for split in SPLITS},
        )

    def search(
        self, family: Family, best: Static | None = None, least: float | None = None, *, prunes: bool = True
    ) -> list[Trial]:
        """All trials of a family on tune.

        Args:
            family: The policy and filters with their ranges.
            best: The tuned static temperature, for the first trials; None where it is not known.
            least: The least value of the constraint's metric; None without one.
            prunes: False to give every trial all its texts.
        """
        count = self.settings.trials
        before = self.meter.at.done

        def told(done: int, values: Sequence[Sequence[float]]) -> None:
            stage = f"{family.name}, trial {min(done + 1, count)} of {count}"
            self.meter.reach(
                before + done * self.scorer.texts("tune"), stage, max((one[0] for one in values), default=None)
            )

        search = Search(
            name=f"{family.name} {self.settings.digest[:12]}",
            family=family,
            sampler=self.settings.sampler,
            seed=self.settings.seed,
            trials=count,
            objectives=len(self.scorer.objectives),
            first=first_trials(family, self.settings.card, best, max(1, count // 2)),
            measure=lambda arm, enough: self.scorer.measure(arm, "tune", enough),
            constraint=None if least is None else lambda found: least - (self._least(found) or 0.0),
            prunes=prunes and self.scorer.prunes,
            progress=told,
        )
        return search.run(self.database)

    def again(self, family: Family, trials: Sequence[Trial], least: float | None = None) -> list[Finalist]:
        """The best trials of a family, measured on val."""
        found: list[Finalist] = []
        for number, trial in enumerate(self._ranked(trials)[: self.settings.kept], start=1):
            self.meter.reach(self.meter.at.done, f"{family.name}, val {number} of {self.settings.kept}")
            left = self._measure(family, trial, "val")
            feasible = least is None or (self._least(left) or 0.0) >= least
            promised = trial.measured.values
            found.append(Finalist(family=family.name, number=trial.number, promised=promised, left=left,
                                  feasible=feasible, chosen=False))  # fmt: skip
        best = max(found, key=lambda one: (one.feasible, _merit(one.left.values)))
        return [replace(one, chosen=one is best) for one in found]

    def _tested(self, family: Family, trials: Sequence[Trial], finalists: Sequence[Finalist]) -> Tested:
        """The chosen finalist on test."""
        number = chosen(finalists).number
        trial = next(one for one in trials if one.number == number)
        self.meter.reach(self.meter.at.done, f"{family.name}, test")
        return Tested(
            family=family.name,
            number=number,
            parameters=trial.parameters,
            policy=trial.policy,
            filters=trial.filters,
            control=family.control is not None,
            measured=self._measure(family, trial, "test"),
        )

    def _measure(self, family: Family, trial: Trial, split: Split) -> Measured:
        found = self.scorer.measure(family.arm(f"{family.name} #{trial.number}", trial.parameters), split)
        self.meter.reach(self.meter.at.done + self.scorer.texts(split), self.meter.at.stage)
        return found

    def _least(self, measured: Measured) -> float | None:
        """The value of the constraint's metric; None without a constraint."""
        return None if self.scorer.constraint is None else value_of(self.scorer.constraint, measured.items)

    def _ranked(self, trials: Sequence[Trial]) -> list[Trial]:
        """The different configurations with all items, the best first: those that keep the constraint before others.

        Of two objectives, the front comes first.
        """
        different = {(one.policy, one.filters): one for one in reversed(trials) if one.measured.whole}
        whole = sorted(different.values(), key=lambda one: one.number)
        values = np.array([one.measured.values for one in whole])
        behind = [bool(np.any(np.all(values >= own, axis=1) & np.any(values > own, axis=1))) for own in values]
        order = sorted(
            zip(behind, whole, strict=True),
            key=lambda one: (not one[1].feasible, one[0], -_merit(one[1].measured.values)),
        )
        return [trial for _, trial in order]

    def _luck(self, trials: Sequence[Trial]) -> Iterator[Luck]:
        """The luck of the best trial in each objective; none where the noise is not known."""
        count = len({(one.policy, one.filters) for one in trials})
        for objective in self.scorer.objectives:
            rows = [per_item(objective, one.measured.items) for one in trials if one.measured.whole]
            noise = noise_of(np.array([row for row in rows if None not in row], np.float64))
            if noise is not None:
                yield Luck(family=trials[0].family, objective=objective.name, trials=count, noise=noise,
                           expected=noise * largest_of(count))  # fmt: skip


def _merit(values: Sequence[float]) -> float:
    """The number by which configurations are ranked: the value, or the product of two.

    The product is the area that a point dominates from (0, 0) on, and does not depend on the objectives' units.
    """
    return prod(values)


def chosen(finalists: Sequence[Finalist]) -> Finalist:
    """The finalist that is best on val."""
    return next(one for one in finalists if one.chosen)


def _middle(family: Family) -> dict[str, float]:
    """A configuration inside the ranges, to see if it can be run and computed."""
    found = {name: (one.low + one.high) / 2 for name, one in parameters(family).items()}
    return {name: round(value) if parameters(family)[name].whole else value for name, value in found.items()}
