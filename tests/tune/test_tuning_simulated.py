"""Tunings on surfaces with a known best, and noise as large as a model's."""

import gc
from itertools import product

import numpy as np
import pytest
from tests.tune.surfaces import Surface, cliff, numbers, tuning

import dyntemp.tune.tuning
from dyntemp.evaluation import pairs
from dyntemp.statistics import estimate

pytest.importorskip("optuna")
pytest.importorskip("statsmodels")

GRID = np.linspace(0.1, 0.9, 33)
NOISE = 0.06


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Few resamples, no first trials, which take bounds of many policies, and no look at the machine."""
    monkeypatch.setattr(dyntemp.tune.tuning, "first_trials", lambda *_: {})
    monkeypatch.setattr(dyntemp.tune.tuning, "circumstances", dict)
    monkeypatch.setattr(pairs, "RESAMPLES", 199)
    monkeypatch.setattr(estimate, "RESAMPLES", 199)
    yield
    gc.collect()


def on_cliff(arm):
    return cliff(numbers(arm))


def studies(count, sampler):
    """Regret of the best trial, regret of the best on val, and how much too good the best trial looked."""
    best = max(map(cliff, product(GRID, GRID, (0.42, 0.44, 0.46, 0.48, 0.5, 0.52))))
    for seed in range(count):
        tuned = tuning(Surface(on_cliff, NOISE, seed), sampler=sampler, seed=seed)
        family = tuned.settings.family()
        trials = tuned.search(family)
        finalists = tuned.again(family, trials, None)
        true = {trial.number: on_cliff(family.arm("", trial.parameters)) for trial in trials}
        top, (chosen,) = finalists[0].number, [one.number for one in finalists if one.chosen]
        yield best - true[top], best - true[chosen], finalists[0].promised[0] - true[top]


@pytest.mark.parametrize(("sampler", "simulated"), [("tpe", 0.022), ("cmaes", 0.015)])
def test_the_regret_after_the_second_measurement_is_that_of_the_simulation(sampler, simulated):
    """Independent simulations of 24 studies gave these regrets, and 0.044 for random search."""
    pytest.importorskip("cmaes")

    found = np.array(list(studies(16, sampler)))
    first, again, luck = found.mean(axis=0)
    error = np.hypot(found[:, 1].std() / np.sqrt(16), 0.005)

    assert again < simulated + 2 * error
    assert again < first + 0.002
    assert luck > 0.04, "without luck there would be nothing to measure again"


def sloped(arm):
    return 0.5 + 0.1 * numbers(arm)[0]


def test_the_score_on_test_is_unbiased_and_that_of_the_best_trial_is_not():
    gaps = []
    for seed in range(200):
        found = tuning(Surface(sloped, NOISE, seed), sampler="random", trials=6, kept=2, seed=seed).run()
        winner = found.tested[0]
        true = 0.5 + 0.1 * winner.parameters["a"]
        promised = next(one.promised[0] for one in found.finalists if one.chosen and one.family == winner.family)
        gaps.append([winner.measured.values[0] - true, promised - true])
    mean, error = np.mean(gaps, axis=0), np.std(gaps, axis=0) / np.sqrt(len(gaps))

    assert abs(mean[0]) < 3 * error[0]
    assert mean[1] > 6 * error[1]


def test_the_expected_luck_is_that_of_equal_configurations():
    """Items differ by ten times the noise, which moves no trial ahead of another."""
    surfaces = [Surface(lambda _: 0.5, NOISE, seed, easy=1.0) for seed in range(40)]
    lucks, promises = [], []
    for seed, surface in enumerate(surfaces):
        tuned = tuning(surface, sampler="random", trials=12, seed=seed)
        trials = tuned.search(tuned.settings.family())
        (luck,) = tuned._luck(trials)
        lucks.append(luck.expected)
        promises.append(max(one.measured.values[0] for one in trials) - 0.5 - surface.easy["tune"].mean())

    assert np.mean(lucks) == pytest.approx(np.mean(promises), abs=4 * np.std(promises) / np.sqrt(40))
    assert np.mean(lucks) == pytest.approx(1.63 * NOISE, rel=0.1)


def answers(gain, noise, count=19):
    """The answers of tunings whose policies are better than static by `gain` where their first parameter is large."""
    surfaces = [
        Surface(lambda arm: 0.5 + (gain if "entropy" in str(arm.policy) else 0.0), noise, seed) for seed in range(count)
    ]
    found = [tuning(surface, sampler="random", trials=6, kept=2, seed=at).run() for at, surface in enumerate(surfaces)]
    return [one.answer for one in found], found


def test_a_worthless_policy_was_not_worth_its_parameters():
    told, found = answers(0.0, noise=0.01)

    assert told.count("not worth") >= 17
    assert told.count("worth") <= 1
    assert "was not worth its 3 parameters" in found[told.index("not worth")].sentence


def test_a_good_policy_was_worth_its_parameters():
    told, found = answers(0.1, noise=0.02)

    assert ["worth"] * len(told) == told
    assert "+0." in found[0].sentence


def test_with_much_noise_it_cannot_be_told():
    told, _ = answers(0.0, noise=0.3)

    assert told.count("open") >= 17
