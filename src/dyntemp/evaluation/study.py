"""A study: configurations are chosen on tune, then on val, and what is declared there is compared on test."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

from dyntemp.errors import StudyError
from dyntemp.evaluation.arm import Arm
from dyntemp.evaluation.configuration import StudySettings
from dyntemp.evaluation.controls import GREEDY, no_op, own_controls
from dyntemp.evaluation.exact_tier import ExactTier
from dyntemp.evaluation.families import Family
from dyntemp.evaluation.folder import Cell, Folder
from dyntemp.evaluation.outcome import Outcome
from dyntemp.evaluation.power import detectable
from dyntemp.evaluation.results import ArmResult, Results, TaskResult, TextPair
from dyntemp.evaluation.runner import Runner
from dyntemp.evaluation.selection import best, best_of_families
from dyntemp.evaluation.summary import summarised
from dyntemp.evaluation.task import SPLITS, Item, Split, Task
from dyntemp.evaluation.work import complete

DECLARED = "declared.json"
"""The arms that test compares, written before a text of test is."""

RESULTS = "results.json"

SHOWN_ITEMS, SHOWN_ARMS, SHOWN_TEXTS = 3, 6, 4
"""How many items, arms, and texts of each, stand side by side in the results."""

Step = tuple[int, int, int]
"""How far a study is: texts that are there, of how many about, and the tokens written."""


def run_study(
    settings: StudySettings,
    tasks: Sequence[Task],
    runner: Runner,
    folder: str | Path,
    *,
    exact: ExactTier | None = None,
    progress: Callable[[Step], None] | None = None,
) -> Results:
    """Run a study, or go on with one that was interrupted; several processes may share its folder.

    Args:
        settings: Tasks, families and sizes.
        tasks: The tasks that the settings name, in their order.
        runner: Writes the texts.
        folder: Where samples and results are kept.
        exact: Computes the values of tune without sampling, for tasks that list their answers.
        progress: Called as texts end.

    Raises:
        ValueError: If the folder holds another study, a task has too few items, or the runner cannot run a control
            that every study has.
    """
    study = Study(settings, tasks, runner, exact, progress)
    with Folder(folder, settings) as place:
        results = study.run(place)
        place.write(RESULTS, results.to_json())
    return results


class Study:
    """The stages of a study; see `run_study`."""

    folder: Folder

    def __init__(
        self, settings: StudySettings, tasks: Sequence[Task], runner: Runner, exact: ExactTier | None,
        progress: Callable[[Step], None] | None,
    ) -> None:  # fmt: skip
        self.settings, self.tasks, self.runner = settings, tasks, runner
        self._exact = exact
        self._progress = progress or (lambda _: None)
        self.sizes = {task.name: _enough(settings, task) for task in tasks}
        self.items = {
            (task.name, split): task.items(split, self.settings.of(task.name).items[split], settings.seed)
            for task in tasks for split in SPLITS
        }  # fmt: skip
        self.left_out: dict[str, str] = {}
        self.families = list(self._runnable(settings.families()))
        self._planned: dict[Split, int] = {}
        self._done: dict[Split, tuple[int, int]] = {}

    def run(self, folder: Folder) -> Results:
        """All stages in a folder, and the results."""
        self.folder = folder
        scored = [task for task in self.tasks if task.metric is not None]
        arms = {task.name: self._configurations(task) for task in scored}
        self._planned = self._plan(arms)
        tune = self._tried("tune", scored, arms)
        by_name = {arm.name: arm for of_task in arms.values() for arm in of_task}
        kept = {
            task: [by_name[one.name] for one in best_of_families(results, metric, self.settings.kept)]
            for task, metric, results in _by_task(scored, tune)
        }
        val = self._tried("val", scored, kept)
        tested, without = self._declare(scored, val, kept)
        test = self._sampled("test", [(task, arm) for task in self.tasks for arm in tested[task.name]])
        results = Outcome(
            settings=self.settings,
            model=self.runner.name,
            tasks=[self._task_result(task) for task in self.tasks],
            arms=[*tune, *val, *test],
            detectable=self.folder.read(DECLARED)["detectable"],
            texts=list(chain.from_iterable(self._texts(task, tested[task.name]) for task in self.tasks)),
            without={**self.left_out, **without},
        )
        return results.results()

    def _runnable(self, families: Iterable[Family]) -> Iterable[Family]:
        """The families that the runner can run; the others are kept with the reason."""
        for family in families:
            try:
                self.runner.check(family.configurations(1, self.settings.seed)[0])
            except ValueError as error:
                if family.control is not None:
                    raise
                self.left_out[family.name] = str(error)
            else:
                yield family

    def _configurations(self, task: Task) -> list[Arm]:
        """The configurations of all families; a task with a smaller budget has the first ones of another."""
        budget = self.settings.of(task.name).budget
        return [arm for family in self.families for arm in family.configurations(budget, self.settings.seed)]

    def _tried(self, split: Split, tasks: Sequence[Task], arms: Mapping[str, Sequence[Arm]]) -> list[ArmResult]:
        """Configurations on a split: computed where the answers are listed, sampled elsewhere."""
        known: dict[tuple[str, str], ArmResult] = {}
        for task in tasks if self._exact else ():
            assert self._exact is not None
            items = self.items[task.name, split]
            for one in self._exact.results(self.folder, task, split, items, arms[task.name], self._reading):
                known[task.name, one.name] = one
        pairs = [(task, arm) for task in tasks for arm in arms[task.name]]
        sampled = [(task, arm) for task, arm in pairs if (task.name, arm.name) not in known]
        found = {(one.task, one.name): one for one in self._sampled(split, sampled)}
        return [(known | found)[task.name, arm.name] for task, arm in pairs]

    def _sampled(self, split: Split, pairs: Sequence[tuple[Task, Arm]]) -> list[ArmResult]:
        """The results of these arms on a split, once all their samples are there."""
        cells = [self.cell(task, split, arm) for task, arm in pairs]
        self._planned[split] = sum(cell.size for cell in cells)
        complete(self.folder, cells, self.runner, self.settings.seed, lambda *at: self._tell(split, *at))
        return [summarised(cell.task, split, cell.arm, self.folder.samples(cell)) for cell in cells]

    def cell(self, task: Task, split: Split, arm: Arm) -> Cell:
        """The cell of an arm on a split of a task."""
        return Cell(task, split, arm, self.items[task.name, split], self.sizes[task.name][split])

    def _declare(
        self, tasks: Sequence[Task], val: Sequence[ArmResult], kept: Mapping[str, Sequence[Arm]]
    ) -> tuple[dict[str, list[Arm]], dict[str, str]]:
        """The arms of test, from the results on val: written down before a text of test is, refused if they change."""
        chosen: dict[str, list[Arm]] = {}  # the controls, then the methods
        for name, metric, results in _by_task(tasks, val):
            winners = best_of_families(results, metric, 1)
            methods = best([one for one in winners if one.control is None], metric, self.settings.finalists)
            arms = {arm.name: arm for arm in kept[name]}
            chosen[name] = [arms[one.name] for one in (*filter(lambda one: one.control, winners), *methods)]
        sampled = self._sampled("val", [(task, arm) for task in tasks for arm in chosen[task.name]])
        tested: dict[str, list[Arm]] = {}
        without: dict[str, str] = {}
        for task in tasks:
            static, *_ = controls = [_final(arm) for arm in chosen[task.name] if arm.control]
            tested[task.name] = [GREEDY, *controls, no_op(static)]
            for arm in chosen[task.name][len(controls) :]:
                samples = self.folder.samples(self.cell(task, "val", arm))
                own = own_controls(_final(arm), samples, self.items[task.name, "test"], self.settings.seed)
                tested[task.name] += [_final(arm), *self._possible(own, without)]
        for task in self.tasks:
            if task.metric is None:
                tested[task.name] = self._borrowed(task, tasks, tested)
        smallest = {
            task.name: detectable(
                self._task_result(task), sampled, sum(arm.control is None for arm in tested[task.name])
            )
            for task in tasks
        }
        data = {
            "digest": self.settings.digest,
            "detectable": {name: size for name, size in smallest.items() if size is not None},
            "arms": {name: {arm.name: arm.digest for arm in arms} for name, arms in tested.items()},
        }
        if not self.folder.holds(DECLARED):
            self.folder.write(DECLARED, data)
        elif (there := self.folder.read(DECLARED)) != data:
            raise StudyError(
                f"{self.folder.path / DECLARED} declares {there['arms']} for test, and now {data['arms']} follow from "
                "the samples of val: they, or dyntemp, have changed; begin in another folder"
            )
        return tested, without

    def _texts(self, task: Task, arms: Sequence[Arm]) -> Iterable[TextPair]:
        """Texts of some arms to some items of test."""
        some = [arm for arm in arms if not arm.given and arm.control != "no_op"][:SHOWN_ARMS]
        samples = {arm.name: self.folder.samples(self.cell(task, "test", arm)) for arm in some}
        for at, item in enumerate(self.items[task.name, "test"][:SHOWN_ITEMS]):
            texts = {name: [one.text for one in found[at][:SHOWN_TEXTS]] for name, found in samples.items()}
            yield TextPair(task=task.name, item=item.id, prompt=shown_prompt(item), texts=texts)

    def _task_result(self, task: Task) -> TaskResult:
        items = {split: self.items[task.name, split] for split in SPLITS}
        return TaskResult(
            name=task.name,
            group=task.group,
            metric=task.metric,
            about=task.about,
            items={split: [item.id for item in found] for split, found in items.items()},
            clusters={split: [item.cluster for item in found] for split, found in items.items()},
            samples={split: self.sizes[task.name][split] for split in SPLITS},
        )

    def _possible(self, controls: Sequence[Arm], without: dict[str, str]) -> Iterable[Arm]:
        """The controls that the runner can run; the others are kept with the reason."""
        for arm in controls:
            try:
                self.runner.check(arm)
            except ValueError as error:
                without[arm.name] = str(error)
            else:
                yield arm

    def _borrowed(self, task: Task, others: Sequence[Task], tested: Mapping[str, Sequence[Arm]]) -> list[Arm]:
        """The arms of a task without a verifier: those of another task, of its group if there is one."""
        groups = sorted(others, key=lambda one: one.group != task.group)
        return [arm for arm in tested[groups[0].name] if not arm.given] if groups else [GREEDY]

    def _plan(self, configurations: Mapping[str, Sequence[Arm]]) -> dict[Split, int]:
        """About how many texts each split needs, before configurations are chosen."""
        families = len(self.families)
        arms = {"val": families * self.settings.kept, "test": 4 + 4 * self.settings.finalists}

        def texts(task: Task, split: Split) -> int:
            count = arms.get(split) or len(configurations[task.name])
            return count * len(self.items[task.name, split]) * self.sizes[task.name][split]

        return {
            split: sum(texts(task, split) for task in self.tasks if task.metric is not None or split == "test")
            for split in SPLITS
        }

    def _reading(self, read: int, texts: int) -> None:
        """Show how many texts the exact tier has read of those of its task."""
        self._progress((read, texts, 0))

    def _tell(self, split: Split, done: int, tokens: int) -> None:
        self._done[split] = (done, tokens)
        texts, drawn = map(sum, zip(*self._done.values(), strict=True))
        self._progress((texts, sum(self._planned.values()), drawn))


def _enough(settings: StudySettings, task: Task) -> dict[Split, int]:
    """The samples per item of each split: at least as many as the task's metric needs."""
    least = int((task.metric or "").partition("@")[2] or 1)
    return {split: max(count, least) for split, count in settings.of(task.name).samples.items()}


def shown_prompt(item: Item) -> str:
    """The prompt of an item as text; of a conversation, each message behind its role."""
    if isinstance(item.prompt, str):
        return item.prompt
    messages = [part for part in item.prompt if isinstance(part, Mapping)]
    return "\n".join(f"{message['role']}: {message['content']}" for message in messages)


def _final(arm: Arm) -> Arm:
    """The best configuration of a family, under the family's name."""
    return replace(arm, name=arm.family)


def _by_task(tasks: Sequence[Task], results: Sequence[ArmResult]) -> Iterable[tuple[str, str, list[ArmResult]]]:
    """Each task with its metric and its results."""
    for task in tasks:
        assert task.metric is not None
        yield task.name, task.metric, [one for one in results if one.task == task.name]
