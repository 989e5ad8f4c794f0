"""The bounds of a policy: every rule, every refusal with its fix, and how tight the bounds are."""

import re
from math import exp, inf, log, tanh

import numpy as np
import pytest
from tests.work import calls

from dyntemp import Policy, PolicyError, param
from dyntemp import functions as f
from dyntemp.language.bounds import MAX_WORK, bounds, ranges_of
from dyntemp.language.interval import Interval
from dyntemp.language.parse import parse
from dyntemp.language.signals import MAX_SUPPORT
from dyntemp.signals import entropy, max_prob

LN = log(MAX_SUPPORT)

BOUNDS = [
    ("0.7", 0.7, 0.7),
    ("0.1 + 0.8*normalized_entropy", 0.1, 0.9),
    ("0.1 + 0.8*entropy", 0.1, 0.1 + 0.8 * LN),
    ("0.5 - 0.4*max_prob", 0.1, 0.5 - 0.4 / MAX_SUPPORT),
    ("max_prob/2", 0.5 / MAX_SUPPORT, 0.5),
    ("1/max_prob", 1, MAX_SUPPORT),
    ("1/entropy", 1 / LN, inf),
    ("0.8**(1/entropy)", 0, 0.8 ** (1 / LN)),
    ("0.8 * 0.8**(1.5/entropy)", 0, 0.8 * 0.8 ** (1.5 / LN)),
    ("perplexity", 1, MAX_SUPPORT),
    ("log(perplexity)", 0, LN),
    ("exp(-entropy)", 1 / MAX_SUPPORT, 1),
    ("exp(1/entropy)", exp(1 / LN), inf),
    ("sqrt(entropy)", 0, LN**0.5),
    ("log(1 + entropy)", 0, log(1 + LN)),
    ("halfcos(entropy)", 0, 1),
    ("halfcos(max_prob - 1)", 0, 0),
    ("tanh(entropy)", 0, tanh(LN)),
    ("sigmoid(entropy)", 0.5, 1 / (1 + exp(-LN))),
    ("abs(max_prob - 0.5)", 0, 0.5),
    ("min(entropy, 1)", 0, 1),
    ("max(entropy, 1)", 1, LN),
    ("clip(entropy, 0.05, 2)", 0.05, 2),
    ("clip(1/entropy, 0.05, 2)", 1 / LN, 2),
    ("lerp(0.3, 1.3, normalized_entropy)", 0.3, 1.3),
    ("lerp(1.3, 0.3, normalized_entropy)", 0.3, 1.3),
    ("where(max_prob < 0.3, 0, 0.7)", 0, 0.7),
    ("where(max_prob < 0.3, 1/entropy, 0.7)", 1 / LN, inf),
    ("ema(entropy, 0.9)", 0, LN),
    ("prev(max_prob)", 1 / MAX_SUPPORT, 1),
    ("0.7 + integral(0.1*(2.5 - surprisal), -0.5, 0.8)", 0.2, 1.5),
    ("surprisal/50", 0, 1),
    ("requested", 0, 3.4e38),
    ("min(position, 5)", 0, 5),
    ('given("kl", 0, 20)/10', 0, 2),
    ("quantile(0.5)", 0, 1),
    ("support", 1, MAX_SUPPORT),
    ("varentropy", 0, log(MAX_SUPPORT - 1) ** 2 / 4 + 1),
    ("margin", 0, 1),
    ("collision", 1 / MAX_SUPPORT, 1),
    ("top_mass(4)", 4 / MAX_SUPPORT, 1),
    ("temperature_for_entropy(0.85*entropy)", 0, inf),
    ("exp(1000)", inf, inf),
    ("normalized_entropy**2", 0, 1),
    ("(normalized_entropy - 0.5)**2", 0, 0.25),
    ("2**-entropy", 2**-LN, 1),
    ("param('a', 0.1, 2)", 0.1, 2),
    ("param('a', 0, 1)*entropy", 0, LN),
]  # fmt: skip


@pytest.mark.parametrize(("text", "low", "high"), BOUNDS, ids=[text for text, _, _ in BOUNDS])
def test_bounds(text, low, high):
    found = Policy(text).bounds()

    assert (low, high) == pytest.approx(tuple(found), rel=1e-13, abs=1e-300)


REFUSED = [
    ("0.3 - 0.4*max_prob", "can reach a temperature of -0.1 (at max_prob = 1): add `clip(..., 0.05, 2)` or floor="),
    ("entropy - 1", "can reach a temperature of -1 (at entropy = 0)"),
    ("-0.5", "can reach a temperature of -0.5"),
    ("where(max_prob < 0.3, -1, 0.7)", "can reach a temperature of -1"),
    ("entropy/entropy", "can reach 0/0"),
    ("max_prob/entropy - max_prob/entropy", "can reach inf - inf, which has no value: limit what grows without end"),
    ("1/entropy - 1/entropy", "can reach inf - inf"),
    ("entropy/log(support)", "write `normalized_entropy`, which is 0 where the support is 1"),
    ("0.3 + entropy/log(support)", "write `normalized_entropy`"),
    ("margin*(1/entropy)", "can reach 0 * inf, which has no value: limit what grows"),
    ("(1/entropy)*margin", "can reach 0 * inf"),
    ("(0.5 + max_prob)**(1/entropy)", "can reach 1**inf, which has no value: limit the base or the exponent"),
    ("max_prob**(1/entropy)", "can reach 1**inf"),
    ("(1/entropy)**margin", "can reach inf**0"),
    ("(1/entropy)/(1/margin)", "can reach inf/inf"),
    ("(entropy - 1)**0.5", "a negative number raised to what is not a whole number"),
    ("-1/entropy", "a negative number over 0"),
    ("1/(entropy - 1)", "keep the divisor away from zero, such as `max(entropy - 1, 1e-3)`"),
    ("1/(0 - entropy)", "either sign"),
    ("(0 - entropy)**-1", "either sign"),
    ("log(entropy - 1)", "its argument may be -1, below 0: keep it from going below, as in `max(..., 0)`"),
    ("sqrt(max_prob - 1)", "below 0"),
    ("log(entropy) - log(margin)", "can reach inf - inf"),
    ("log(entropy)*0", "can reach 0 * inf"),
    ("log(-1)", "below 0"),
    ("0/0", "can reach 0/0"),
    ("0**-1*0", "can reach 0 * inf"),
    ("1/0 - 1/0", "can reach inf - inf"),
    ("clip(entropy, max_prob, 0.5)", "its low end may be 1, above its high end of 0.5: keep low below high"),
    ("integral(max_prob, entropy, 1)", "its low end may be 13.8629, above its high end of 1"),
    ("integral(1/entropy, 0, 1)", "it sums what may be infinite: limit what it sums"),
    ("ema(entropy, 1.5)", "its decay may be 1.5: write a decay from 0 to 1"),
    ("ema(entropy, entropy)", "its decay may be 13.8629"),
    ("ema(entropy, -0.1)", "its decay may be -0.1"),
    ("ema(1/entropy, 0)", "can reach 0 * inf"),
    ("ema(1/entropy, 1)", "can reach 0 * inf"),
    ("ema(1/entropy, max_prob)", "can reach 0 * inf"),
    ("ema(log(margin) + where(margin < 1, 1, 2), 0.5)", "may reach a temperature of -inf"),
    ("ema(where(margin < 1, 1/margin, log(margin)), 0.5)", "can reach inf - inf"),
    ("where(log(entropy - 1) < 0, 1, 2)", "below 0"),
    ("lerp(0, 1/entropy, margin)", "can reach 0 * inf"),
    ("temperature_for_entropy(log(entropy - 1))", "below 0"),
    ("temperature_for_entropy(0/0)", "can reach 0/0"),
    ("max(0/0, 1)", "can reach 0/0"),
    ("where(1 < 2, 1, 0/0)", "can reach 0/0"),
    ("param('a', -1, 1)", 'can reach a temperature of -1 (at param("a", -1, 1) = -1)'),
    ("param('a', 0, 1) + param('b', -2, 0)*entropy", "may reach a temperature of -27.7"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "fragment"), REFUSED, ids=[text for text, _ in REFUSED])
def test_refused_with_the_fix(text, fragment):
    with pytest.raises(PolicyError, match=re.escape(fragment)):
        Policy(text)


@pytest.mark.parametrize(
    "text",
    ["1/entropy", "0.8**(1/entropy)", "exp(-(1/entropy))", "1/(entropy**2)", "1/(1 - margin)", "max_prob/entropy",
     "log(entropy)**2", "1/abs(entropy - 1)", "0**entropy", "entropy**0", "(0 - entropy)**2", "(0*(entropy - 20))**-1",
     "ema(1/entropy, 0.5)", "prev(1/entropy)", "min(1/entropy, 2)", "tanh(1/entropy)", "sigmoid(log(entropy))",
     "-(-entropy)", "0.3 + 1/(2/entropy)"],
)  # fmt: skip
def test_infinities_with_a_value_are_allowed(text):
    Policy(text)


def evaluate(text, h):
    return float(Policy(text).step({"entropy": [h]})[0])


def test_arithmetic_is_on_the_extended_reals():
    assert evaluate("1/entropy", 0.0) == inf
    assert evaluate("0.8**(1/entropy)", 0.0) == 0.0
    assert evaluate("1/(1/entropy)", 0.0) == 0.0
    assert evaluate("0**entropy", 0.0) == 1.0
    assert evaluate("exp(-(1/max(entropy, 0)))", 0.0) == 0.0


def test_a_zero_has_no_sign():
    """1/-0.0 and (-0.0)**-1 would be -inf: a temperature below any bound."""
    assert evaluate("1/(0*(entropy - 20))", 0.0) == inf
    assert evaluate("(0*(entropy - 20))**-1", 0.0) == inf
    assert evaluate("(0*(entropy - 20))**-3", 0.0) == inf
    assert Interval(inf, inf) == Policy("(0*(entropy - 20))**-1").bounds()
    assert not np.signbit(Policy("0*(entropy - 20)").step({"entropy": [1.0]}))


class TestSupport:
    def test_narrows_the_signals(self):
        assert Policy("entropy").bounds(2) == pytest.approx((0, log(2)))
        assert Policy("max_prob").bounds(4) == (0.25, 1)
        assert Policy("median_prob").bounds(49152) == pytest.approx((0, 1 / 24576))
        assert Policy("support").bounds(49152) == (49152, 49152)
        assert Policy("normalized_entropy").bounds(1) == (0, 0)
        assert Policy("perplexity").bounds(8) == pytest.approx((1, 8))

    def test_does_not_change_the_bounds_of_what_does_not_depend_on_it(self):
        policy = Policy("0.1 + 0.8*normalized_entropy")

        assert policy.bounds(2) == policy.bounds() == policy.bounds(MAX_SUPPORT)

    def test_of_any_size_lies_within_the_default(self):
        for text in ("0.1 + entropy*max_prob", "median_prob + collision", "top_mass(3)/max_prob", "log(perplexity)"):
            low, high = Policy(text).bounds()
            for support in (1, 2, 3, 100, 49152, MAX_SUPPORT):
                inner = Policy(text).bounds(support)

                assert low <= inner.low <= inner.high <= high

    @pytest.mark.parametrize("support", [0, -1, MAX_SUPPORT + 1, 2.5, "8", float("nan")])
    def test_outside_what_a_row_can_have_is_refused(self, support):
        with pytest.raises(PolicyError, match="rows have 1 to 1048576 unmasked entries"):
            Policy("entropy").bounds(support)

    def test_may_be_a_numpy_number(self):
        assert Policy("entropy").bounds(np.int64(8)) == Policy("entropy").bounds(8)


class TestSubdivision:
    def test_a_repeated_signal_is_not_two_signals(self):
        low, high = Policy("0.01 + normalized_entropy*(1 - normalized_entropy)").bounds()

        assert 0.26 <= high < 0.27  # the truth is 0.26, without splitting it is 1.01
        assert low == 0.01

    def test_of_entropy(self):
        low, high = Policy("entropy*(14 - entropy)").bounds()

        assert low == 0
        assert 49 <= high < 51

    def test_makes_policies_acceptable_that_plain_intervals_refuse(self):
        Policy("1 + normalized_entropy**2 - normalized_entropy")

        with pytest.raises(PolicyError, match=r"negative|temperature of"):
            Policy("0.1 + normalized_entropy**2 - normalized_entropy")

    def test_of_parameters(self):
        low, high = Policy("param('a', 0, 1)*(1 - param('a', 0, 1))").bounds()

        assert low == 0
        assert 0.25 <= high < 0.27

    def test_leaves_what_is_remembered_whole(self):
        """The average may be of other rows: both ends of it meet both ends of the entropy now."""
        low, high = Policy("ema(entropy, 0.9)*entropy").bounds()

        assert low == 0
        assert high == pytest.approx(LN**2)
        assert Policy("prev(entropy)*(14 - entropy)").bounds().high == pytest.approx(LN * 14)
        with pytest.raises(PolicyError, match="temperature of -13"):
            Policy("entropy - prev(entropy)")

    def test_of_an_unbounded_range_is_left_out(self):
        assert Policy("temperature_for_entropy(1) + temperature_for_entropy(1)").bounds() == (0, inf)

    def test_of_a_range_wider_than_float64_is_left_out(self):
        x = 'given("x", -1e308, 1e308)'

        assert Policy(f"1 + tanh({x})*tanh({x})").bounds() == (0, 2)

    def test_encloses_the_truth_on_a_grid(self):
        grid = np.linspace(0, 1, 100_001)
        for text in ("x*(1 - x)", "x**2 - x + 1", "x**3 - 1.5*x**2 + 0.5*x + 1", "exp(x) - x", "abs(x - 0.5) + x*x",
                     "lerp(x, 1 - x, x)", "sigmoid(x)/(1 + x)"):  # fmt: skip
            policy = Policy(text.replace("exp", "EXP").replace("x", "normalized_entropy").replace("EXP", "exp"))
            values = policy.step({"normalized_entropy": grid})
            low, high = policy.bounds()

            assert low <= values.min()
            assert values.max() <= high
            assert high - low <= 1.3 * (values.max() - values.min()) + 0.05

    @pytest.mark.parametrize(("text", "low", "high"), [
        ('inside("x")*(1 - inside("x"))', 0, 0),
        ('inside("x")*(1 - inside("y"))', 0, 1),
        ('lerp(0.3, 1, inside("x"))', 0.3, 1),
        ('1/abs(2*inside("x") - 1)', 1, 1),
        ('inside("x")*0.7 + (1 - inside("x"))*(0.7 - 0.4*max_prob)*1', 0.3, 0.7),
        ('max_prob*(1 - max_prob)*inside("x") + 1 - inside("x")', 0, 1),
        ('0.2 + abs(inside("x") - prev(inside("x")))', 0.2, 1.2),
        ('ema(inside("x"), 0.5)*(1 - ema(inside("x"), 0.5))', 0, 1),
        ('integral(inside("x"), 0, 9)*(1 - inside("x"))', 0, 9),
    ])  # fmt: skip
    def test_a_zone_is_0_or_1_now_and_anything_between_once_it_is_remembered(self, text, low, high):
        found = Policy(text).bounds()

        assert found.low == pytest.approx(low, abs=1e-5)
        assert found.high == pytest.approx(high, abs=1e-5)

    @pytest.mark.parametrize("zones", [1, 5, 14, 30])
    def test_of_many_zones_takes_bounded_work(self, zones):
        text = " + ".join(f'inside("z{k}")*abs(entropy - {k})*max_prob' for k in range(zones))

        assert calls(lambda: Policy(text)) < 30 * MAX_WORK

    @pytest.mark.parametrize("signals", [1, 2, 3, 6, 12])
    def test_takes_bounded_work(self, signals):
        names = [
            "entropy",
            "max_prob",
            "margin",
            "collision",
            "varentropy",
            "median_prob",
            *(f"top_mass({k})" for k in range(1, 7)),
        ]
        text = " + ".join(f"{name}*{name}" for name in names[:signals])

        assert calls(lambda: Policy(text)) < 30 * MAX_WORK  # 11 at most when this was written
        assert MAX_WORK <= 50_000


class TestTemplates:
    def test_have_no_bounds(self):
        with pytest.raises(
            PolicyError, match=r"is a template: its parameter `a` has no value. Bind it, policy.bind\(a=0.5\)"
        ):
            Policy("a + entropy").bounds()

    @pytest.mark.parametrize(
        ("letter", "signal"), [("H", "entropy"), ("p", "max_prob"), ("T", "requested"), ("n", "support")]
    )
    def test_suggest_the_signal_that_a_letter_may_mean(self, letter, signal):
        with pytest.raises(PolicyError, match=f"if you meant the signal, write `{signal}`"):
            Policy(f"0.1 + 0.8*{letter}").bounds()

    def test_with_ranges_have_bounds(self):
        policy = Policy("param('a', 0.1, 1) + param('b', 0, 2)*normalized_entropy")

        assert policy.bounds() == (0.1, 3)
        assert policy.bind(a=0.5).bounds() == (0.5, 2.5)

    def test_are_checked_when_bound(self):
        template = Policy("a - b*max_prob")

        template.bind(a=0.5, b=0.4)
        with pytest.raises(PolicyError, match=r"temperature of -0.1"):
            template.bind(a=0.3, b=0.4)

    def test_with_one_range_missing_are_templates(self):
        with pytest.raises(PolicyError, match="its parameter `b` has no value"):
            Policy("param('a', 0, 1) + b").bounds()


def test_bounds_of_an_expression_need_no_policy():
    assert bounds(0.5 - max_prob) == pytest.approx((-0.5, 0.5), abs=1e-5)
    assert bounds(param("a", -1, 1) * 2) == (-2, 2)


def test_ranges_are_of_the_leaves():
    found = ranges_of(parse("0.1 + param('a', 0, 1)*entropy + quantile(0.5)"), 8)

    assert found[param("a", 0, 1)] == (0, 1)
    assert found[entropy] == pytest.approx((0, log(8)))
    assert len(found) == 3


def test_where_is_bounded_without_its_condition():
    assert Policy("where(max_prob > 2, 5, 1)").bounds() == (1, 5)


def test_lerp_with_moving_ends_is_enclosed():
    policy = Policy(f.lerp(entropy, 0.1, max_prob))
    low, high = policy.bounds()
    h = np.repeat(np.linspace(0, LN, 2001), 3)
    values = policy.step({"entropy": h, "max_prob": np.tile([1e-6, 0.5, 1.0], 2001)})

    assert low <= values.min()
    assert values.max() <= high
