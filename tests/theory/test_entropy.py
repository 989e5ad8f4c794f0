"""Entropy rises with temperature, and one temperature at most gives a wanted entropy."""

from decimal import Decimal, localcontext
from math import inf, log

import numpy as np
import pytest

from dyntemp.errors import PolicyError
from dyntemp.theory.entropy import heating, reachable


def exact_entropy(logits: list[str], temperature: Decimal) -> Decimal:
    """-sum p ln p of softmax(z/T) with 40 digits."""
    weights = [(Decimal(z) / temperature).exp() for z in logits]
    total = sum(weights)
    return -sum(w / total * (w / total).ln() for w in weights)


@pytest.mark.parametrize("logits", [["0", "1"], ["0", "0.1", "0.2"], ["-3", "0.5", "0.5", "2"]])
@pytest.mark.parametrize("temperature", ["0.5", "1", "2"])
def test_the_slope_is_that_of_40_digits(logits, temperature):
    with localcontext() as context:
        context.prec = 40
        t, step = Decimal(temperature), Decimal("1e-15")
        expected = (exact_entropy(logits, t + step) - exact_entropy(logits, t - step)) / (2 * step)

    found = heating([float(z) for z in logits], float(temperature))

    assert found.values["slope"] == pytest.approx(float(expected), rel=1e-11)
    assert found.holds


def test_masked_entries_do_not_count():
    assert heating([0.0, 1.0, -inf]).values == heating([0.0, 1.0]).values


def test_a_uniform_row_cannot_be_heated():
    assert heating([2.0, 2.0, -inf]).holds is False


@pytest.mark.parametrize("temperature", [0.0, 1e-6, inf])
def test_a_greedy_or_uniform_draw_has_no_slope(temperature):
    with pytest.raises(PolicyError, match="have a derivative"):
        heating([0.0, 1.0], temperature)


def test_entropies_between_ties_and_support_are_reached_and_no_others():
    row = [3.0, 3.0, 1.0, -inf]
    low, high = log(2), log(3)

    assert [reachable(row, h).holds for h in (low - 1e-9, low, low + 1e-3, high - 1e-3, high, high + 1)] == [
        False, False, True, True, False, False,
    ]  # fmt: skip
    assert reachable(row, 1.0).values["low"] == low
    assert reachable(row, 1.0).values["high"] == high


def test_the_temperature_gives_the_entropy():
    row = np.array([3.0, 2.0, 1.0, 0.5])
    temperature = reachable(row, 0.8).values["temperature"]

    assert heating(row, temperature).values["entropy"] == pytest.approx(0.8, rel=1e-12)
