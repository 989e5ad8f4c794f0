"""Best-of-N curves: noise gives a flat curve, and a better configuration is found."""

import numpy as np
import pytest

from dyntemp.evaluation.best_of import best_of, curve
from dyntemp.evaluation.results import ArmResult, TaskResult

CLUSTERS = [str(n // 3) for n in range(60)]


def test_the_best_of_configurations_that_are_noise_is_no_better_than_one():
    generator, gains, biased = np.random.default_rng(1), [], []
    for _ in range(60):
        values = generator.normal(0.5, 0.3, (16, 60))
        scores = best_of(values, CLUSTERS, draws=200)
        gains.append(scores[-1] - scores[0])
        biased.append(values.mean(axis=1).max() - values.mean())

    assert abs(np.mean(gains)) < 3 * np.std(gains) / np.sqrt(60)
    assert np.mean(biased) > 0.05


def test_a_better_configuration_is_found_as_often_as_it_is_drawn():
    values = np.zeros((8, 60))
    values[5] = 1

    assert best_of(values, CLUSTERS) == pytest.approx(np.arange(1, 9) / 8, abs=0.04)


def test_the_half_that_chooses_does_not_score():
    values = np.zeros((2, 60))
    values[0, :30], values[1, 30:] = 1, 1
    clusters = ["a"] * 30 + ["b"] * 30

    assert best_of(values, clusters) == pytest.approx([0.5, 0.0], abs=0.04)


def test_values_that_are_not_defined_are_left_out():
    values = np.full((2, 60), np.nan)
    values[0, ::2], values[1] = 0.75, 0.25

    assert best_of(values, CLUSTERS)[-1] == pytest.approx(0.75)


def arm(value, tokens):
    return ArmResult(
        task="a", split="tune", name="x", family="f", control=None, of=None, policy="1", filters="", exact=False,
        values={"accuracy": [value, None, value]}, texts=0, tokens=tokens, temperatures=(), temperature=None,
        spread=None,
    )  # fmt: skip


def task(metric="accuracy", clusters=("a", "b", "c")):
    names = {"tune": clusters}
    return TaskResult(name="a", group="text", metric=metric, about="", items=names, clusters=names, samples={})


def test_a_curve_counts_configurations_and_their_tokens():
    found = curve(task(), "f", [arm(0.5, tokens) for tokens in (10, 20, 30, 40, 0)])

    assert found.configurations == [1, 2, 4, 5]
    assert found.tokens == [20, 40, 80, 100]
    assert found.scores == pytest.approx([0.5] * 4)


@pytest.mark.parametrize(
    ("where", "arms"), [(task(None), [arm(1, 0)]), (task(), []), (task(clusters=("a",) * 3), [arm(1, 0)])]
)
def test_a_curve_without_values_or_halves_is_refused(where, arms):
    with pytest.raises(ValueError, match="give"):
        curve(where, "f", arms)
