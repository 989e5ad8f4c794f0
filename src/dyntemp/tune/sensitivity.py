"""The sensitivity of a tuned policy: the parameters that matter, and the values that are as good as the best."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import log

from dyntemp.tune.results import Luck, Parameter, Space, Trial, TuningResults
from dyntemp.tune.storage import optuna

FEWEST = 10
"""Trials below which no importance is told."""

SMALL = 0.1
"""A parameter with at most this importance hardly matters."""

WIDE = 0.5
"""A good region is wide from this share of the range on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """The good values of one parameter.

    Attributes:
        name: Its name.
        low: The smallest value among the good trials.
        high: The largest.
        share: (high - low) as a share of the parameter's range, from 0 to 1; by logarithms where it is searched so.
        importance: Its PED-ANOVA importance (Watanabe et al. 2023, arXiv:2304.10255), by which the parameters share 1;
            None where the trials do not tell.
    """

    name: str
    low: float
    high: float
    share: float
    importance: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensitivity:
    """The trials of the policy's search by one objective.

    Good trials are those on tune that lie at most one standard error below the best one. The standard error is that of
    one trial, over draws of items and texts. The best trial is lucky, so that the region is rather too narrow.

    Attributes:
        objective: Name of the objective.
        best: The best value on tune.
        error: The standard error.
        trials: How many trials were complete and kept the constraint.
        good: How many of them are good.
        regions: The parameters, the most important first.
    """

    objective: str
    best: float
    error: float
    trials: int
    good: int
    regions: Sequence[Region]


def sensitivities(results: TuningResults) -> list[Sensitivity]:
    """The sensitivity of the policy by each objective whose noise is known; empty without complete trials.

    Raises:
        StudyError: If Optuna is not installed.
    """
    space = next(one for one in results.spaces if not one.control)
    trials = [one for one in results.trials if one.family == space.family and one.state == "complete" and one.feasible]
    if not trials or not space.parameters:
        return []
    noise = {one.objective: one for one in results.luck if one.family == space.family}
    return [
        _sensitivity(space, trials, at, noise[one.name])
        for at, one in enumerate(results.objectives)
        if one.name in noise
    ]


def sentences(one: Sensitivity) -> Iterator[str]:
    """The sensitivity in words."""
    yield (
        f"{one.good} of {one.trials} trials lie within one standard error ({one.error:.2g}) of the best on tune, "
        f"{one.best:.4g} {one.objective}."
    )
    for region in one.regions:
        alone = region.importance is not None and region.importance <= SMALL and region.share >= WIDE
        good = (
            f"good trials have it from {region.low:.4g} to {region.high:.4g}, {region.share:.0%} of its range"
            if region.low < region.high
            else f"the only good trials have it at {region.low:.4g}"
        )
        weight = "" if region.importance is None else f"{region.importance:.0%} of the importance; "
        yield f"`{region.name}`: {weight}{good}{'. Leave it alone' if alone else ''}."


def _sensitivity(space: Space, trials: Sequence[Trial], at: int, luck: Luck) -> Sensitivity:
    values = [one.measured.values[at] for one in trials]
    best = max(values)
    good = [one for one, value in zip(trials, values, strict=True) if value >= best - luck.noise]
    weights = _importances(space, trials, values)
    regions = []
    for name, parameter in space.parameters.items():
        found = [one.parameters[name] for one in good]
        low, high = min(found), max(found)
        share = place(parameter, high) - place(parameter, low)
        regions.append(Region(name=name, low=low, high=high, share=share, importance=weights.get(name)))
    return Sensitivity(
        objective=luck.objective,
        best=best,
        error=luck.noise,
        trials=len(trials),
        good=len(good),
        regions=sorted(regions, key=lambda one: -(one.importance or 0.0)),
    )


def place(parameter: Parameter, value: float) -> float:
    """The place of a value in a parameter's range, from 0 to 1; by its logarithm where it is searched so."""
    low, high = parameter.low, parameter.high
    if low == high:
        return 0.5
    return log(value / low) / log(high / low) if parameter.log else (value - low) / (high - low)


def _importances(space: Space, trials: Sequence[Trial], values: Sequence[float]) -> Mapping[str, float]:
    """The importance of each parameter; empty for few trials, or values that do not differ."""
    if len(trials) < FEWEST or min(values) == max(values):
        return {}
    package = optuna()
    kinds = {
        name: package.distributions.IntDistribution(int(one.low), int(one.high), log=one.log) if one.whole
        else package.distributions.FloatDistribution(one.low, one.high, log=one.log)
        for name, one in space.parameters.items()
    }  # fmt: skip
    study = package.create_study(direction="maximize")
    study.add_trials([
        package.trial.create_trial(
            params={name: int(value) if space.parameters[name].whole else value
                    for name, value in one.parameters.items()},
            distributions=kinds, value=value,
        )
        for one, value in zip(trials, values, strict=True)
    ])  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        try:
            found = package.importance.get_param_importances(
                study, evaluator=package.importance.PedAnovaImportanceEvaluator()
            )
        except UserWarning:  # the best trials are all trials
            return {}
    return {name: float(value) for name, value in found.items()}
