"""The exact tier in a study: the values of configurations on tune, computed from rows that are read once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from dyntemp.evaluation.arm import Arm
from dyntemp.evaluation.exact.answers import Answers, metric_of
from dyntemp.evaluation.folder import Folder
from dyntemp.evaluation.results import ArmResult
from dyntemp.evaluation.summary import computed
from dyntemp.evaluation.task import Item, Split, Task
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
        self._read: dict[Path, Answers] = {}

    def results(
        self, folder: Folder, task: Task, items: Sequence[Item], arms: Sequence[Arm], tell: Callable[[int, int], None]
    ) -> list[ArmResult]:
        """The results on tune of the arms whose values can be computed; the others have to be sampled.

        Rows and values are kept in the folder under `exact`, so that the model reads the answers once. `tell` is called
        with the number of texts that were read, and of all.
        """
        if task.metric is None:
            return []
        known = self.values(folder, task, "tune", items, arms, (task.metric, BESIDE), tell)
        return [computed(task, "tune", arm, known[arm.digest]) for arm in arms if known.get(arm.digest)]

    def values(
        self, folder: Folder, task: Task, split: Split, items: Sequence[Item], arms: Sequence[Arm],
        metrics: Sequence[str], tell: Callable[[int, int], None],
    ) -> dict[str, dict[str, list[float]]]:  # fmt: skip
        """The values of metrics by item for each arm's digest: none for arms that have to be sampled."""
        if not _suits(items, metrics):
            return {}
        name = task.name if split == "tune" else f"{task.name}-{split}"
        file = f"exact/{name}.json"
        known = folder.read(file) if folder.holds(file) else {}
        if missing := {arm.digest: arm for arm in arms if arm.digest not in known}:
            answers = self._answers(folder, name, items, tell)
            names = tuple(dict.fromkeys(metrics))
            known |= {digest: _values(answers, arm, names) for digest, arm in missing.items()}
            folder.write(file, known)
        return {arm.digest: known[arm.digest] for arm in arms}

    def _answers(self, folder: Folder, name: str, items: Sequence[Item], tell: Callable[[int, int], None]) -> Answers:
        """The rows on the way to the answers: those of the folder, or read now."""
        path = folder.path / "exact" / f"{name}.npz"
        if path not in self._read:
            if not path.exists():
                path.parent.mkdir(exist_ok=True)
                partial = path.with_name(f"{path.name}.{folder.worker}.partial")
                with partial.open("wb") as file:
                    Answers.read(self._model, items, progress=tell).save(file)
                partial.replace(path)
            self._read[path] = Answers.load(path)
        return self._read[path]


def _suits(items: Sequence[Item], metrics: Sequence[str]) -> bool:
    """True if every item lists its answers, and every metric has an expected value."""
    try:
        for name in metrics:
            metric_of(name)
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
