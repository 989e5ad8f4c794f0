"""Steps of the natural gradient: their size, their ends, and that names of parameters do not matter."""

import numpy as np
import pytest

from dyntemp.language.policy import Policy
from dyntemp.learn.steps import RIDGE, natural_step, ranges

TEMPLATE = Policy('clip(param("a", 0, 2) + param("b", -1, 1)*entropy, 0.1, 3)')
VALUES = {"a": 1.0, "b": 0.2}
RANDOM = np.random.default_rng(2)
JACOBIAN = RANDOM.normal(size=(50, 2))
SLOPES = RANDOM.normal(size=50)
VARENTROPY = RANDOM.uniform(0, 2, 50)


def metric():
    return np.einsum("n,ni,nj->ij", VARENTROPY, JACOBIAN, JACOBIAN) / 50 + RIDGE * np.diag([16.0, 16.0])


def step(values=VALUES, slopes=SLOPES, radius=1e-3):
    return natural_step(TEMPLATE, values, JACOBIAN, slopes, VARENTROPY, radius)


def test_a_step_changes_the_draws_by_the_radius_and_goes_uphill():
    after = step()
    moved = np.array([after[name] - value for name, value in VALUES.items()])

    assert moved @ metric() @ moved / 2 == pytest.approx(1e-3)
    direction = np.linalg.solve(metric(), JACOBIAN.T @ SLOPES)
    np.testing.assert_allclose(moved / np.linalg.norm(moved), direction / np.linalg.norm(direction))


def test_the_size_of_the_gradient_does_not_matter_and_its_sign_does():
    assert step() == pytest.approx(step(slopes=1e-6 * SLOPES))
    back = step(slopes=-SLOPES)
    assert all(step()[name] - value == pytest.approx(value - back[name]) for name, value in VALUES.items())


def test_nothing_to_gain_moves_nothing():
    assert step(slopes=np.zeros(50)) == VALUES


def test_a_parameter_at_its_end_stays_and_the_others_take_the_step():
    uphill = SLOPES if (JACOBIAN.T @ SLOPES)[0] > 0 else -SLOPES
    after = step({"a": 2.0, "b": 0.2}, uphill)
    moved = after["b"] - 0.2

    assert 2.0 == after["a"]
    assert moved**2 * metric()[1, 1] / 2 == pytest.approx(1e-3)
    assert step({"a": 2.0, "b": 0.2}, -uphill)["a"] < 2


@pytest.mark.parametrize("radius", [0.1, 1.0])
def test_a_large_step_ends_inside_the_ranges(radius):
    low, high = ranges(TEMPLATE)
    after = np.array(list(step(radius=radius).values()))

    assert np.all((low <= after) & (after <= high))
