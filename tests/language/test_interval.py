"""Interval arithmetic: one case per rule, then random points inside random intervals."""

import math
import operator
import sys
from math import inf, isnan, nextafter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dyntemp.language.interval import (
    ULPS,
    IndeterminateError,
    Interval,
    add,
    corners,
    hull,
    multiply,
    negative,
    power,
    quotient,
    subtract,
    union,
    widened,
)
from dyntemp.language.operators import OPERATORS


def I(low, high):  # noqa: E743, N802
    return Interval(float(low), float(high))


EXACT = [
    (add, I(1, 2), I(10, 20), I(11, 22)),
    (add, I(0, inf), I(1, 2), I(1, inf)),
    (add, I(-inf, 0), I(1, 2), I(-inf, 2)),
    (subtract, I(1, 2), I(10, 20), I(-19, -8)),
    (subtract, I(0, inf), I(1, 2), I(-2, inf)),
    (multiply, I(1, 2), I(10, 20), I(10, 40)),
    (multiply, I(-1, 2), I(10, 20), I(-20, 40)),
    (multiply, I(-1, 2), I(-10, 20), I(-20, 40)),
    (multiply, I(-3, 2), I(-10, 20), I(-60, 40)),
    (multiply, I(-2, -1), I(-20, -10), I(10, 40)),
    (multiply, I(1, inf), I(2, 3), I(2, inf)),
    (multiply, I(1, inf), I(-3, -2), I(-inf, -2)),
    (quotient, I(1, 2), I(4, 8), I(0.125, 0.5)),
    (quotient, I(-1, 2), I(4, 8), I(-0.25, 0.5)),
    (quotient, I(1, 2), I(-8, -4), I(-0.5, -0.125)),
    (quotient, I(1, 2), I(0, 4), I(0.25, inf)),
    (quotient, I(1, 2), I(-0.0, 4), I(0.25, inf)),
    (quotient, I(1, 2), I(0, 0), I(inf, inf)),
    (quotient, I(1, 2), I(4, inf), I(0, 0.5)),
    (quotient, I(1, inf), I(4, 8), I(0.125, inf)),
    (quotient, I(0, 2), I(4, 8), I(0, 0.5)),
    (power, I(0, 1), I(2, 2), I(0, 1)),
    (power, I(0, 1), I(1, 3), I(0, 1)),
    (power, I(1, 1), I(-5, 5), I(1, 1)),
    (power, I(0, 0), I(1, 2), I(0, 0)),
    (power, I(0, 0), I(-2, -1), I(inf, inf)),
    (power, I(-0.0, 0), I(-1, -1), I(inf, inf)),
    (power, I(0, 0), I(-1, 1), I(0, inf)),
    (power, I(0, 0.5), I(-inf, inf), I(0, inf)),
    (power, I(-2, 3), I(0, 0), I(1, 1)),
    (power, I(-1, 1), I(-2, -2), I(1, inf)),
    (power, I(-1, 1), I(2, 2), I(0, 1)),
    (power, I(-1, 1), I(3, 3), I(-1, 1)),
    (power, I(-inf, 1), I(2, 2), I(0, inf)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "left", "right", "expected"), EXACT, ids=lambda x: getattr(x, "__name__", None) or str(tuple(x))
)
def test_rules_with_exact_ends(rule, left, right, expected):
    assert expected == rule(left, right)


WIDENED = [
    (power, I(2, 3), I(2, 3), I(4, 27)),
    (power, I(0.5, 2), I(-1, 2), I(0.25, 4)),
    (power, I(0.25, 0.5), I(1, 2), I(0.0625, 0.5)),
    (power, I(2, inf), I(1, 2), I(2, inf)),
    (power, I(2, inf), I(-2, -1), I(0, 0.5)),
    (power, I(-2, 3), I(2, 2), I(0, 9)),
    (power, I(-3, 2), I(2, 2), I(0, 9)),
    (power, I(-3, -2), I(2, 2), I(4, 9)),
    (power, I(-2, 3), I(3, 3), I(-8, 27)),
    (power, I(-4, -2), I(-1, -1), I(-0.5, -0.25)),
    (power, I(-4, -2), I(-2, -2), I(0.0625, 0.25)),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "left", "right", "expected"), WIDENED)
def test_rules_with_ends_to_within_a_few_ulps(rule, left, right, expected):
    low, high = rule(left, right)

    assert low <= expected.low <= expected.high <= high
    assert (low, high) == pytest.approx(tuple(expected), rel=1e-14)


UNDEFINED = [
    (add, I(0, inf), I(-inf, 0), "inf - inf"),
    (add, I(-inf, inf), I(-inf, inf), "inf - inf"),
    (subtract, I(0, inf), I(0, inf), "inf - inf"),
    (subtract, I(-inf, 0), I(-inf, 0), "inf - inf"),
    (multiply, I(0, 1), I(1, inf), "0 * inf"),
    (multiply, I(-inf, -1), I(-1, 1), "0 * inf"),
    (quotient, I(1, inf), I(1, inf), "inf/inf"),
    (quotient, I(0, 1), I(0, 1), "0/0"),
    (quotient, I(-1, 1), I(0, 1), "0/0"),
    (quotient, I(-2, -1), I(0, 1), "a negative number over 0"),
    (quotient, I(1, 2), I(-1, 1), "either sign"),
    (quotient, I(1, 2), I(-1, 0), "either sign"),
    (power, I(0.5, 2), I(1, inf), "1**inf"),
    (power, I(1, 1), I(-inf, 0), "1**inf"),
    (power, I(2, inf), I(-1, 1), "inf**0"),
    (power, I(2, inf), I(0, 0), "inf**0"),
    (power, I(-inf, 1), I(0, 0), "inf**0"),
    (power, I(-1, 1), I(0.5, 0.5), "not a whole number"),
    (power, I(-1, 1), I(1, 2), "not a whole number"),
    (power, I(-1, 1), I(inf, inf), "not a whole number"),
    (power, I(-1, 1), I(-1, -1), "either sign"),
    (power, I(-1, 0), I(-3, -3), "either sign"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "left", "right", "form"), UNDEFINED)
def test_forms_without_a_value_are_named(rule, left, right, form):
    with pytest.raises(IndeterminateError) as caught:
        rule(left, right)

    assert form in str(caught.value)


def test_negation_swaps_the_ends():
    assert I(-2, 1) == negative(I(-1, 2))


def test_hull_and_union():
    assert I(-1, 3) == hull([3, -1, 2])
    assert I(0, 9) == union([I(0, 1), I(5, 9)])


def test_corners_of_three_arguments():
    assert I(-6, 6) == corners(lambda x, y, z: x * y * z, I(-1, 1), I(1, 2), I(2, 3))


def test_membership():
    assert 1 in I(1, 2)
    assert 2.0 in I(1, 2)
    assert 2.1 not in I(1, 2)
    assert "1" not in I(1, 2)
    assert inf in I(1, inf)
    assert float("nan") not in I(-inf, inf)  # noqa: PLW0177
    assert I(1, inf).unbounded
    assert not I(1, 2).unbounded
    assert I(1, 1).is_point


def test_widened_moves_ends_by_ulps_and_keeps_exact_ones():
    low, high = widened(I(0.3, 0.7))
    for _ in range(ULPS):
        low, high = nextafter(low, inf), nextafter(high, -inf)

    assert (low, high) == (0.3, 0.7)
    for end in (-inf, -1.0, 0.0, 1.0, inf):
        assert I(end, end) == widened(I(end, end))
    assert 1 - 1e-15 < widened(I(1, 1), I(-1, 1)).low < 1  # a function that only nears 1 rounds to it, or below
    assert -1 < widened(I(-1, -1), I(-1, 1)).high < -1 + 1e-15
    assert I(0, 0) == widened(I(0, 0), I(0, inf))
    assert I(0.3, 0.7) == widened(I(0.3, 0.7), I(0.3, 0.7))


def test_powers_hold_for_other_libraries_too():
    """One library's scalars, its arrays, and another's differ in the last place."""
    rng = np.random.default_rng(1)
    bases, exponents = rng.uniform(0.01, 10, 20_000), rng.uniform(-5, 5, 20_000)
    whole = OPERATORS["**"].value(bases, exponents)
    for x, y, value in zip(bases.tolist(), exponents.tolist(), whole.tolist(), strict=True):
        bounds = power(I(x, x), I(y, y))

        assert value in bounds
        assert math.exp(math.log(x) * y) == pytest.approx(value, rel=1e-13)
        assert math.pow(x, y) in bounds


NUMBERS = st.one_of(
    st.sampled_from([-inf, -3.0, -1.0, -0.5, -0.0, 0.0, 5e-324, 1e-300, 0.3, 1.0, 2.0, 1e308, inf]),
    st.floats(-4, 4),
    st.floats(allow_nan=False),
    st.integers(-5, 5).map(float),
)
INTERVALS = st.tuples(NUMBERS, NUMBERS, st.booleans()).map(
    lambda ends: I(ends[0], ends[0]) if ends[2] else I(min(ends[:2]), max(ends[:2]))
)
SHARES = st.one_of(st.sampled_from([0.0, 1.0, 0.5]), st.floats(0, 1))


def inside(interval, share):
    if interval.is_point or share == 0:
        return interval.low
    if share == 1:
        return interval.high
    low, high = (float(np.clip(end, -sys.float_info.max, sys.float_info.max)) for end in interval)
    return min(max(low * (1 - share) + high * share, low), high)


@pytest.mark.parametrize(
    ("symbol", "rule"),
    [("+", add), ("-", subtract), ("*", multiply), ("/", quotient), ("**", power)],
    ids=["add", "subtract", "multiply", "quotient", "power"],
)
@given(left=INTERVALS, right=INTERVALS, at=st.tuples(SHARES, SHARES))
def test_every_point_is_enclosed_and_has_a_value(symbol, rule, left, right, at):
    try:
        bounds = rule(left, right)
    except IndeterminateError:
        return
    with np.errstate(all="ignore"):
        value = float(OPERATORS[symbol].value(inside(left, at[0]), inside(right, at[1])))

    assert not isnan(value)
    assert value in bounds


@pytest.mark.parametrize(
    ("rule", "apply"), [(add, operator.add), (subtract, operator.sub), (multiply, operator.mul)],
    ids=["add", "subtract", "multiply"],
)  # fmt: skip
@given(numbers=st.tuples(*[st.integers(-1000, 1000).map(float)] * 2))
def test_points_give_points(rule, apply, numbers):
    value = apply(*numbers)

    assert I(value, value) == rule(*(I(number, number) for number in numbers))
