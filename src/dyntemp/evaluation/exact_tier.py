"""The exact tier in a study: the values of configurations on tune, computed from rows that are read once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dyntemp.evaluation.arm import Arm
from dyntemp.evaluation.exact.answers import Answers, metric_of
from dyntemp.evaluation.folder import Folder
from dyntemp.evaluation.results import ArmResult
from dyntemp.evaluation.summary import computed
from dyntemp.evaluation.task import Item, Task
from dyntemp.models import Model

BESIDE = "accuracy"
"""The metric that is computed beside the task's own."""


class ExactTier:
    """Expected values of configurations on items that list their answers.

    Args:
        model: The model that the study's runner runs.
    """

    def __init__(self, model: Model) -> None:
        self._model = model

    def results(
        self, folder: Folder, task: Task, items: Sequence[Item], arms: Sequence[Arm], tell: Callable[[int, int], None]
    ) -> list[ArmResult]:
        """The results of the arms whose values can be computed; the others have to be sampled.

        Rows and values are kept in the folder under `exact`, so that the model reads the answers once. `tell` is called
        with the number of texts that were read, and of all.
        """
        if not _suits(task, items):
            return []
        assert task.metric is not None
        names = tuple(dict.fromkeys((task.metric, BESIDE)))
        file = f"exact/{task.name}.json"
        known = folder.read(file) if folder.holds(file) else {}
        if missing := {arm.digest: arm for arm in arms if arm.digest not in known}:
            answers = self._answers(folder, task, items, tell)
            known |= {digest: _values(answers, arm, names) for digest, arm in missing.items()}
            folder.write(file, known)
        return [computed(task, "tune", arm, known[arm.digest]) for arm in arms if known[arm.digest]]

    def _answers(self, folder: Folder, task: Task, items: Sequence[Item], tell: Callable[[int, int], None]) -> Answers:
        """The rows on the way to the answers: those of the folder, or read now."""
        path = folder.path / "exact" / f"{task.name}.npz"
        if path.exists():
            return Answers.load(path)
        answers = Answers.read(self._model, items, progress=tell)
        path.parent.mkdir(exist_ok=True)
        partial = path.with_name(f"{path.name}.{folder.worker}.partial")
        with partial.open("wb") as file:
            answers.save(file)
        partial.replace(path)
        return answers


def _suits(task: Task, items: Sequence[Item]) -> bool:
    """True if every item lists its answers, and the task's metric has an expected value."""
    try:
        metric_of(task.metric or "")
    except ValueError:
        return False
    return all(item.answers for item in items)


def _values(answers: Answers, arm: Arm, names: Sequence[str]) -> dict[str, list[float]]:
    """The values of the metrics by item; none for a policy or filters whose draw is not known without sampling."""
    try:
        found = answers.table(arm.policy, names, arm.filters)
    except ValueError:
        return {}
    return {name: values.tolist() for name, values in found.items()}
