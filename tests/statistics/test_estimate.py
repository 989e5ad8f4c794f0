"""Estimates are what their definitions say, counted by hand and by SciPy."""

from math import inf

import numpy as np
import pytest
from scipy import stats

from dyntemp.statistics.estimate import Estimate, estimate, interval


def test_a_difference_is_over_the_prompts_that_both_sides_have():
    found = estimate([1.0, None, 4.0, 3.0], [0.5, 2.0, None, 1.0])

    assert Estimate(pytest.approx(8 / 3), pytest.approx(1.25), pytest.approx(0.5), pytest.approx(2.0), 2) == found


@pytest.mark.parametrize(
    ("values", "baseline", "expected"),
    [([2.0, 4.0], None, (3.0, None, None, None, 2)), ([None], [1.0], (None, None, None, None, 0)),
     ([inf, 1.0], [1.0, 1.0], (inf, None, None, None, 2)), ([2.0], [1.5], (2.0, 0.5, None, None, 1))],
)  # fmt: skip
def test_what_is_not_defined_is_none(values, baseline, expected):
    assert expected == estimate(values, baseline)


def test_the_interval_is_the_percentile_bootstrap_of_scipy():
    values = np.random.default_rng(5).gamma(2.0, 1.0, 25)
    theirs = stats.bootstrap((values,), np.mean, n_resamples=9_999, method="percentile", rng=1).confidence_interval

    low, high = interval(values)

    assert pytest.approx((theirs.low, theirs.high), abs=0.02) == (low, high)
    assert interval(values) == interval(values), "the same every time"
    assert interval(values[:1]) is None


def test_many_prompts_are_resampled_in_parts_that_make_up_the_whole():
    values = np.random.default_rng(6).normal(3.0, 1.0, 301)
    picked = np.random.default_rng(0).integers(0, 301, (9_999, 301))

    assert np.quantile(values[picked].mean(axis=1), [0.025, 0.975]) == pytest.approx(interval(values), abs=1e-12)


def test_intervals_hold_the_true_mean_about_as_often_as_they_say():
    generator = np.random.default_rng(7)
    inside = [low <= 1.0 <= high for low, high in (interval(generator.normal(1, 2, 100)) for _ in range(400))]

    assert stats.binomtest(sum(inside), 400, 0.95).pvalue > 1e-3
