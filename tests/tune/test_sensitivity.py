"""The sensitivity of a tuned policy: which parameter matters, and how wide the good values reach."""

import sys
from dataclasses import replace

import numpy as np
import pytest
from tests.tune.made_tuning import NOISE, POLICY, Maker

from dyntemp.errors import StudyError
from dyntemp.tune.results import Parameter
from dyntemp.tune.sensitivity import place, sensitivities, sentences


def with_values(results, values):
    """The results whose policy's trials have these parameters and values."""
    measured = results.trials[0].measured
    trials = [
        replace(results.trials[0], family=POLICY.family, number=at, parameters=parameters, state="complete",
                measured=replace(measured, values=[value]))
        for at, (parameters, value) in enumerate(values)
    ]  # fmt: skip
    return replace(results, trials=trials)


def test_the_good_region_is_one_standard_error_below_the_best():
    points = [({"a": a, "b": 0.0, "min_p": 0.1}, 4.0 - abs(a - 1)) for a in (0.5, 0.95, 1.0, 1.05, 1.15)]
    (one,) = sensitivities(with_values(Maker().results(), points))
    region = next(region for region in one.regions if region.name == "a")

    assert (4.0, NOISE, 5, 3) == (one.best, one.error, one.trials, one.good)
    assert (0.95, 1.05) == (region.low, region.high)
    assert 0.1 / 3 == pytest.approx(region.share)
    assert [None] * 3 == [region.importance for region in one.regions], "five trials tell no importance"


def test_pruned_and_forbidden_trials_have_no_part():
    pytest.importorskip("optuna")
    results = Maker(constraint="validity").results()
    own = [one for one in results.trials if one.family == POLICY.family]
    kept = [one for one in own if one.state == "complete" and one.feasible]
    (one,) = sensitivities(results)

    assert len(kept) == one.trials < len(own)
    assert max(trial.measured.values[0] for trial in kept) == one.best


def test_the_parameter_that_decides_comes_first():
    pytest.importorskip("optuna")
    random = np.random.default_rng(1)
    points = [dict(zip("ab", random.uniform((0, -3), (3, 3)), strict=True)) | {"min_p": random.uniform(0, 0.3)}
              for _ in range(60)]  # fmt: skip
    (one,) = sensitivities(with_values(Maker().results(), [(p, 4 - 3 * abs(p["b"])) for p in points]))

    assert "b" == one.regions[0].name
    assert one.regions[0].importance > 0.6
    assert 1 == pytest.approx(sum(region.importance for region in one.regions))


def test_trials_that_do_not_differ_tell_no_importance():
    points = [({"a": at / 10, "b": 0.0, "min_p": 0.1}, 2.0) for at in range(20)]
    (one,) = sensitivities(with_values(Maker().results(), points))

    assert {None} == {region.importance for region in one.regions}
    assert 20 == one.good


def test_an_objective_whose_noise_is_not_known_has_none():
    assert [] == sensitivities(replace(Maker().results(), luck=[]))


def test_each_objective_has_its_own():
    pytest.importorskip("optuna")

    assert ["validity", "distinct@8"] == [
        one.objective for one in sensitivities(Maker(objectives=("validity", "distinct@8")).results())
    ]


def test_a_missing_optuna_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)

    with pytest.raises(StudyError, match=r"pip install 'dyntemp\[tune\]'"):
        sensitivities(Maker().results())


def test_the_words_say_what_may_be_left_alone():
    pytest.importorskip("optuna")
    points = [({"a": 1.0, "b": -3 + at / 2, "min_p": 0.1}, 2.0 - (at == 12)) for at in range(13)]
    (one,) = sensitivities(with_values(Maker().results(), points))
    regions = sorted(one.regions, key=lambda region: region.name)
    small = replace(one, regions=[replace(region, importance=0.05) for region in regions])

    assert [
        "12 of 13 trials lie within one standard error (0.1) of the best on tune, 2 distinct@8.",
        "`a`: 5% of the importance; the only good trials have it at 1.",
        "`b`: 5% of the importance; good trials have it from -3 to 2.5, 92% of its range. Leave it alone.",
        "`min_p`: 5% of the importance; the only good trials have it at 0.1.",
    ] == [*sentences(small)]


@pytest.mark.parametrize(("low", "high", "log"), [(0.0, 3.0, False), (0.01, 10.0, True)])
def test_a_place_is_by_logarithm_where_the_search_is(low, high, log):
    third = low * (high / low) ** (1 / 3) if log else low + (high - low) / 3
    parameter = Parameter(low=low, high=high, log=log)

    assert [0, 1 / 3, 1] == pytest.approx([place(parameter, value) for value in (low, third, high)])
