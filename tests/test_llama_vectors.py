"""Rows that another program computed: llama.cpp's dynamic temperature, and targets solved with 40 digits."""

import json
from math import inf
from pathlib import Path

import numpy as np
import pytest

from dyntemp import Policy, PolicyError, measure, scale, temperatures

DATA = Path(__file__).parent / "data"
ROWS = {row["name"].split()[0]: row for row in json.loads((DATA / "temp_ext_vectors.json").read_text(encoding="utf-8"))}
TARGETS = json.loads((DATA / "target_entropy_vectors.json").read_text(encoding="utf-8"))

DIFFERENT = {
    "A8": "a lowest temperature below zero: that program draws greedily, a policy is refused",
    "A11": "masked candidates are counted in its normaliser, ln 8 instead of ln 4",
    "A12": "masked candidates are counted; the token is certain in both",
    "A13": "masked candidates are counted; the token is certain in both",
    "A15": "a negative exponent is infinite at entropy 0: written with the entropy kept above it",
    "A16": "a single candidate is not touched by that program, which leaves its probability at 0",
    "A17": "a negative delta switches that program's dynamic temperature off: it applies temp itself",
    "A19": "a negative exponent on a nearly certain row makes a temperature of 1e7, so all tokens alike",
    "A20": "a negative exponent on a certain row divides by zero there: NaN",
}
SAME = [name for name in ROWS if name not in DIFFERENT]


def policy_of(row):
    """lerp(max(0, temp - delta), temp + delta, normalized_entropy**exponent)"""
    low, high = max(0.0, row["temp"] - row["delta"]), row["temp"] + row["delta"]
    return f"lerp({low!r}, {high!r}, normalized_entropy**{row['exponent']!r})"


def logits_of(row):
    logits = np.array(row["logits"])
    return logits / row["pre_static_temp"] if row.get("pre_static_temp") else logits


def softmax(z):
    e = np.exp(z - z.max())
    return e / e.sum()


def test_every_row_is_either_the_same_or_different_for_a_reason():
    assert len(ROWS) == 23
    assert set(DIFFERENT) <= set(ROWS)
    assert len(SAME) == 14


@pytest.mark.parametrize("name", [name for name in SAME if ROWS[name].get("implied_T")])
def test_temperatures_are_the_same(name, backend):
    row = ROWS[name]
    found = float(temperatures(logits_of(row), policy_of(row), backend=backend))

    assert found == pytest.approx(row["implied_T"], rel=2e-5)
    assert found == pytest.approx(row["ref_T"], rel=1e-12)


@pytest.mark.parametrize("name", SAME)
def test_probabilities_are_the_same(name, backend):
    row = ROWS[name]
    p = softmax(scale(logits_of(row), policy_of(row), backend=backend))

    np.testing.assert_allclose(p, row["libllama_probs"], atol=1e-7)


def test_a8_a_negative_lowest_temperature_is_refused():
    row = ROWS["A8"]
    with pytest.raises(PolicyError, match=r"temperature of -0.7"):
        Policy(policy_of(row))
    assert row["libllama_probs"] == softmax(scale(logits_of(row), 0)).tolist() == [0, 0, 0, 1]


def test_a11_masked_candidates_do_not_count(backend):
    row, unmasked = ROWS["A11"], ROWS["A1"]
    found = float(temperatures(logits_of(row), policy_of(row), backend=backend))

    assert found == pytest.approx(unmasked["implied_T"], rel=2e-5)
    with_masked = f"lerp(0.5, 1.5, entropy/{float(np.log(8))!r})"
    assert float(temperatures(logits_of(row), with_masked, backend=backend)) == pytest.approx(
        row["implied_T"], rel=2e-5
    )
    np.testing.assert_allclose(
        softmax(scale(logits_of(row), with_masked, backend=backend)), row["libllama_probs"], atol=1e-7
    )


@pytest.mark.parametrize("name", ["A12", "A13"])
def test_a12_a13_a_certain_token_stays_certain(name, backend):
    row = ROWS[name]

    assert float(temperatures(logits_of(row), policy_of(row), backend=backend)) == row["ref_T"]
    assert softmax(scale(logits_of(row), policy_of(row), backend=backend)).tolist() == row["libllama_probs"]


def test_a15_a_negative_exponent_is_written_without_the_infinity(backend):
    row = ROWS["A15"]
    assert Policy(policy_of(row)).bounds().high == inf
    safe = "lerp(0.5, 1.5, max(normalized_entropy, 0.01)**-1)"

    assert Policy(safe).bounds() == pytest.approx((1.5, 100.5))
    assert float(temperatures(logits_of(row), safe, backend=backend)) == pytest.approx(row["implied_T"], rel=2e-5)


def test_a16_a_single_candidate_is_certain(backend):
    row = ROWS["A16"]

    assert float(temperatures(logits_of(row), policy_of(row), backend=backend)) == pytest.approx(0.2)
    assert softmax(scale(logits_of(row), policy_of(row), backend=backend)).tolist() == [1.0]


def test_a17_a_negative_delta_turns_the_policy_round(backend):
    """That program applies `temp` alone; here the same formula cools what is uncertain."""
    row = ROWS["A17"]
    found = float(temperatures(logits_of(row), "lerp(1.2, 0.2, normalized_entropy)", backend=backend))

    assert row["implied_T"] == row["temp"] == 0.7
    assert found == pytest.approx(row["ref_T"], rel=1e-12)


@pytest.mark.parametrize("name", ["A19", "A20"])
def test_a19_a20_a_certain_row_stays_certain_under_a_bounded_negative_exponent(name, backend):
    row = ROWS[name]
    safe = "lerp(0.5, 1.5, max(normalized_entropy, 0.5)**-1)"
    p = softmax(scale(logits_of(row), safe, backend=backend))

    assert p[0] > 0.99
    assert not np.isnan(p).any()
    unbounded = scale(logits_of(row), policy_of(row), backend=backend)
    assert not np.isnan(unbounded).any()


NAMES = {"H": "entropy", "Hnorm": "normalized_entropy", "pmax": "max_prob", "margin": "margin",
         "collision_sum_p2": "collision", "perplexity": "perplexity", "varentropy": "varentropy"}  # fmt: skip
DISTRIBUTIONS = {
    "P4": np.log([0.1, 0.2, 0.3, 0.4]),
    "peaked": np.log([0.97, 0.01, 0.01, 0.01]),
    "bimodal": np.log([0.49, 0.49, 0.01, 0.01]),
    "L8": np.array([2.0, 1.0, 0.5, 0.0, -0.5, -1.0, -1.5, -2.0]),
}


@pytest.mark.parametrize("name", TARGETS)
def test_signals_have_the_values_of_40_digits(name, backend):
    found = measure(DISTRIBUTIONS[name], *NAMES.values(), backend=backend)
    for theirs, ours in NAMES.items():
        assert float(found[ours]) == pytest.approx(TARGETS[name][theirs], rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("name", TARGETS)
def test_temperatures_for_an_entropy_have_the_values_of_40_digits(name, backend):
    for label, case in TARGETS[name]["solve"].items():
        alpha = float(label.removeprefix("alpha="))
        found = float(temperatures(DISTRIBUTIONS[name], f"temperature_for_entropy({alpha!r}*entropy)", backend=backend))
        if case["T"] is None:
            assert found == 0, case["note"]  # below the entropy of tied maxima: as cold as it gets
        else:
            assert found == pytest.approx(case["T"], rel=1e-11)
