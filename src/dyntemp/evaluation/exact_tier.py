"""The exact tier in a study: the values of configurations on tune and val, computed from rows that are read once."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path

from dyntemp.evaluation.arm import Arm
from dyntemp.evaluation.exact.answers import Answers, metric_of
from dyntemp.evaluation.folder import Folder
from dyntemp.evaluation.results import ArmResult
from dyntemp.evaluation.summary import computed
from dyntemp.evaluation.task import Item, Split, Task
from dyntemp.models import Model

AT_ONCE = 32
"""Arms whose values are written at a time."""

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
        self, folder: Folder, task: Task, split: Split, items: Sequence[Item], arms: Sequence[Arm],
        tell: Callable[[int, int], None],
    ) -> list[ArmResult]:  # fmt: skip
        """The results of the arms whose values can be computed; the others have to be sampled. See `values`."""
        if task.metric is None:
            return []
        known = self.values(folder, task, split, items, arms, (task.metric, BESIDE), tell)
        return [computed(task, split, arm, known[arm.digest]) for arm in arms if known.get(arm.digest)]

    def values(
        self, folder: Folder, task: Task, split: Split, items: Sequence[Item], arms: Sequence[Arm],
        metrics: Sequence[str], tell: Callable[[int, int], None],
    ) -> dict[str, dict[str, list[float]]]:  # fmt: skip
        """The values of metrics by item, for each arm's digest: none for an arm that has to be sampled.

        All calls for a folder name the same metrics. Rows and values are kept in the folder under `exact`, so that the
        model reads the answers once. Processes that share the folder go through the arms in different orders, and each
        looks at what the others have written. `tell` is called with the number of texts that were read, then of arms
        that were computed, and of all.
        """
        if not suits(items, metrics):
            return {}
        names = tuple(dict.fromkeys(metrics))
        file = f"exact/{task.name}.{split}.json"
        known = _known(folder, file)
        if any(arm.digest not in known for arm in arms):
            answers = self.answers(folder, task, split, items, tell)
            order = random.Random(folder.worker).sample(arms, len(arms))  # noqa: S311
            for begin in range(0, len(order), AT_ONCE):
                missing = [arm for arm in order[begin : begin + AT_ONCE] if arm.digest not in known]
                if missing:
                    found = {arm.digest: _values(answers, arm, names) for arm in missing}
                    known |= _known(folder, file) | found
                    folder.write(file, known)
                tell(min(begin + AT_ONCE, len(order)), len(order))
        return {arm.digest: known[arm.digest] for arm in arms}

    def answers(
        self, folder: Folder, task: Task, split: Split, items: Sequence[Item], tell: Callable[[int, int], None]
    ) -> Answers:
        """The rows on the way to the listed answers of items: those of the folder, or read now; see `values`."""
        path = folder.path / f"exact/{task.name}.{split}.npz"
        if path not in self._read:
            if not path.exists():
                path.parent.mkdir(exist_ok=True)
                partial = path.with_name(f"{path.name}.{folder.worker}.partial")
                with partial.open("wb") as file:
                    Answers.read(self._model, items, progress=tell).save(file)
                partial.replace(path)
            self._read[path] = Answers.load(path)
        return self._read[path]


def _known(folder: Folder, file: str) -> dict[str, dict[str, list[float]]]:
    """The values that are kept, by the digest of their arm."""
    return folder.read(file) if folder.holds(file) else {}


def suits(items: Sequence[Item], metrics: Sequence[str]) -> bool:
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
