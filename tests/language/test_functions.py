"""The table of functions: every record computes, bounds and moves the way it says."""

import math
import sys
from itertools import product
from math import inf, isnan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dyntemp import PolicyError
from dyntemp import functions as f
from dyntemp.language.functions import FUNCTIONS, call
from dyntemp.language.interval import IndeterminateError, Interval
from dyntemp.language.nodes import Call, Const
from dyntemp.signals import entropy

VALUES = {
    "exp": [((0,), 1), ((1,), np.e), ((-inf,), 0), ((inf,), inf)],
    "log": [((1,), 0), ((np.e,), 1), ((0,), -inf), ((inf,), inf)],
    "sqrt": [((4,), 2), ((0,), 0), ((inf,), inf)],
    "abs": [((-2,), 2), ((2,), 2), ((-inf,), inf)],
    "halfcos": [((0,), 0), ((1,), 1), ((0.5,), 0.5), ((1 / 3,), 0.25), ((-inf,), 0), ((inf,), 1)],
    "tanh": [((0,), 0), ((-inf,), -1), ((inf,), 1)],
    "sigmoid": [((0,), 0.5), ((-inf,), 0), ((inf,), 1), ((-1000,), 0), ((1000,), 1)],
    "min": [((1, 2), 1), ((3, 2, 1), 1), ((inf, -inf), -inf)],
    "max": [((1, 2), 2), ((3, 2, 1), 3), ((inf, -inf), inf)],
    "clip": [((5, 0, 1), 1), ((-5, 0, 1), 0), ((0.5, 0, 1), 0.5), ((inf, 0, 1), 1)],
    "lerp": [((1, 3, 0), 1), ((1, 3, 1), 3), ((1, 3, 0.5), 2), ((1, 3, 2), 5), ((3, 1, 0.5), 2)],
    "where": [((True, 1, 2), 1), ((False, 1, 2), 2)],
}


def test_every_function_that_computes_has_values_here():
    assert {name for name, record in FUNCTIONS.items() if record.value} == set(VALUES)


def test_the_names_of_the_module_are_those_of_the_table():
    assert {*FUNCTIONS, "param"} == set(f.__all__)
    for name in FUNCTIONS:
        assert getattr(f, name).__name__ == name
        assert FUNCTIONS[name].meaning in getattr(f, name).__doc__
        assert FUNCTIONS[name].name == name


@pytest.mark.parametrize("name", VALUES)
def test_values(name):
    for arguments, expected in VALUES[name]:
        with np.errstate(all="ignore"):
            assert FUNCTIONS[name].value(*arguments) == pytest.approx(expected, rel=1e-15, abs=0)


@pytest.mark.parametrize("name", VALUES)
def test_values_of_arrays_are_those_of_their_entries(name):
    cases = [arguments for arguments, _ in VALUES[name] if len(arguments) == len(VALUES[name][0][0])]
    with np.errstate(all="ignore"):
        whole = FUNCTIONS[name].value(*map(np.array, zip(*cases, strict=True)))
        each = [FUNCTIONS[name].value(*case) for case in cases]

    np.testing.assert_array_equal(each, whole)


def test_numbers_among_arrays_are_for_every_row():
    assert f.FUNCTIONS["min"].value(np.array([1.0, 3.0]), 2.0).tolist() == [1.0, 2.0]
    assert f.FUNCTIONS["max"].value(2.0, np.array([1.0, 3.0])).tolist() == [2.0, 3.0]


@pytest.mark.parametrize("name", sorted(set(FUNCTIONS) - {"where"}))
def test_arguments_are_counted(name):
    wanted = len(FUNCTIONS[name].arguments)
    for count in (0, wanted + 2):
        if FUNCTIONS[name].arguments[-1] == "..." and count:
            continue
        with pytest.raises(PolicyError, match=f"takes .*{count} were given"):
            call(name, *[entropy] * count)


def test_where_takes_a_comparison():
    with pytest.raises(PolicyError, match=r"write a narrow range: where\(abs\(x - y\) < 1e-9"):
        f.where(entropy == 1, 2, 3)
    with pytest.raises(PolicyError, match="was given"):
        f.where(entropy, 2, 3)
    assert isinstance(f.where(entropy < 1, 2, 3), Call)


def test_ends_in_the_wrong_order_are_refused():
    for function in (f.clip, f.integral):
        with pytest.raises(PolicyError, match="low = 2 above high = 1: swap them"):
            function(entropy, 2, 1)


def test_what_remembers_is_not_folded():
    assert f.ema(1, 0.5) == Call("ema", (Const(1.0), Const(0.5)))


NUMBERS = st.one_of(
    st.sampled_from([-inf, -2.0, -1.0, -0.5, -0.0, 0.0, 1e-300, 0.3, 1.0, 2.0, 1e308, inf]),
    st.floats(-30, 30),
    st.floats(allow_nan=False),
)
INTERVALS = st.tuples(NUMBERS, NUMBERS).map(lambda ends: Interval(min(ends), max(ends)))
SHARES = st.one_of(st.sampled_from([0.0, 1.0, 0.5]), st.floats(0, 1))


def inside(interval, share):
    """A number of the interval; infinite only at its ends."""
    if interval.is_point:
        return interval.low
    low, high = (float(np.clip(end, -sys.float_info.max, sys.float_info.max)) for end in interval)
    return (
        interval.low
        if share == 0
        else interval.high
        if share == 1
        else min(max(low * (1 - share) + high * share, low), high)
    )


@pytest.mark.parametrize("name", sorted(VALUES))
@given(data=st.data())
def test_bounds_enclose_the_value_at_every_point(name, data):
    record = FUNCTIONS[name]
    count = 3 if record.arguments[-1] == "..." else len(record.arguments)
    boxes = [data.draw(INTERVALS) for _ in range(count)]
    try:
        bounds = record.bounds(*boxes)
    except IndeterminateError:
        return
    assert not isnan(bounds.low)
    assert not isnan(bounds.high)
    points = [inside(box, data.draw(SHARES)) for box in boxes]
    if name == "where":
        points[0] = points[0] > 0
    with np.errstate(all="ignore"):
        value = float(record.value(*points))

    assert value in bounds


@pytest.mark.parametrize("name", sorted(set(VALUES) - {"where"}))
@given(data=st.data())
def test_directions_are_those_of_the_values(name, data):
    record = FUNCTIONS[name]
    count = 3 if record.arguments[-1] == "..." else len(record.arguments)
    finite = st.floats(-20, 20)
    boxes = [Interval(*sorted((data.draw(finite), data.draw(finite)))) for _ in range(count)]
    try:
        record.bounds(*boxes)
    except IndeterminateError:
        return
    directions = record.directions(*boxes)
    points = [inside(box, data.draw(SHARES)) for box in boxes]
    for moved, direction in enumerate(directions):
        if direction is None:
            continue
        further = list(points)
        further[moved] = inside(boxes[moved], data.draw(SHARES))
        with np.errstate(all="ignore"):
            rise = np.subtract(record.value(*further), record.value(*points))
        step = further[moved] - points[moved]

        assert np.isnan(rise) or direction * rise * np.sign(step) >= -1e-12  # NaN is -inf beside -inf


def test_lerp_is_enclosed_between_numbers_of_very_different_size():
    """Rounding of low + (high - low)*t is as large as low, however small the result."""
    bounds = FUNCTIONS["lerp"].bounds(Interval(0.0, 14.0), Interval(0.1, 0.1), Interval(0.0, 1.0))
    lows = np.linspace(0, 14, 50_001)
    for t in (0.0, 0.5, np.nextafter(1, 0), 1.0):
        values = FUNCTIONS["lerp"].value(lows, 0.1, t)

        assert values.min() >= bounds.low
        assert values.max() <= bounds.high
    assert bounds.low == 0.0


def test_lerp_is_enclosed_where_its_rounding_is_worst_inside():
    lows = 7.9 + np.arange(500) * math.ulp(7.9)
    values = FUNCTIONS["lerp"].value(lows, -0.2, 0.97)
    left, worst = next((i, j) for i in range(499) for j in range(i + 1, 500) if values[j] < values[i])
    bounds = FUNCTIONS["lerp"].bounds(Interval(lows[left], lows[-1]), Interval(-0.2, -0.2), Interval(0.97, 0.97))

    assert values[worst] < min(values[left], values[-1])
    assert values[worst] in bounds
    assert bounds.low == pytest.approx(values[worst], abs=1e-14)


@pytest.mark.parametrize(
    ("name", "other"),
    [("exp", math.exp), ("log", math.log), ("tanh", math.tanh), ("sqrt", math.sqrt),
     ("sigmoid", lambda x: 1 / (1 + math.exp(-x))), ("halfcos", lambda x: math.sin(math.pi / 2 * min(x, 1)) ** 2)],
)  # fmt: skip
def test_bounds_hold_for_the_functions_of_other_libraries_too(name, other):
    """One library's scalars, its arrays, and another's differ in the last place."""
    points = np.random.default_rng(1).uniform(0.01, 20, 20_000)
    vector = FUNCTIONS[name].value(points)
    for x, value in zip(points.tolist(), vector.tolist(), strict=True):
        bounds = FUNCTIONS[name].bounds(Interval(x, x))

        assert value in bounds
        assert other(x) in bounds


@pytest.mark.parametrize("rows", list(product((-inf, 0.0, inf), repeat=2)))
def test_smallest_and_largest_take_infinities(rows):
    assert min(rows) == FUNCTIONS["min"].value(*rows)
    assert max(rows) == FUNCTIONS["max"].value(*rows)
