"""Nodes and Python's operators on them: what mixes, what is refused, what is equal."""

import copy
import operator
import pickle
from decimal import Decimal
from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest

from dyntemp import Policy, PolicyError, param
from dyntemp import functions as f
from dyntemp.language.nodes import MAX_DEPTH, MAX_SIZE, Binary, Comparison, Const, Negate, Parameter, lift, walk
from dyntemp.language.parameters import parameters_of
from dyntemp.language.parse import parse
from dyntemp.signals import entropy, given, max_prob, quantile

OPERATORS = [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow]
COMPARISONS = [operator.lt, operator.le, operator.gt, operator.ge]
SYMBOLS = dict(zip(OPERATORS, ["+", "-", "*", "/", "**"], strict=True))


@pytest.mark.parametrize(
    "half",
    [0.5, Fraction(1, 2), np.float64(0.5), np.float32(0.5), np.float16(0.5), np.longdouble(0.5)],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("apply", OPERATORS)
def test_any_real_number_mixes_from_either_side(apply, half):
    symbol = SYMBOLS[apply]

    assert Binary(symbol, Const(0.5), entropy) == apply(half, entropy)
    assert Binary(symbol, entropy, Const(0.5)) == apply(entropy, half)


@pytest.mark.parametrize(
    "two", [2, np.int64(2), np.int8(2), np.uint64(2), np.float32(2)], ids=lambda v: type(v).__name__
)
def test_whole_numbers_mix_and_compare(two):
    assert Binary("*", Const(2.0), entropy) == two * entropy
    assert Comparison("<", entropy, Const(2.0)) == (entropy < two)
    assert Comparison(">", entropy, Const(2.0)) == (two < entropy)
    assert Const(4.0) == Const(2.0) * two == two * Const(2.0)


def tensor(value):
    return pytest.importorskip("torch").tensor(value)


REFUSED = {
    "array": lambda: np.array([0.5, 1.0]),
    "0-d array": lambda: np.array(0.5),
    "whole array": lambda: np.arange(3),
    "object array": lambda: np.array([entropy], object),
    "tensor": lambda: tensor([0.5, 1.0]),
    "0-d tensor": lambda: tensor(0.5),
    "bfloat16": lambda: ml_dtypes.bfloat16(0.5),
    "bool": lambda: True,
    "numpy bool": lambda: np.True_,
    "text": lambda: "0.5",
    "None": lambda: None,
    "list": lambda: [0.5],
    "complex": lambda: 0.5j,
    "decimal": lambda: Decimal("0.5"),
    "comparison": lambda: entropy < 1,
    "policy": lambda: Policy("entropy"),
    "nan": lambda: float("nan"),
    "inf": lambda: float("inf"),
    "numpy nan": lambda: np.float32("nan"),
    "huge": lambda: 10**400,
}


@pytest.mark.parametrize("what", REFUSED)
@pytest.mark.parametrize("apply", OPERATORS + COMPARISONS, ids=lambda function: function.__name__)
def test_anything_else_is_refused_from_either_side(apply, what):
    other = REFUSED[what]()

    with pytest.raises(PolicyError):
        apply(entropy, other)
    if what != "comparison":
        with pytest.raises(PolicyError):
            apply(other, entropy)


@pytest.mark.parametrize("apply", OPERATORS, ids=lambda function: function.__name__)
def test_a_comparison_does_not_compute(apply):
    with pytest.raises(PolicyError, match=r"is a comparison, not a number: write `where"):
        apply(1 + entropy, entropy < 1)


def test_an_array_is_told_to_use_a_parameter():
    with pytest.raises(PolicyError, match=r"ndarray was given.*use a parameter, and bind it"):
        np.array([1.0]) * entropy


def test_the_power_of_other_languages_is_refused():
    for mistake in (lambda: entropy ^ 2, lambda: 2 ^ entropy):
        with pytest.raises(PolicyError, match=r"write `\*\*`"):
            mistake()


@pytest.mark.parametrize(
    "mistake",
    [
        lambda: bool(entropy),
        lambda: bool(entropy < 1),
        lambda: 0 < entropy < 1,
        lambda: entropy < 1 and max_prob < 1,
        lambda: not entropy,
        lambda: 1 if entropy > 1 else 2,
        lambda: min(entropy, 0.5),
        lambda: max(0.5, entropy),
        lambda: sorted([entropy, max_prob]),
    ],
    ids=["bool", "bool of comparison", "chain", "and", "not", "if", "min", "max", "sorted"],
)
def test_what_asks_for_a_truth_value_is_told_the_right_spelling(mistake):
    with pytest.raises(PolicyError, match=r"has no truth value.*where\(entropy < 1, x, y\).*dyntemp.functions.min"):
        mistake()


def test_constants_fold():
    x = Const(2.0)

    assert Const(4.0) == x + 2 == x * 2 == x**2 == 6 - x == 8 / x
    assert Const(-2.0) == -x == -(+x)
    assert Const(0.7310585786300049) == f.sigmoid(1)
    assert Const(1.0) == f.min(1, 2, 3) == f.clip(0, 1, 2) == f.lerp(0, 2, 0.5)
    assert Binary("*", Const(6.0), entropy) == x * 3 * entropy


@pytest.mark.parametrize("text", ["1/0", "0/0", "1e+308*10", "(-1)**0.5", "exp(1000)", "log(0)", "log(-1)", "0**-1"])
def test_constants_without_a_finite_value_stay_as_written(text):
    assert not isinstance(parse(text), Const)
    assert str(parse(text)).replace(" ", "") == text


def test_equality_is_of_structure_and_nothing_is_reordered():
    assert 0.1 + entropy == parse("0.1 + entropy")
    assert 0.1 + entropy != entropy + 0.1
    assert entropy != max_prob
    assert entropy != "entropy"
    assert quantile(0.5) != quantile(0.25)
    assert param("a") != param("a", 0, 1)
    assert Const(1) == Const(1.0)
    assert Negate(entropy) == -entropy
    assert entropy + 1 != parse("entropy + 2")


def test_equal_expressions_have_equal_hashes():
    left, right = parse("0.1 + 0.8*entropy"), 0.1 + 0.8 * entropy

    assert hash(left) == hash(right)
    assert {left: 1}[right] == 1
    assert {entropy < 1, entropy < 1} == {entropy < 1}


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))],
                         ids=["copy", "deepcopy", "pickle"])  # fmt: skip
@pytest.mark.parametrize(
    "node",
    [Const(0.5), param("a", 0, 1), entropy, quantile(0.5), -entropy, 0.1 + entropy, f.ema(entropy, 0.9), entropy < 1,
     given("kl", 0, 1)],
    ids=str,
)  # fmt: skip
def test_copies_are_equal_and_can_be_used(again, node):
    copied = again(node)

    assert node == copied
    assert hash(node) == hash(copied)
    assert (node.depth, node.size) == (copied.depth, copied.size)
    f.where(copied, 1, 2) if isinstance(copied, Comparison) else copied + 1


def test_nodes_do_not_change():
    with pytest.raises(AttributeError):
        entropy.name = "max_prob"
    with pytest.raises((AttributeError, TypeError)):
        entropy.other = 1


def test_depth_has_a_limit_in_python_too():
    expression = entropy
    for _ in range(MAX_DEPTH - 1):
        expression = -expression
    assert expression.depth == MAX_DEPTH

    with pytest.raises(PolicyError, match="at most 1000 parts and a depth of 100"):
        -expression  # noqa: B018


def test_size_counts_what_is_shared_as_often_as_it_occurs():
    expression = entropy
    with pytest.raises(PolicyError, match="1023 parts nested 10 deep"):
        for _ in range(40):
            expression = expression + expression

    assert expression.size <= MAX_SIZE


def test_walk_visits_every_part_before_its_children():
    assert [str(node) for node in walk(parse("a*(b + 1)"))] == ["a*(b + 1)", "a", "b + 1", "b", "1"]


def test_parameters_are_found_in_order_with_one_range_each():
    assert list(parameters_of(parse("c*entropy + a + c"))) == ["c", "a"]
    with pytest.raises(PolicyError, match="'a' occurs with two ranges"):
        parameters_of(parse("a + param('a', 0, 1)"))


def test_parameters_inside_a_signal_are_found():
    assert list(parameters_of(parse("temperature_for_entropy(a*entropy)"))) == ["a"]


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        (("theta",), "needs a range"),
        (("a", 1), "one end of a range"),
        (("a", None, 1), "one end of a range"),
        (("a", 2, 1), "empty range 2 to 1"),
        (("a", 1, 1), "empty range"),
        (("a", 0, entropy), "must be two numbers"),
        (("a", 0, np.array(1)), "ndarray was given"),
        (("a b", 0, 1), "letters, digits and _"),
        (("1a", 0, 1), "letters, digits and _"),
        (("", 0, 1), "letters, digits and _"),
        (("é",), "letters, digits and _"),
        ((3, 0, 1), "letters, digits and _"),
    ],
)
def test_param_checks_its_name_and_range(arguments, fragment):
    with pytest.raises(PolicyError, match=fragment):
        param(*arguments)


@pytest.mark.parametrize("name", ["a", "Z", "k1", "T0", "x12"])
def test_one_letter_and_digits_need_no_range(name):
    assert Parameter(name) == param(name) == parse(name)


def test_lift_keeps_expressions_and_wraps_numbers():
    assert lift(entropy) is entropy
    assert Const(0.1) == lift(0.1)
    assert lift(np.float32(0.1)).value == float(np.float32(0.1))
