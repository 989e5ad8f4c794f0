"""The dynamic temperature of other programs: llama.cpp's own values, and each program's rules for odd settings."""

import json
from math import inf

import numpy as np
import pytest
from scipy.stats import entropy
from tests.convert.formulas import WHOLE, softmax

from dyntemp import scale, temperatures
from dyntemp.convert import from_settings
from dyntemp.methods import METHODS
from dyntemp.methods.programs import around

PROGRAMS = {
    "llama.cpp": ("dynatemp_llama_cpp", ("temp", "dynatemp_range", "dynatemp_exponent"), (0.9, 0.6, 1.4)),
    "koboldcpp": ("dynatemp_koboldcpp", ("temperature", "dynatemp_range", "dynatemp_exponent"), (0.9, 0.6, 1.4)),
    "textgen": ("dynatemp_textgen", ("dynatemp_low", "dynatemp_high", "dynatemp_exponent"), (0.3, 1.5, 1.4)),
    "aphrodite": ("dynatemp_aphrodite", ("dynatemp_min", "dynatemp_max", "dynatemp_exponent"), (0.3, 1.5, 1.4)),
    "exllamav2": ("dynatemp_exllamav2", ("min_temp", "max_temp", "temp_exponent"), (0.3, 1.5, 1.4)),
    "sillytavern": ("dynatemp_sillytavern", ("min_temp", "max_temp", "dynatemp_exponent"), (0.3, 1.5, 1.4)),
}
SWITCHES = {"textgen": {"dynamic_temperature": True}, "exllamav2": {"temperature_last": True},
            "sillytavern": {"dynatemp": True}}  # fmt: skip
COUNTS_MASKED = {"llama.cpp", "koboldcpp", "exllamav2"}
WITHOUT_VALUES = {"A17", "A19", "A20"}
"""A17 holds no probabilities; at the exponents below 0 of the others llama.cpp draws from what an overflow leaves."""


@pytest.fixture(scope="module")
def vectors(data):
    rows = json.loads((data / "temp_ext_vectors.json").read_text(encoding="utf-8"))
    return {row["name"].split()[0]: row for row in rows}


@pytest.mark.parametrize("name", [f"A{number}" for number in range(1, 24) if f"A{number}" not in WITHOUT_VALUES])
def test_llama_cpp_gives_its_own_temperatures_and_probabilities(vectors, name):
    row = vectors[name]
    policy = METHODS["dynatemp_llama_cpp"].make(row["temp"], row["delta"], row["exponent"])
    logits = np.array(row["logits"]) / (row.get("pre_static_temp") or 1)
    probabilities = [1.0] if len(logits) == 1 else row["libllama_probs"]

    np.testing.assert_allclose(softmax(scale(logits, policy, backend="reference")), probabilities, atol=1e-7)
    if row.get("ref_T", 0) > 0 and row["delta"] > 0:
        assert row["ref_T"] == pytest.approx(float(temperatures(logits, policy, backend="reference")), rel=1e-12)


def test_aphrodite_gives_the_temperature_of_its_log():
    """Half precision; vocabulary 32,000; entropy 0.0753, share 0.0073, from 0.8 to 1.2: T = 0.8027."""
    policy = METHODS["dynatemp_aphrodite"].policy(dynatemp_min=0.8, dynatemp_max=1.2)
    found = policy.step({"normalized_entropy": [0.0753 / np.log(32_000)]})

    assert found == pytest.approx(0.8029, abs=1e-4)
    assert float(found[0]) == pytest.approx(0.8027, abs=3e-4), "its share is rounded to half precision"
    assert 1e-5 == temperatures(np.array([9.0]), METHODS["dynatemp_aphrodite"].policy(dynatemp_min=0))


def test_the_named_program_is_that_of_the_formula_and_of_the_conversion():
    rng = np.random.default_rng(1)
    for _ in range(200):
        row = rng.normal(0, rng.uniform(0.3, 5), rng.integers(2, 30))
        masked = np.append(row, [-inf, -inf])
        for program, (name, arguments, values) in PROGRAMS.items():
            settings = dict(zip(arguments, values, strict=True))
            policy = METHODS[name].policy(**settings)
            converted = from_settings(program, {**settings, **SWITCHES.get(program, {}), **WHOLE}).policy

            assert float(temperatures(row, policy)) == pytest.approx(float(temperatures(row, converted)), rel=1e-12)
            count = len(masked) if program in COUNTS_MASKED else len(row)
            expected = 0.3 + 1.2 * (entropy(softmax(row)) / np.log(count)) ** 1.4
            assert float(temperatures(masked, policy)) == pytest.approx(expected, rel=1e-12), program


@pytest.mark.parametrize(
    ("name", "values", "text"),
    [
        ("dynatemp_llama_cpp", (0.7, 0, 1), "0.7"),
        ("dynatemp_llama_cpp", (0.7, -0.5, 1), "0.7"),
        ("dynatemp_llama_cpp", (-1, 0, 1), "0"),
        ("dynatemp_koboldcpp", (0.8, 0.5, -2), "lerp(0.3, 1.3, min(entropy/log(max(entries, 2)), 1)**0)"),
        ("dynatemp_koboldcpp", (0.8, -0.5, 1), "lerp(1.3, 0.3, min(entropy/log(max(entries, 2)), 1))"),
        ("dynatemp_exllamav2", (1.3, 0.3, 1), "1"),
        ("dynatemp_textgen", (1.3, 0.3, 1, 0.7), "0.7*lerp(1.3, 0.3, normalized_entropy)"),
    ],
)
def test_odd_settings_do_what_the_program_does(name, values, text):
    assert text == str(METHODS[name].make(*values))


def test_ends_are_decimals_and_not_below_0():
    assert (0.3, 1.3) == around(0.8, 0.5)
    assert (0.0, 1.1) == around(0.3, 0.8)
    assert (0.0, 0.0) == around(-1, 0.3)
    with pytest.raises(OverflowError):
        around(1.7e308, 1.7e308)


def test_a_range_above_the_temperature_is_the_same_as_ends_from_0():
    row = np.log([0.1, 0.2, 0.3, 0.4])
    ours = METHODS["dynatemp_llama_cpp"].make(0.3, 0.8)

    assert float(temperatures(row, ours)) == pytest.approx(float(temperatures(row, "lerp(0, 1.1, normalized_entropy)")))
