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


LISTED = {"top_n_sigma": "top_n_sigma", "top_k": "top_k", "typ_p": "typical", "top_p": "top_p", "min_p": "min_p",
          "xtc": "xtc", "temperature": "temp"}  # fmt: skip
"""Names in llama.cpp's list -> names of its samplers' functions."""


def test_the_installed_llama_cpp_draws_from_the_chain_of_any_list_of_samplers():
    """XTC acts in every row here. Rows in which float32 decides a filter otherwise are few."""
    llama, noise, differing = LlamaSamplers(), np.random.default_rng(6), 0
    for _ in range(400):
        sent = {
            "temperature": noise.uniform(0.3, 2), "top_n_sigma": noise.choice([-1, noise.uniform(0.5, 3)]),
            "top_p": noise.uniform(0.3, 1), "min_p": noise.choice([0, noise.uniform(0.001, 0.3)]),
            "typical_p": noise.uniform(0.3, 1), "xtc_threshold": noise.uniform(0.02, 0.6), "xtc_probability": 1.0,
        }  # fmt: skip
        sent = {name: float(np.float32(value)) for name, value in sent.items()} | {"top_k": int(noise.integers(0, 50))}
        listed = noise.permutation(list(LISTED))[: noise.integers(2, 8)].tolist()
        if "top_n_sigma" in listed and "typ_p" in listed:
            listed.remove("typ_p")  # it is NaN where a candidate is masked
        found = from_settings("llama.cpp", {**sent, "samplers": listed})
        arguments = {
            "top_k": (sent["top_k"],), "top_n_sigma": (sent["top_n_sigma"],), "temp": (sent["temperature"],),
            **{name: (sent[field], 1) for name, field in (("top_p",) * 2, ("min_p",) * 2, ("typical", "typical_p"))},
            "xtc": (1.0, sent["xtc_threshold"], 1, 7),
        }  # fmt: skip
        samplers = [llama.make(LISTED[name], *arguments[LISTED[name]]) for name in listed]
        row = noise.normal(0, noise.uniform(0.5, 4), 60).astype(np.float32)
        theirs = llama.apply(row, *samplers)
        llama.free(*samplers)
        temperature = float(temperatures_of(row, found.policy))
        kept = found.filters.mask(row.astype(np.float64), temperature, lambda number: 0.0)
        ours = softmax(np.where(kept, row.astype(np.float64), -np.inf) / temperature)
        differing += not np.allclose(softmax(theirs), ours, atol=1e-5)

    assert differing <= 2
