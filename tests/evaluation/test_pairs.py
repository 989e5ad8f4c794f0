"""Paired comparisons: coverage of intervals, p-values under the null, and SciPy's own tests."""

import sys
from itertools import product

import numpy as np
import pytest

from dyntemp.evaluation import pairs
from dyntemp.evaluation.pairs import compare, holm
from dyntemp.statistics import estimate

stats = pytest.importorskip("scipy.stats")


def clustered(generator, clusters, sizes=(1, 3, 8)):
    """Differences with mean 0 of items in clusters of different sizes, and their clusters."""
    names = [str(n) for n in range(clusters) for _ in range(sizes[n % len(sizes)])]
    shared = generator.normal(0, 0.3, clusters)
    return shared[[int(name) for name in names]] + generator.normal(0, 0.3, len(names)), names


@pytest.mark.parametrize("clusters", [12, 48])
def test_intervals_over_clusters_hold_the_truth_in_95_of_100(monkeypatch, clusters):
    monkeypatch.setattr(estimate, "RESAMPLES", 999)
    generator, held, runs = np.random.default_rng(3), 0, 1000
    share = pairs._share(stats, clusters)
    for _ in range(runs):
        values, names = clustered(generator, clusters)
        low, high = estimate.interval(values, share, names)
        held += low <= 0 <= high

    assert 0.92 <= held / runs <= 0.97


def test_intervals_that_ignore_clusters_are_too_narrow():
    values, names = clustered(np.random.default_rng(4), 30)
    low, high = estimate.interval(values)
    wide = compare(values, np.zeros(len(values)), names)

    assert wide.high - wide.low > 1.3 * (high - low)


def test_clusters_of_one_item_are_items():
    values = np.random.default_rng(5).normal(size=40)

    assert estimate.interval(values, 0.9, range(40)) == pytest.approx(estimate.interval(values, 0.9), abs=1e-12)
    assert compare(values, np.zeros(40)) == compare(values, np.zeros(40), [str(n) for n in range(40)])


def test_p_is_uniform_under_the_null(monkeypatch):
    monkeypatch.setattr(pairs, "RESAMPLES", 255)
    generator = np.random.default_rng(6)
    found = []
    for _ in range(600):
        values, names = clustered(generator, 14)
        sums, _ = estimate.sums_by_cluster(values, names)
        found.append(pairs._flipped(stats, sums))

    for p in np.array(found).T:
        assert stats.kstest(p, "uniform").pvalue > 0.001
        assert np.mean(p <= 0.05) == pytest.approx(0.05, abs=0.03)


def test_few_clusters_are_tested_exactly():
    values = np.array([0.4, 0.1, -0.05, 0.3, 0.2, 0.0, -0.1, 0.6])
    sums = np.array([signs @ values for signs in product((1, -1), repeat=8)])
    found = compare(values, np.zeros(8))

    assert found.p == np.mean(sums >= values.sum() - 1e-12)
    assert found.two_sided == np.mean(np.abs(sums) >= values.sum() - 1e-12)
    assert compare(-values, np.zeros(8)).two_sided == found.two_sided
    assert compare(-values, np.zeros(8)).p == np.mean(sums >= -values.sum() - 1e-12)
    assert found.wilcoxon == stats.wilcoxon(values, alternative="greater").pvalue


def test_an_item_without_a_value_on_either_side_is_left_out():
    found = compare([1.0, None, 0.5, 0.25], [0.5, 0.0, None, 0.0], ["a", "a", "b", "c"])

    assert (found.mean, found.other, found.difference, found.items) == (0.625, 0.25, 0.375, 2)


def test_equal_values_differ_by_0_with_p_1():
    assert compare([1.0, 0.5], [1.0, 0.5]) == (0.75, 0.75, 0, 0, 0, 1, 1, 1, 2)


def test_one_cluster_tells_nothing():
    found = compare([1.0, 1.0], [0.0, 0.0], ["a", "a"])

    assert (found.low, found.high, found.p, found.two_sided) == (-np.inf, np.inf, 1, 1)


@pytest.mark.parametrize(("given", "message"), [
    (([1.0], [1.0, 2.0], None), "1 values, 2 of the baseline and 1 clusters"),
    (([1.0], [1.0], ["a", "b"]), "1 values, 1 of the baseline and 2 clusters"),
    (([None], [1.0], None), "no item has a value on both sides"),
])  # fmt: skip
def test_values_that_cannot_be_paired_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        compare(*given)


def test_holm():
    pytest.importorskip("statsmodels")

    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([]) == []


@pytest.mark.parametrize(("module", "call"), [
    ("scipy", lambda: compare([1.0], [1.0])), ("statsmodels.stats.multitest", lambda: holm([0.1])),
])  # fmt: skip
def test_a_missing_extra_is_named(monkeypatch, module, call):
    monkeypatch.setitem(sys.modules, module, None)

    with pytest.raises(ValueError, match=r"pip install 'dyntemp\[evaluate\]'"):
        call()
