"""A search: as many trials as asked, each done once, by one process or by several that share a database."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from typing import Any

from dyntemp.errors import StudyError
from dyntemp.evaluation.arm import Arm
from dyntemp.evaluation.families import Family
from dyntemp.tune.first_items import Enough
from dyntemp.tune.results import Measured, Parameter, Trial
from dyntemp.tune.settings import Sampler
from dyntemp.tune.space import parameters, rounded
from dyntemp.tune.storage import WORKER, fail_dead, optuna, quiet, worker

WAIT = 0.5
"""Seconds between two looks at trials that other processes have."""

PRUNED_AFTER = 8
"""Items of a trial before it may be pruned: with fewer, a signed-rank test says little."""

PRUNED_AT = 0.05
"""The p-value at which it is. The test is repeated after each item, so that it prunes some more good trials."""

NEEDS = {"cmaes": ("cmaes",), "gp": ("torch", "scipy")}
"""Packages that samplers of Optuna import late."""

PLACE, SOURCE, MEASURED, FEASIBLE = "place", "source", "measured", "feasible"
"""Attributes of a trial: its number among those that count, its source, its values, and if it keeps the constraint."""


class SurplusError(Exception):
    """Another trial has the same place already, or the trial has none: another process was faster."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """A search, as one study of Optuna.

    The trials that count have places from 0 on. A process takes the first place that no trial has which is running or
    done, and puts a trial for it into the queue, from which any process takes it. Where two processes do so at the same
    time, the trial with the smaller number counts, and the other fails. A trial whose process died fails too, and its
    place is taken again, with the same parameters. So each place is done once, whatever ends when.

    The seed of the sampler follows from the place, and trials that failed are unknown to it. One process that is
    killed and begun again therefore draws what it would have drawn, except with CMA-ES, whose seeds in Optuna count
    failed trials too.

    Attributes:
        name: The name of the study in the database.
        family: What is searched.
        sampler: The name of Optuna's sampler.
        seed: The seed of the search.
        trials: How many trials count.
        objectives: How many objectives there are.
        first: The parameters of the first trials, by their source.
        measure: An arm's values on tune.
        constraint: How far an arm's values break the constraint: at most 0 where they keep it. None without one.
        prunes: True if a trial may be pruned, which needs one objective, whose values of single items are known.
        progress: Called with the number of trials that are done, and the objectives of those that keep the constraint.
    """

    name: str
    family: Family
    sampler: Sampler
    seed: int
    trials: int
    objectives: int
    first: Mapping[str, Mapping[str, float]]
    measure: Callable[[Arm, Enough | None], Measured]
    constraint: Callable[[Measured], float] | None = None
    prunes: bool = False
    progress: Callable[[int, Sequence[Sequence[float]]], None] = lambda *_: None

    def run(self, storage: Any) -> list[Trial]:
        """Do the trials that are missing, wait for those of other processes, and return all."""
        with quiet():
            return self._run(storage)

    def _run(self, storage: Any) -> list[Trial]:
        package = optuna()
        for needed in NEEDS.get(self.sampler, ()):
            if find_spec(needed) is None:
                raise StudyError(f"the sampler {self.sampler} needs {needed}: run `pip install {needed}`")
        pruner = package.pruners.WilcoxonPruner(p_threshold=PRUNED_AT, n_startup_steps=PRUNED_AFTER)
        study = package.create_study(
            study_name=self.name, storage=storage, load_if_exists=True, directions=["maximize"] * self.objectives,
            pruner=pruner if self.prunes else package.pruners.NopPruner(),
        )  # fmt: skip
        waiting = package.trial.TrialState.WAITING
        while True:
            fail_dead(study)
            trials = study.get_trials(deepcopy=False)
            counted = _counted(trials)
            done = [one for one in counted.values() if one.state.is_finished()]
            self.progress(len(done), [one.values for one in done if one.user_attrs.get(FEASIBLE, True)])
            place = next((one.user_attrs[PLACE] for one in trials if one.state == waiting), None)
            if place is None and len(counted) < self.trials:
                place = min(set(range(self.trials)) - counted.keys())
                self._offer(study, trials, place)
            if place is not None:
                study.sampler = self._sampler(place)
                study.optimize(lambda trial: self._trial(study, trial), n_trials=1, catch=(SurplusError,))
            elif len(done) == len(counted):
                return [self._record(at, counted[at]) for at in range(self.trials)]
            else:
                time.sleep(WAIT)

    def _offer(self, study: Any, trials: Sequence[Any], place: int) -> None:
        """Put a trial for a place into the queue: with the parameters of one that failed there, if there is one."""
        failed = [one.params for one in trials if one.user_attrs.get(PLACE) == place and one.params]
        first = list(self.first.items())
        if place < len(first):
            source, fixed = f"first: {first[place][0]}", dict(first[place][1])
        else:
            source, fixed = self.sampler, failed[-1] if failed else {}
        study.enqueue_trial(fixed, user_attrs={PLACE: place, SOURCE: source})

    def _trial(self, study: Any, trial: Any) -> float | Sequence[float]:
        """The values of the next trial in the queue, which this or another process put there."""
        place = trial.user_attrs.get(PLACE)
        if place is None or _counted(study.get_trials(deepcopy=False))[place].number < trial.number:
            raise SurplusError
        trial.set_user_attr(WORKER, worker())
        values = {name: _suggested(trial, name, found) for name, found in parameters(self.family).items()}
        arm = self.family.arm(f"{self.family.name} #{place}", rounded(self.family, values))
        measured = self.measure(arm, (lambda items: _is_worse(trial, items)) if self.prunes else None)
        if self.constraint is not None:
            broken = self.constraint(measured)
            trial.set_constraint("least", broken)
            trial.set_user_attr(FEASIBLE, broken <= 0)
        trial.set_user_attr(MEASURED, asdict(measured))
        return measured.values if measured.whole else _estimate(study, trial)

    def _sampler(self, place: int) -> Any:
        samplers = optuna().samplers
        told = f"{self.seed} {self.name} {place}"
        seed = int.from_bytes(hashlib.sha256(told.encode()).digest()[:4])
        makers = {
            "tpe": samplers.TPESampler, "cmaes": samplers.CmaEsSampler, "gp": samplers.GPSampler,
            "random": samplers.RandomSampler,
        }  # fmt: skip
        more = {"warn_independent_sampling": False} if self.sampler == "cmaes" else {}
        return makers[self.sampler](seed=seed, **more)

    def _record(self, place: int, trial: Any) -> Trial:
        values = rounded(self.family, trial.params)
        arm = self.family.arm("", values)
        measured = Measured(**trial.user_attrs[MEASURED])
        return Trial(
            family=self.family.name,
            number=place,
            parameters=values,
            source=trial.user_attrs[SOURCE],
            state="complete" if measured.whole else "pruned",
            policy=str(arm.policy),
            filters=str(arm.filters),
            measured=measured,
            feasible=trial.user_attrs.get(FEASIBLE, True),
        )


def _counted(trials: Sequence[Any]) -> dict[int, Any]:
    """The trial that counts of each place: the first one that did not fail."""
    failed = optuna().trial.TrialState.FAIL
    counted: dict[int, Any] = {}
    for trial in sorted(trials, key=lambda one: one.number):
        if trial.state != failed and PLACE in trial.user_attrs:
            counted.setdefault(trial.user_attrs[PLACE], trial)
    return counted


def _suggested(trial: Any, name: str, found: Parameter) -> float:
    if found.whole:
        return trial.suggest_int(name, int(found.low), int(found.high), log=found.log)
    return trial.suggest_float(name, found.low, found.high, log=found.log)


def _is_worse(trial: Any, items: Sequence[float | None]) -> bool:
    """True if these items are enough to see that a trial is worse than the best one, by the pruner."""
    if items[-1] is not None:
        trial.report(items[-1], len(items) - 1)
    return trial.should_prune()


def _estimate(study: Any, trial: Any) -> float:
    """The value of a pruned trial: the best trial's, plus the mean difference of the items that both have.

    The mean of the trial's own items would say how easy the first items are.
    """
    best = study.best_trial
    own = study.trials[trial.number].intermediate_values
    gaps = [value - best.intermediate_values[at] for at, value in own.items() if at in best.intermediate_values]
    return best.value + min(0.0, sum(gaps) / len(gaps))
