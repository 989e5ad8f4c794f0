"""Expression -> text that parses back to an equal expression, with no more parentheses than it needs."""

import pytest

from dyntemp import Policy, param
from dyntemp import functions as f
from dyntemp.language.nodes import Binary, Const, Negate, number, to_text
from dyntemp.language.parse import parse
from dyntemp.signals import entropy, given, max_prob, median_prob, quantile, temperature_for_entropy, top_mass

a, b, c = param("a"), param("b"), param("c")

TEXTS = [
    (a, "a"),
    (Const(0.5), "0.5"),
    (Const(-0.5), "-0.5"),
    (a + b + c, "a + b + c"),
    (a + (b + c), "a + (b + c)"),
    (a - b - c, "a - b - c"),
    (a - (b - c), "a - (b - c)"),
    (a - (b + c), "a - (b + c)"),
    (a * b * c, "a*b*c"),
    (a * (b * c), "a*(b*c)"),
    (a / b / c, "a/b/c"),
    (a / (b / c), "a/(b/c)"),
    (a / (b * c), "a/(b*c)"),
    (a * (b / c), "a*(b/c)"),
    ((a + b) * c, "(a + b)*c"),
    (a * (b + c), "a*(b + c)"),
    (a + b * c, "a + b*c"),
    (a**b**c, "a**b**c"),
    ((a**b) ** c, "(a**b)**c"),
    ((a * b) ** c, "(a*b)**c"),
    (a ** (b * c), "a**(b*c)"),
    (a**-b, "a**-b"),
    (a ** -(b**c), "a**-b**c"),
    (a ** (-b) ** c, "a**(-b)**c"),
    (-a, "-a"),
    (-(-a), "--a"),  # noqa: B002
    (-(a**2), "-a**2"),
    ((-a) ** 2, "(-a)**2"),
    (-(a * b), "-(a*b)"),
    ((-a) * b, "-a*b"),
    (a * -b, "a*-b"),
    (a / -b, "a/-b"),
    (-(a / b), "-(a/b)"),
    (-(a + b), "-(a + b)"),
    (-a + b, "-a + b"),
    (a - -b, "a - -b"),
    (a + Const(-1), "a + -1"),
    (a - Const(-1), "a - -1"),
    (a * Const(-1), "a*-1"),
    (Const(-1) * a, "-1*a"),
    (a**-1, "a**-1"),
    (Const(-2) ** a, "(-2)**a"),
    (Const(2) ** a, "2**a"),
    (Const(2) ** -a, "2**-a"),
    (Negate(Const(2) ** a), "-2**a"),
    (f.exp(a + b) * c, "exp(a + b)*c"),
    (f.where(a < b, -a, c), "where(a < b, -a, c)"),
    (f.where(a + b >= -c, 1, 0), "where(a + b >= -c, 1, 0)"),
    (f.max(a, b, 1), "max(a, b, 1)"),
    (param("theta", -0.1, 2) / 2, 'param("theta", -0.1, 2)/2'),
    (param("a", 0, 1) ** 2, 'param("a", 0, 1)**2'),
    (given("kl", 0, 20) - 1, 'given("kl", 0, 20) - 1'),
    (quantile(0.25) + median_prob, "quantile(0.25) + median_prob"),
    (top_mass(5), "top_mass(5)"),
    (temperature_for_entropy(0.85 * entropy), "temperature_for_entropy(0.85*entropy)"),
    (0.5 - 0.4 * max_prob, "0.5 - 0.4*max_prob"),
    (Binary("/", Const(1), Const(0)), "1/0"),
    (Binary("**", Const(-1), Const(0.5)), "(-1)**0.5"),
]  # fmt: skip


@pytest.mark.parametrize(("expression", "text"), TEXTS, ids=[text for _, text in TEXTS])
def test_text_is_exact_and_reads_back(expression, text):
    assert text == to_text(expression)
    assert expression == parse(text)


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.0, "1"), (-1.0, "-1"), (0.0, "0"), (0.1, "0.1"), (10.0, "10"), (1e16, "1e+16"), (1e22, "1e+22"),
     (1e-5, "1e-05"),
     (5e-324, "5e-324"), (1.7976931348623157e308, "1.7976931348623157e+308"), (1 / 3, "0.3333333333333333"),
     (100000.0, "100000"), (123456789012345.0, "123456789012345")],
)  # fmt: skip
def test_numbers_are_the_shortest_that_read_back(value, text):
    assert text == number(value)
    assert Const(value) == parse(text)


def test_a_negative_constant_has_one_spelling():
    assert parse("-0.5") == -Const(0.5) == Const(-0.5)
    assert str(parse("0 - 0.5")) == "-0.5"


def test_minus_zero_prints_as_zero():
    assert str(Const(-0.0)) == "0"
    assert Const(-0.0) == Const(0.0)


def test_floor_and_ceiling_are_written_into_the_text():
    assert str(Policy(0.3 - 0.4 * max_prob, floor=0.05)) == "max(0.3 - 0.4*max_prob, 0.05)"
    assert str(Policy(entropy, floor=0.1, ceiling=2)) == "clip(entropy, 0.1, 2)"
    assert str(Policy(entropy, ceiling=2)) == "clip(entropy, 0, 2)"


def test_what_has_no_text_is_our_own_mistake():
    with pytest.raises(TypeError, match="no text for object"):
        to_text(object())
