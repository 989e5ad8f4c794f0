"""The smallest differences of published settings, of statsmodels, and of simulated studies."""

import numpy as np
import pytest

from dyntemp.evaluation.power import detectable, smallest_difference, variance_of
from dyntemp.evaluation.results import ArmResult, TaskResult


@pytest.mark.parametrize(("items", "samples", "near", "far"), [
    (100, 4, 8.2, 9.1), (100, 16, 4.7, 6.2), (200, 16, 3.4, 4.4), (500, 8, 2.7, 3.3), (1000, 4, 2.6, 2.9),
    (1319, 8, 1.7, 2.0),
])  # fmt: skip
def test_table(items, samples, near, far):
    for between, expected in ((0.01, near), (0.03, far)):
        found = 100 * smallest_difference(variance_of(0.15, between, samples), items)

        assert found == pytest.approx(expected, abs=0.051)


@pytest.mark.parametrize("level", [0.05, 0.01])
def test_statsmodels_agrees(level):
    power = pytest.importorskip("statsmodels.stats.power").NormalIndPower(ddof=0)
    effect = power.solve_power(nobs1=150, alpha=level, power=0.8, ratio=0, alternative="two-sided")

    assert smallest_difference(0.09, 150, level) == pytest.approx(0.3 * effect, rel=1e-3)


def task(clusters):
    names = {"val": clusters, "test": clusters}
    return TaskResult(name="a", group="text", metric="accuracy", about="", items=names, clusters=names, samples={})


def arm(values, control=None, split="val"):
    return ArmResult(
        task="a", split=split, name="x", family="x", control=control, of=None, policy="1", filters="", exact=False,
        values={"accuracy": values}, texts=0, tokens=0, temperatures=(), temperature=None, spread=None,
    )  # fmt: skip


def test_values_of_val_give_the_variance():
    generator, clusters = np.random.default_rng(2), [str(n // 4) for n in range(2000)]
    noise = np.repeat(generator.normal(0, 0.3, 500), 4) + generator.normal(0, 0.4, 2000)
    static, method = arm([0.5] * 2000, "static"), arm((0.5 + noise).tolist())

    expected = smallest_difference(0.3**2 + 0.4**2 / 4, 500)
    assert detectable(task(clusters), [static, method]) == pytest.approx(expected, rel=0.1)
    ratio = smallest_difference(1, 1, 0.02) / smallest_difference(1, 1, 0.05)  # 2 x 0.05/5: one-sided, of 5 methods
    found = [detectable(task(clusters), [static, method], methods) for methods in (1, 2, 5)]
    assert np.divide(found, found[0]) == pytest.approx([1, 1, ratio])


@pytest.mark.parametrize("arms", [[], [arm([1, 2], "static")], [arm([1, 2])], [arm([1, 2], "static"), arm([1, None])],
                                  [arm([1, 2], "static", "test"), arm([1, 2], split="test")],
                                  [arm([1, 2], "static"), arm([1, 2])]])  # fmt: skip
def test_nothing_is_stated_without_differences_on_val(arms):
    assert detectable(task(["a", "b"]), arms) is None
