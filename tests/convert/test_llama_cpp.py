"""Settings of llama.cpp against its own outputs."""

import json
from pathlib import Path

import numpy as np
import pytest
from tests.convert.formulas import WHOLE, drawn, softmax, temperatures_of
from tests.distribution.programs import LlamaSamplers

from dyntemp import scale
from dyntemp.convert import ConversionError, from_settings, to_settings
from dyntemp.distribution.filters import Filters

DATA = Path(__file__).parents[1] / "data"
ROWS = {row["name"].split()[0]: row for row in json.loads((DATA / "temp_ext_vectors.json").read_text(encoding="utf-8"))}
CHAINS = {
    name.split()[0]: chain
    for name, chain in json.loads((DATA / "chain_vectors.json").read_text(encoding="utf-8")).items()
}

CLOSE_TO = {"A17", "A11", "A12", "A13", "A16", "A15", "A19", "A20"}
"""Masked candidates, a single candidate and exponents below 0, which the notes speak of."""


@pytest.mark.parametrize("name", [name for name in ROWS if name not in CLOSE_TO])
def test_llama_cpp_has_the_probabilities_of_its_settings(name):
    row = ROWS[name]
    static = row.get("pre_static_temp") or 1.0
    sent = {"temperature": row["temp"], "dynatemp_range": row["delta"], "dynatemp_exponent": row["exponent"], **WHOLE}
    found = from_settings("llama.cpp", sent)

    assert found.exact
    np.testing.assert_allclose(drawn(np.array(row["logits"]) / static, found), row["libllama_probs"], atol=1e-7)
    if row.get("implied_T"):
        assert row["implied_T"] == pytest.approx(
            float(temperatures_of(np.array(row["logits"]) / static, found.policy)), rel=2e-5
        )


@pytest.mark.parametrize("name", ["A15", "A19", "A20"])
def test_llama_cpp_with_an_exponent_below_0_is_converted_and_said_to_differ(name):
    row = ROWS[name]
    found = from_settings("llama.cpp", {"temperature": row["temp"], "dynatemp_range": row["delta"],
                                        "dynatemp_exponent": row["exponent"], **WHOLE})  # fmt: skip

    assert not found.exact
    assert any("infinite where the entropy is 0" in text for text in found.differs)
    if name == "A15":
        assert row["implied_T"] == pytest.approx(
            float(temperatures_of(np.array(row["logits"]), found.policy)), rel=2e-5
        )
    with pytest.raises(ConversionError, match="infinite where the entropy is 0"):
        to_settings("llama.cpp", found.policy)


SAMPLERS = {"B1": [], "B2": ["top_k"], "B3": ["min_p"], "B7": ["top_p"]}
GIVEN = {"top_k": 8, "min_p": 0.05, "top_p": 0.9}


@pytest.mark.parametrize("name", SAMPLERS)
def test_llama_cpp_measures_what_its_filters_left(name):
    chain, filters = CHAINS[name], SAMPLERS[name]
    sent = {**WHOLE, "temperature": 1, "dynatemp_range": 0.5, **{name: GIVEN[name] for name in filters}}
    found = from_settings("llama.cpp", sent)
    row = np.array(chain["logits"])
    kept = np.where(found.filters.mask(row), row, -np.inf)

    assert chain["kept"] == np.isfinite(kept).sum()
    assert chain["implied_T"] == pytest.approx(float(temperatures_of(kept, found.policy)), rel=1e-4)
    assert found.exact is not bool(filters)
    assert bool(filters) is any("entropy is measured over what" in text for text in found.differs)
    tokens, theirs = zip(*chain["probs_desc"], strict=True)
    np.testing.assert_allclose(softmax(scale(kept, found.policy, backend="reference"))[list(tokens)], theirs, atol=1e-5)


def test_llama_cpp_with_the_temperature_first_filters_at_the_temperature():
    chain = CHAINS["B4"]
    sent = {**WHOLE, "temperature": 1, "dynatemp_range": 0.5, "min_p": 0.05, "samplers": ["temperature", "min_p"]}
    found = from_settings("llama.cpp", sent)
    p = drawn(np.array(chain["logits"]), found)
    tokens, theirs = zip(*chain["probs_desc"], strict=True)

    assert found.exact
    assert Filters(0, 1.0, 0.05, "temperature") == found.filters
    assert chain["kept"] == np.count_nonzero(p)
    np.testing.assert_allclose(p[list(tokens)], theirs, atol=1e-5)


def test_the_installed_llama_cpp_agrees_on_random_rows():
    llama = LlamaSamplers()
    noise = np.random.default_rng(5)
    for _ in range(500):
        row = noise.normal(0, noise.uniform(0.2, 5), noise.integers(2, 3000)).astype(np.float32)
        temperature, reach, exponent = (float(np.float32(x)) for x in noise.uniform([0, -0.2, 0], [2, 2.5, 3]))
        found = from_settings("llama.cpp", {"temperature": temperature, "dynatemp_range": reach,
                                            "dynatemp_exponent": exponent, **WHOLE})  # fmt: skip
        assert found.exact
        sampler = llama.make("temp_ext", temperature, reach, exponent)
        np.testing.assert_allclose(softmax(llama.apply(row, sampler)), drawn(row.astype(np.float64), found), atol=2e-5)
        llama.free(sampler)
