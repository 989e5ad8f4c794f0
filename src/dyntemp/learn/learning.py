"""Learning on a task: static temperature is tuned, policies are learned with as many texts, and compared on test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from dyntemp.distribution.filters import Filters
from dyntemp.errors import PolicyError
from dyntemp.evaluation.about import circumstances
from dyntemp.evaluation.arm import Arm
from dyntemp.evaluation.controls import own_controls
from dyntemp.evaluation.exact_tier import ExactTier, suits
from dyntemp.evaluation.families import HIGH, LOW, Family
from dyntemp.evaluation.folder import Cell, Folder
from dyntemp.evaluation.metrics import metric_of
from dyntemp.evaluation.runner import Runner
from dyntemp.evaluation.sample import Sample
from dyntemp.evaluation.task import Split, Task
from dyntemp.evaluation.work import complete
from dyntemp.functions import param
from dyntemp.language.policy import Policy
from dyntemp.learn.answer import answer_of, beside, sentence, warnings_of
from dyntemp.learn.ceiling import ceiling
from dyntemp.learn.results import Ceiling, Control, LearnResults, Run
from dyntemp.learn.run import Learner
from dyntemp.learn.settings import TUNED, LearnSettings
from dyntemp.learn.trace import trace
from dyntemp.tune.objective import Scorer
from dyntemp.tune.progress import Meter, Progress
from dyntemp.tune.results import Measured
from dyntemp.tune.space import TEMPERATURE, control
from dyntemp.tune.storage import open_storage
from dyntemp.tune.tuning import Tuning, chosen

RESULTS = "results.json"
"""The results, as `LearnResults.to_json` has them."""

TRACE = "learning.json"
"""The trace of learning, which `dyntemp play` opens."""


def learn(
    settings: LearnSettings,
    task: Task,
    runner: Runner,
    folder: str | Path,
    *,
    exact: ExactTier | None = None,
    storage: str | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> LearnResults:
    """Learn a policy on a task, or go on with what was interrupted; several processes may share the folder.

    The static temperature with min-p is tuned first, with as many texts as each run learns from. Runs begin at the best
    static temperature. What they learned goes to test, beside the tuned static temperature, and the best of them on val
    also beside a static temperature at its own mean, and its temperatures without order and out of place.

    Args:
        settings: Task, shape and sizes.
        task: The task that the settings name.
        runner: Writes the texts; it has to tell the curves of draws.
        folder: Where texts, rounds and results are kept.
        exact: Computes how far the best temperature of every row would come on test, where answers are listed; None
            leaves it out.
        storage: The URL of a PostgreSQL database for the trials of the static temperature; None for SQLite.
        progress: Called as texts end.

    Raises:
        ValueError: If the settings do not fit, the folder holds something else, the task has too few items, or
            PyTorch, Optuna or SciPy is not installed.
    """
    metric = settings.metric_for(task)
    with Folder(folder, settings) as place:
        results = Learning(settings, task, metric, runner, place, exact, Meter(progress)).run(storage)
        place.write(RESULTS, results.to_json())
        place.write(TRACE, trace(results))
    return results


class Learning:
    """The stages of learning; see `learn`."""

    def __init__(
        self, settings: LearnSettings, task: Task, metric: str, runner: Runner, folder: Folder, exact: ExactTier | None,
        meter: Meter,
    ) -> None:  # fmt: skip
        self.settings, self.task, self.metric, self.runner, self.folder = settings, task, metric, runner, folder
        self.exact, self.meter = exact, meter
        self.tuning = settings.tuning
        self.scorer = Scorer(self.tuning, [task], runner, folder, None, meter)
        self.items = {split: self.scorer.items[task.name, split] for split in ("tune", "val", "test")}

    def run(self, storage: str | None) -> LearnResults:
        """All stages, and the results."""
        settings = self.settings
        self._plan()
        rival, anchor = self._static(storage)
        learner = Learner(
            settings=settings, task=self.task, items=self.items["tune"], runner=self.runner, folder=self.folder,
            anchor=float(str(anchor.policy)), filters=anchor.filters, metric=self.metric, tell=self._tell,
        )  # fmt: skip
        courses = [learner.run(seed) for seed in range(settings.runs)]
        on_anchor = self._on_val(anchor)
        learned = [self._arm(f"learned, seed {seed}", course.policy, anchor) for seed, course in enumerate(courses)]
        on_val = [self._on_val(arm) for arm in learned]
        static = [one.values[0] <= on_anchor.values[0] for one in on_val]
        outcomes = [anchor if same else arm for same, arm in zip(static, learned, strict=True)]
        kept = int(np.argmax([max(one.values[0], on_anchor.values[0]) for one in on_val]))
        own = own_controls(outcomes[kept], self._samples("val", [outcomes[kept]])[0], self.items["test"], settings.seed)
        statics = [rival] if rival.digest == anchor.digest else [rival, anchor]
        arms = [*outcomes, *statics, *own]
        values = self._values(arms)
        runs = [
            Run(seed=seed, rounds=course.rounds, learned=str(course.policy), on_val=on_val[seed], static=static[seed],
                test=values[outcomes[seed].digest])
            for seed, course in enumerate(courses)
        ]  # fmt: skip
        controls = [
            Control(name=arm.name, kind=str(arm.control), policy=str(arm.policy), filters=str(arm.filters),
                    test=values[arm.digest])
            for arm in (*statics, *own)
        ]  # fmt: skip
        compared = beside(runs, kept, controls, [item.cluster for item in self.items["test"]])
        answer = answer_of(runs, compared)
        most, unknown = self._ceiling(anchor, outcomes[kept])
        return LearnResults(
            settings=settings.to_json(),
            digest=settings.digest,
            model=self.runner.name,
            about=circumstances(),
            task=self.scorer.records()[0],
            metric=self.metric,
            shape=settings.shape,
            bounds=courses[0].bounds,
            filters=str(anchor.filters),
            anchor=str(anchor.policy),
            rival=str(rival.policy),
            rival_filters=str(rival.filters),
            anchor_on_val=on_anchor,
            signals=courses[0].signals,
            runs=runs,
            kept=kept,
            controls=controls,
            beside=compared,
            ceiling=most,
            answer=answer,
            sentence=sentence(answer, self.task.name, self.metric, compared, rival, len(runs), self._budget()[0]),
            warnings=[*warnings_of(courses, runs, kept), *unknown],
            budget=self._budget(),
        )

    def _static(self, storage: str | None) -> tuple[Arm, Arm]:
        """The tuned static temperature with min-p, and the best one under the filters of learning."""
        database = open_storage(self.folder.path, storage)
        tuning = Tuning(self.tuning, self.scorer, database, self.runner.name, self.meter)
        family = control()
        self.scorer.prepare([family.arm(family.name, {TEMPERATURE: 1.0, "min_p": 0.05})])
        rival = self._best(tuning, family)
        if self.settings.filters == TUNED:
            return rival, rival
        chain = str(Filters.read(self.settings.filters))
        fixed = Family(
            name=f"static + {chain}" if chain else "static", policy=Policy(param(TEMPERATURE, LOW, HIGH)), chain=chain,
            control="static",
        )  # fmt: skip
        return rival, self._best(tuning, fixed)

    def _best(self, tuning: Tuning, family: Family) -> Arm:
        """The best static temperature of a family: searched on tune, chosen on val, inside the bounds of learning."""
        trials = tuning.search(family, prunes=False)
        number = chosen(tuning.again(family, trials)).number
        trial = next(one for one in trials if one.number == number)
        return Arm(
            name=family.name, family=family.name, policy=Policy(trial.policy), filters=Filters.read(trial.filters),
            control=family.control,
        )  # fmt: skip

    def _arm(self, name: str, policy: Policy, anchor: Arm) -> Arm:
        return replace(anchor, name=name, family="learned", policy=policy, control=None)

    def _on_val(self, arm: Arm) -> Measured:
        found = self.scorer.measure(arm, "val")
        self.meter.reach(self.meter.at.done + self.scorer.texts("val"), f"{arm.name}, val")
        return found

    def _samples(self, split: Split, arms: Sequence[Arm]) -> list[list[list[Sample]]]:
        """The samples of arms on a split, by item."""
        cells = [
            Cell(self.task, split, arm, self.items[split], self.scorer.samples[self.task.name][split]) for arm in arms
        ]
        self.meter.reach(self.meter.at.done, split)
        complete(self.folder, cells, self.runner, self.settings.seed, self.meter.text)
        self.meter.reach(self.meter.at.done + sum(cell.size for cell in cells), split)
        return [self.folder.samples(cell) for cell in cells]

    def _values(self, arms: Sequence[Arm]) -> dict[str, list[float | None]]:
        """The metric of each arm on the items of test, by the arm's digest."""
        different = list({arm.digest: arm for arm in arms}.values())
        of = metric_of(self.metric).of
        found = self._samples("test", different)
        return {arm.digest: [of(one) for one in samples] for arm, samples in zip(different, found, strict=True)}

    def _ceiling(self, anchor: Arm, kept: Arm) -> tuple[Ceiling | None, list[str]]:
        """The most that was to win on test, or the reason why it is not known."""
        items = self.items["test"]
        if self.exact is None:
            return None, []
        if not suits(items, [self.metric]):
            return None, [f"the oracle is not known: {self.task.name} lists no answers for {self.metric}"]
        answers = self.exact.answers(self.folder, self.task, "test", items, lambda *_: None)
        try:
            return ceiling(answers, anchor, kept.policy, self.metric, self.settings.bounds), []
        except PolicyError as error:
            return None, [f"the oracle is not known: {error}"]

    def _budget(self) -> tuple[int, int]:
        """Texts that a run learns from, and that static temperature was tuned with."""
        items = len(self.items["tune"])
        return (
            self.settings.rounds * self.settings.texts * items,
            self.tuning.trials * self.scorer.samples[self.task.name]["tune"] * items,
        )

    def _plan(self) -> None:
        """Tell about how many texts there are in all."""
        searches = 1 if self.settings.filters == TUNED else 2
        of_search = self.tuning.trials * self.scorer.texts("tune") + self.tuning.kept * self.scorer.texts("val")
        texts = searches * of_search
        texts += self.settings.runs * self._budget()[0]
        texts += (self.settings.runs + 2) * self.scorer.texts("val")
        self.meter.plan(texts + (self.settings.runs + searches + 3) * self.scorer.texts("test"))

    def _tell(self, seed: int, rounds: int, done: int, score: float | None) -> None:
        """Take how far a run is: whole rounds, and texts of the one that is written."""
        of_round = self.settings.texts * len(self.items["tune"])
        stage = f"seed {seed}, round {min(rounds + 1, self.settings.rounds)} of {self.settings.rounds}"
        if score is None:
            self.meter.text(done, 0)
        else:
            self.meter.reach(self.meter.at.done + of_round, stage, score)
