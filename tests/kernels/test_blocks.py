"""The draw from blocks that backends share, and rows that the compiled code leaves, against the reference."""

from math import inf

import numpy as np
import pytest

from dyntemp import Policy, sample
from dyntemp.kernels import blocks, reference
from dyntemp.kernels.blocks import BLOCK, first_above
from dyntemp.kernels.cpu.extreme_rows import draw_wide


def far_apart(dtype):
    """Rows whose differences overflow: two entries near the top of the dtype, masked ones, and a row of equal ones."""
    far = 1.7e308 if dtype == np.float64 else 3e38
    n = BLOCK + 900
    rows = np.linspace(-0.4, 0.99, 20 * n).reshape(20, n) * far
    rows[:, n // 2], rows[:, n // 3], rows[:, 0], rows[0] = far, far * (1 - 1e-9), -inf, far
    return rows.astype(dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("filters", [{}, {"top_k": 3}, {"top_p": 0.9, "min_p": 0.1}])
@pytest.mark.parametrize("text", ["0", "0.3", "5", "exp(1000)", "0.1 + 0.01*surprisal"])
def test_rows_whose_differences_overflow_get_the_tokens_of_the_reference(dtype, filters, text):
    rows, policy = far_apart(dtype), Policy(text)
    states = [policy.state(len(rows)) if policy.remembers else None for _ in range(2)]
    for position in range(3):
        found, expected = (
            sample(rows, policy, seed=3, position=position, state=state, backend=backend, **filters)
            for backend, state in zip(("cpu", "reference"), states, strict=True)
        )

        np.testing.assert_array_equal(found.token, expected.token)
        np.testing.assert_allclose(found.temperature, expected.temperature, rtol=1e-12)


@pytest.mark.parametrize("tries", [0, blocks.TRIES])
def test_the_tokens_of_a_wide_row(tries, monkeypatch):
    """With no tries, the masses of all blocks decide."""
    monkeypatch.setattr(blocks, "TRIES", tries)
    monkeypatch.setattr(reference, "TRIES", tries)
    row = np.random.default_rng(1).normal(0, 3, 2 * BLOCK + 5)
    row[:BLOCK] = -inf
    for temperature in (0.2, 1.0, 4.0, inf):
        for seed in range(40):
            assert draw_wide(row, temperature, seed, 1, 2) == reference.draw(row, temperature, seed, 1, 2)


def test_the_first_above_is_never_beyond_the_last_that_adds():
    cumulative = np.array([0.0, 0.5, 0.5, 1.0, 1.0])
    targets = (0.0, 0.25, 0.5, 0.75, 1.0, 2.0)

    assert [first_above(cumulative, target) for target in targets] == [1, 1, 3, 3, 3, 3]
    assert [reference.first_above(cumulative, target) for target in targets] == [1, 1, 3, 3, 3, 3]
