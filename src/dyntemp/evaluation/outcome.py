"""The outcome of a study: comparisons on test, curves and the verdict, from the results of its arms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from dyntemp.evaluation.about import circumstances
from dyntemp.evaluation.best_of import curve
from dyntemp.evaluation.configuration import StudySettings
from dyntemp.evaluation.results import ArmResult, Comparison, Curve, Results, TaskResult, TextPair, Verdict
from dyntemp.evaluation.standings import standings
from dyntemp.evaluation.verdict import compare_all, verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A study whose texts are all there.

    Attributes:
        settings: Its settings.
        model: Name of the model.
        tasks: The tasks.
        arms: All arms of all splits.
        detectable: By task: the smallest difference that test can show, as it was declared.
        texts: Texts side by side.
        without: Families and controls that were not run, with the reason.
    """

    settings: StudySettings
    model: str
    tasks: Sequence[TaskResult]
    arms: Sequence[ArmResult]
    detectable: Mapping[str, float]
    texts: Sequence[TextPair]
    without: Mapping[str, str]

    def results(self) -> Results:
        """The results, with their verdict."""
        comparisons = [one for task in self.tasks for one in self._comparisons(task)]
        return Results(
            study=self.settings.to_json(),
            digest=self.settings.digest,
            model=self.model,
            about=circumstances(),
            tasks=self.tasks,
            arms=self.arms,
            comparisons=comparisons,
            detectable=self.detectable,
            curves=[one for task in self.tasks for one in self._curves(task)],
            verdict=self._verdict(comparisons),
            texts=self.texts,
            standings=[one for task in self.tasks for one in standings(task, self.arms)],
        )

    def _comparisons(self, task: TaskResult) -> list[Comparison]:
        if task.metric is None:
            return []
        test = [one for one in self.arms if one.task == task.name and one.split == "test"]
        return compare_all(task, test, [one.name for one in test if one.control is None])

    def _verdict(self, comparisons: Sequence[Comparison]) -> Verdict:
        found = verdict(self.tasks, comparisons, self.detectable, self.model)
        missing = [f"`{name}` was not run: {reason}" for name, reason in self.without.items()]
        return replace(found, reasons=[*found.reasons, *missing])

    def _curves(self, task: TaskResult) -> list[Curve]:
        """A curve for each family of which several configurations were tried; none where no half can judge another."""
        if task.metric is None or len(set(task.clusters["tune"])) < 2:
            return []
        tune = [one for one in self.arms if one.task == task.name and one.split == "tune"]
        families: dict[str, list[ArmResult]] = {}
        for one in tune:
            families.setdefault(one.family, []).append(one)
        return [curve(task, family, found) for family, found in families.items() if len(found) > 1]
