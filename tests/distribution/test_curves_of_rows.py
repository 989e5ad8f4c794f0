"""The curves of many rows are those of single ones, which the formulas tell."""

import numpy as np
import pytest

from dyntemp.distribution.curves_of_rows import curves_of_rows
from dyntemp.distribution.draw_curve import draw_curve

ROWS = {
    "peaked": lambda draw: draw.normal(0, 8, 3000),
    "flat": lambda draw: draw.normal(0, 1e-3, 50_000),
    "deep": lambda draw: np.concatenate([[0.0], draw.normal(-160, 30, 3000)]),
    "one": lambda draw: np.array([3.0]),
    "masked": lambda draw: np.where(draw.random(400) < 0.5, -np.inf, draw.normal(0, 3, 400)),
    "ties": lambda draw: np.repeat([1.0, 0.0], 20),
}


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_each_row_is_that_of_the_formulas(name, kind):
    rows = np.stack([ROWS[name](np.random.default_rng(seed)).astype(kind) for seed in range(3)])
    tokens = np.argmax(rows, axis=1)
    tokens[1] = 0

    found = curves_of_rows(rows, tokens)

    assert found.value.dtype == found.totals.dtype == np.float32
    for row, token, value, totals in zip(rows, tokens, *found, strict=True):
        wanted, expected = draw_curve(row[row > -np.inf], float(row[token]))
        assert value == pytest.approx(wanted, rel=1e-6)
        np.testing.assert_allclose(totals, expected, rtol=2e-7, atol=1e-12)


def test_a_dropped_token_has_no_value():
    found = curves_of_rows(np.array([[0.0, -np.inf, -1.0]]), np.array([1]))

    assert found.value.tolist() == [-np.inf]
