"""A policy to settings, and back."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.convert.formulas import WHOLE, exponents, rows, temperatures_of

from dyntemp import Policy
from dyntemp.convert import PROGRAMS, ConversionError, Curve, from_settings, table, to_settings
from dyntemp.convert.programs import filter_table
from dyntemp.distribution.filters import Filters

REFUSED = [
    ("llama.cpp", "1.3 - normalized_entropy", {}, "lets it only rise"),
    ("textgen-llama.cpp", "1.3 - normalized_entropy", {}, "lets it only rise"),
    ("exllamav2", "1.3 - normalized_entropy", {}, "lets it only rise"),
    ("sillytavern", "1.3 - normalized_entropy", {}, "lets it only rise"),
    ("exllamav3", "0.3 + normalized_entropy", {}, "ignores them with a warning"),
    ("vllm", "0.3 + normalized_entropy", {}, "no dynamic one"),
    ("transformers", "0.3 + normalized_entropy", {}, "no dynamic one"),
    ("openai", "0.3 + normalized_entropy", {}, "no dynamic one"),
    ("vllm", "2.5", {}, "takes temperatures up to 2"),
    ("vllm", "0.005", {}, "raises a temperature below 0.01"),
    ("aphrodite", "0.005", {}, "raises a temperature below 0.01"),
    ("exllamav2", "0.005", {}, "below 0.01 as greedy"),
    ("aphrodite", "1e-6*normalized_entropy", {}, "as off"),
    (
        "llama.cpp",
        "0.3 + normalized_entropy",
        {"min_p": 0.1},
        "would measure the entropy over what min_p leaves",
    ),
    ("exllamav2", "0.3 + normalized_entropy", {"top_k": 5}, "convert without filters"),
    ("vllm", "0.7", {"min_p": 0.1}, "vllm has the order temperature, min_p: convert"),
    ("openai", "0.7", {"top_k": 5}, "has neither top_k nor min_p"),
]


@pytest.mark.parametrize(("program", "policy", "filters", "reason"), REFUSED)
def test_what_a_program_cannot_do_is_refused_with_the_reason(program, policy, filters, reason):
    with pytest.raises(ConversionError) as error:
        to_settings(program, policy, **filters)
    assert reason in str(error.value)


DYNAMIC = [name for name in PROGRAMS if name not in ("exllamav3", "vllm", "transformers", "openai")]
TURNING = ["koboldcpp", "textgen", "aphrodite"]
decimals = st.floats(0.02, 2).map(lambda x: round(x, 4))


def equivalent(row, one, other):
    return float(temperatures_of(row, one)) == pytest.approx(float(temperatures_of(row, other)), rel=1e-12, abs=1e-15)


@given(program=st.sampled_from(DYNAMIC), row=rows, low=decimals, high=decimals, exponent=exponents)
def test_there_and_back_is_the_same_temperature(program, row, low, high, exponent):
    if high < low and program not in TURNING:
        low, high = high, low
    policy = Curve(low, high, exponent).policy()
    settings = to_settings(program, policy)
    found = from_settings(program, settings.fields)

    assert equivalent(row, policy, found.policy)
    assert settings.exact is found.exact or program == "koboldcpp"  # its flat curves are exact among 3,000
    assert not found.not_temperature


@given(program=st.sampled_from(list(PROGRAMS)), row=rows, t=st.one_of(st.just(0.0), decimals))
def test_one_temperature_goes_there_and_back(program, row, t):
    found = from_settings(program, to_settings(program, t).fields)

    assert equivalent(row, Policy(t), found.policy)


FILTER_CHOICES = st.fixed_dictionaries({
    "top_k": st.sampled_from([0, 1, 40]), "top_p": st.sampled_from([1.0, 0.9]), "min_p": st.sampled_from([0.0, 0.1]),
    "filter_at": st.sampled_from(["model", "temperature"]),
})  # fmt: skip


@given(program=st.sampled_from(list(PROGRAMS)), row=rows, low=decimals, dynamic=st.booleans(), filters=FILTER_CHOICES)
def test_filters_go_there_and_back(program, row, low, dynamic, filters):
    policy = Curve(low, low + 0.5 if dynamic else low).policy()
    try:
        settings = to_settings(program, policy, **filters)
    except ConversionError:
        return
    found = from_settings(program, settings.fields)
    ours = Filters(filters["top_k"], filters["top_p"], filters["min_p"], filters["filter_at"])
    if settings.exact:
        assert found.exact or program == "koboldcpp"
        temperature = float(temperatures_of(row, policy))
        np.testing.assert_array_equal(ours.mask(row, temperature), found.filters.mask(row, temperature))


@given(decimals, decimals, exponents)
def test_settings_come_back_as_they_were(t, d, e):
    """Up to what they mean: a range beyond the temperature reaches down to 0, and comes back as such."""
    sent = {"temperature": t, "dynatemp_range": min(t, d), "dynatemp_exponent": e, **WHOLE}
    back = to_settings("llama.cpp", from_settings("llama.cpp", sent).policy).fields
    low, high = min(t, d), max(t, d)
    for program, names in (("textgen", ("dynatemp_low", "dynatemp_high", "dynatemp_exponent")),
                           ("exllamav2", ("min_temp", "max_temp", "temp_exponent")),
                           ("aphrodite", ("dynatemp_min", "dynatemp_max", "dynatemp_exponent"))):  # fmt: skip
        assume(low < high)
        switches = {"textgen": {"dynamic_temperature": True}}.get(program, {})
        there = from_settings(program, {**dict(zip(names, (low, high, e), strict=True)), **switches})
        fields = to_settings(program, there.policy).fields
        assert (low, high, e) == tuple(fields[name] for name in names)

    assert sent == {name: back[name] for name in sent}


def test_the_page_holds_the_table():
    page = (Path(__file__).parents[2] / "docs" / "convert.md").read_text(encoding="utf-8")
    lines = table()

    assert "\n".join(lines) in page, (
        'write the lines of `python -c "from dyntemp.convert import table; print(*table(), sep=chr(10))"`'
    )
    assert len(PROGRAMS) == len(lines) - 2 == len(filter_table()) - 2
    assert "\n".join(filter_table()) in page, "write the lines of `dyntemp.convert.programs.filter_table()`"
