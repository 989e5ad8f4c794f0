"""Policies that an engine can compute by itself are recognised, others are refused with the reason."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.convert.formulas import WHOLE

from dyntemp import Policy, PolicyError
from dyntemp.convert import PROGRAMS, ConversionError, Curve, curve_of, from_settings, to_settings
from dyntemp.methods import METHODS

RECOGNISED = [
    ("0.7", Curve(0.7, 0.7)),
    ("0.3 + normalized_entropy", Curve(0.3, 1.3)),
    ("normalized_entropy", Curve(0, 1)),
    ("lerp(0.3, 1.3, normalized_entropy**1.5)", Curve(0.3, 1.3, 1.5)),
    ("1.3 - normalized_entropy", Curve(1.3, 0.3)),
    ("0.1 + 0.8*sqrt(normalized_entropy)", Curve(0.1, 0.9, 0.5)),
    ("0.1 + normalized_entropy*normalized_entropy/4", Curve(0.1, 0.35, 2)),
    ("(2*normalized_entropy)**2 + 0.5", Curve(0.5, 4.5, 2)),
    ("clip(0.3 + normalized_entropy, 0.05, 2)", Curve(0.3, 1.3)),
    ("max(0.3 + normalized_entropy, 0.3)", Curve(0.3, 1.3)),
    ("min(5, 0.3 + normalized_entropy, 1.3)", Curve(0.3, 1.3)),
    ("clip(0.3 + normalized_entropy, 1.5, 2)", Curve(1.5, 1.5)),
    ("max(0.2, -(-0.3 - normalized_entropy))", Curve(0.3, 1.3)),
    ("normalized_entropy**0 + 0.5", Curve(1.5, 1.5)),
    ("0.3 + normalized_entropy/2 + normalized_entropy/2", Curve(0.3, 1.3)),
    ("0.5 + normalized_entropy - normalized_entropy", Curve(0.5, 0.5)),
    ("lerp(0.3 + normalized_entropy, 0.3, 0.5)", Curve(0.3, 0.8)),
    ("1 + sqrt(normalized_entropy**3)", Curve(1, 2, 1.5)),
    ("(0.5 + 0*normalized_entropy)**2", Curve(0.25, 0.25)),
]


@pytest.mark.parametrize(("policy", "curve"), RECOGNISED)
def test_policies_of_the_shape_are_recognised_however_they_are_written(policy, curve):
    found = curve_of(Policy(policy))

    assert curve == found
    for h in np.linspace(0, 1, 21):
        ours = float(Policy(policy).step({"normalized_entropy": [h], "support": [9]})[0])
        assert ours == pytest.approx(found.low + (found.high - found.low) * h**found.exponent, rel=1e-12)


texts = st.recursive(
    st.one_of(st.just("normalized_entropy"), st.sampled_from(["0", "0.3", "1", "2", "-0.5", "1e-3"])),
    lambda inner: st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from(["+", "-", "*", "/", "**"]), inner),
        st.builds("{}({}, {})".format, st.sampled_from(["min", "max"]), inner, inner),
        st.builds("lerp({}, {}, {})".format, inner, inner, inner),
        st.builds("clip({}, 0.1, 2)".format, inner),
        st.builds("sqrt(abs({}))".format, inner),
        st.builds("sqrt({})".format, inner),
        st.builds("-{}".format, inner),
    ),
    max_leaves=8,
)


def test_whatever_is_recognised_has_the_temperatures_of_its_curve():
    recognised = curved = 0

    @given(texts)
    def check(text):
        nonlocal recognised, curved
        try:
            policy = Policy(text)
            found = curve_of(policy)
        except (PolicyError, ConversionError):
            return
        recognised += 1
        curved += not found.is_flat
        h = np.linspace(0.01, 1, 12)
        ours = policy.step({"normalized_entropy": h, "support": np.full(12, 9.0)})
        theirs = found.low + (found.high - found.low) * h**found.exponent
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)

    check()
    assert recognised > 40
    assert curved > 10


OTHERS = [
    ("0.5 - 0.4*max_prob", "reads `max_prob`"),
    ("0.1 + 0.8*entropy", "reads `entropy`"),
    ("requested*0.5", "reads `requested`"),
    ("ema(normalized_entropy, 0.5)", "remembers"),
    ("0.1 + surprisal", "remembers"),
    ("a + normalized_entropy", "has the free parameter `a`"),
    ('param("a", 0.1, 1) + normalized_entropy', "has the free parameter `a`"),
    ("clip(normalized_entropy, 0.05, 2)", "is cut off below"),
    ("max(normalized_entropy - 0.5, 0)", "is cut off below"),
    ("clip(0.5 + normalized_entropy, 0.05, 1)", "is cut off above"),
    ("exp(normalized_entropy)", "computes `exp(normalized_entropy)`"),
    ("where(normalized_entropy < 0.5, 0, 1)", "computes `where("),
    ("normalized_entropy + normalized_entropy**2", "adds different powers"),
    ("(0.5 + normalized_entropy)**2", "raises a sum to a power"),
    ("(0.5 + normalized_entropy)*normalized_entropy", "multiplies the entropy with itself"),
    ("1/(0.5 + normalized_entropy)", "divides by the entropy"),
    ("2**normalized_entropy", "has the entropy in an exponent"),
    ("max(1 - normalized_entropy, normalized_entropy)", "is cut off below"),
    ("(0*normalized_entropy)**-1", "beyond what a number can hold"),
    ("(1e300*normalized_entropy)**100", "beyond what a number can hold"),
]


@pytest.mark.parametrize(("policy", "reason"), OTHERS)
def test_other_policies_are_refused_with_the_reason(policy, reason):
    for program in PROGRAMS:
        with pytest.raises(ConversionError) as error:
            to_settings(program, policy)
        assert reason in str(error.value)


def test_of_the_published_policies_those_are_native_that_are_of_the_shape():
    native = set()
    for name, method in METHODS.items():
        try:
            to_settings("llama.cpp", method.make())
        except ConversionError:
            continue
        native.add(name)

    programs = {"dynatemp_aphrodite", "dynatemp_sillytavern", "dynatemp_textgen"}  # which count no masked entries
    assert {"below_one", "default", "static", "dynatemp"} | programs == native


def test_a_floor_that_the_program_keeps_itself_says_nothing_new():
    assert 2 == to_settings("aphrodite", "max(lerp(0, 2, normalized_entropy), 1e-5)").fields["dynatemp_max"]
    with pytest.raises(ConversionError, match="is cut off below"):
        to_settings("aphrodite", "max(lerp(0, 2, normalized_entropy), 1e-4)")
    with pytest.raises(ConversionError, match="is cut off below"):
        to_settings("llama.cpp", "max(lerp(0, 2, normalized_entropy), 1e-5)")
    with pytest.raises(ConversionError, match="would go below 0"):
        to_settings("aphrodite", "max(normalized_entropy - 0.5, 1e-5)")
    with pytest.raises(ConversionError, match="is cut off below"):
        to_settings("aphrodite", "2*max(normalized_entropy, 1e-5)")


def test_the_numbers_of_llama_cpp():
    fields = to_settings("llama.cpp", "lerp(0.3, 1.3, normalized_entropy**1.5)").fields

    assert (0.8, 0.5, 1.5) == tuple(fields[name] for name in ("temperature", "dynatemp_range", "dynatemp_exponent"))
    assert (0, 1.0, 0.0) == tuple(fields[name] for name in WHOLE)
    greedy = to_settings("llama.cpp", "0").fields
    assert (0.0, 0.0) == (greedy["temperature"], greedy["dynatemp_range"])


@given(st.floats(0, 1e6), st.floats(0, 1e6))
@example(0.8, 0.5)
@example(1e-300, 1e6)
def test_a_curve_around_a_temperature_has_it_in_the_middle(t, d):
    curve = Curve.around(t, d)

    assert 0 <= curve.low <= curve.high
    assert curve.high == pytest.approx(t + d, rel=1e-15)
    if d <= t:
        assert (t, d) == pytest.approx((curve.temperature, curve.reach), rel=1e-12, abs=1e-10 * t)


WRITTEN = [
    ("textgen", {"temperature": 0.7, "dynamic_temperature": True, "dynatemp_low": 0.1, "dynatemp_high": 1.5},
     "lerp(0.07, 1.05, normalized_entropy)"),
    ("exllamav2", {"temperature": 0.7, "min_temp": 0.1, "max_temp": 1.5}, "lerp(0.07, 1.05, normalized_entropy)"),
    ("exllamav2", {"temperature": 1.1, "min_temp": 0.1, "max_temp": 1.1}, "lerp(0.11, 1.21, normalized_entropy)"),
    ("llama.cpp", {"temperature": 1.1, "dynatemp_range": 0.7}, "lerp(0.4, 1.8, normalized_entropy)"),
    ("koboldcpp", {"temperature": 0.3, "dynatemp_range": -0.2}, "lerp(0.5, 0.1, normalized_entropy)"),
    ("textgen-llama.cpp", {"dynamic_temperature": True, "dynatemp_low": 0.1, "dynatemp_high": 0.3},
     "lerp(0.1, 0.3, normalized_entropy)"),
    ("llama.cpp", {"temperature": 0.06999999999999999}, "0.06999999999999999"),  # the given number stays
]  # fmt: skip


@pytest.mark.parametrize(("program", "settings", "policy"), WRITTEN)
def test_numbers_that_are_computed_are_those_that_a_person_would_write(program, settings, policy):
    assert policy == str(from_settings(program, settings).policy)


SENT = [
    ("llama.cpp", "0.1*0.7 + (1.5 - 0.1)*0.7*normalized_entropy", {"temperature": 0.56, "dynatemp_range": 0.49}),
    ("llama.cpp", "lerp(0.1*0.7, 1.5*0.7, normalized_entropy)", {"temperature": 0.56, "dynatemp_range": 0.49}),
    ("aphrodite", "lerp(0.1*0.7, 1.5*0.7, normalized_entropy)", {"dynatemp_min": 0.07, "dynatemp_max": 1.05}),
    ("aphrodite", "0.3 - 0.1 + (0.1*normalized_entropy)**2", {"dynatemp_min": 0.2, "dynatemp_max": 0.21}),
    ("textgen", "1.1*1.1", {"temperature": 1.21}),
    ("sillytavern", "lerp(0.1*0.7, 1.5*0.7, normalized_entropy)", {"temp": 0.56, "min_temp": 0.07, "max_temp": 1.05}),
    ("vllm", "0.12345678901234567", {"temperature": 0.12345678901234566}),  # a double of as many digits
]


@pytest.mark.parametrize(("program", "policy", "fields"), SENT)
def test_numbers_that_are_sent_are_those_that_a_person_would_write(program, policy, fields):
    written = to_settings(program, policy).fields

    assert fields == {name: written[name] for name in fields}


def test_options_hold_every_digit():
    flags = " ".join(to_settings("llama.cpp", "0.12345678901234567").flags)
    assert "--temp 0.12345678901234566 --dynatemp-range 0 --dynatemp-exp 1 --top-k 0 --top-p 1" in flags


@given(st.floats(1e-6, 1e3), st.floats(1e-6, 1e3))
def test_a_constant_moves_by_four_units_in_the_last_place_at_most(one, other):
    product = one * other
    assert abs(curve_of(Policy(product)).high - product) <= 4 * np.spacing(product)


def test_a_range_that_falls_with_an_exponent_below_0_is_refused():
    sent = {"dynamic_temperature": True, "dynatemp_low": 2, "dynatemp_high": 0.5, "dynatemp_exponent": -1}
    with pytest.raises(ConversionError, match="go below 0 where the entropy is low"):
        from_settings("textgen", sent)
    with pytest.raises(ConversionError, match="go below 0 where the entropy is low"):
        from_settings("sillytavern", {"dynatemp": True, "min_temp": 2, "max_temp": 0.5, "dynatemp_exponent": -1})


def test_aphrodite_is_said_to_raise_what_is_below_its_least_temperature():
    assert any(
        "raises a temperature below 1e-5" in note for note in to_settings("aphrodite", "normalized_entropy").notes
    )
