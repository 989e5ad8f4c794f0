"""Settings of other programs, against llama.cpp's own outputs and the others' formulas, written out again here."""

import json
from functools import partial
from math import inf
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from dyntemp import Policy, PolicyError, scale, temperatures
from dyntemp.convert import PROGRAMS, ConversionError, Curve, curve_of, from_settings, to_settings
from dyntemp.convert.fields import KINDS
from dyntemp.filters import Filters
from dyntemp.methods import METHODS

DATA = Path(__file__).parent / "data"
ROWS = {row["name"].split()[0]: row for row in json.loads((DATA / "temp_ext_vectors.json").read_text())}
CHAINS = {name.split()[0]: chain for name, chain in json.loads((DATA / "chain_vectors.json").read_text()).items()}
WHOLE = {"top_k": 0, "top_p": 1.0, "min_p": 0.0}
temperatures_of = partial(temperatures, backend="reference")


def softmax(z):
    e = np.exp(z - z.max())
    return e / e.sum()


def drawn(row, found):
    """The distribution that `sample` draws from, by the formulas."""
    temperature = float(temperatures_of(row, found.policy))
    kept = np.where(found.filters.mask(row, temperature), row, -np.inf)
    return softmax(scale(kept, temperature, backend="reference"))


# llama.cpp's own numbers

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


def native():
    """llama.cpp's own sampler, out of the shared library of xllamacpp, where that is installed."""
    import ctypes

    module = pytest.importorskip("xllamacpp")
    (path,) = Path(module.__file__).parent.glob("*.so")
    library = ctypes.CDLL(str(path))

    class Candidate(ctypes.Structure):
        _fields_ = [("id", ctypes.c_int32), ("logit", ctypes.c_float), ("p", ctypes.c_float)]

    class Candidates(ctypes.Structure):
        _fields_ = [("data", ctypes.POINTER(Candidate)), ("size", ctypes.c_size_t), ("selected", ctypes.c_int64),
                    ("sorted", ctypes.c_bool)]  # fmt: skip

    library.llama_sampler_init_temp_ext.restype = ctypes.c_void_p
    library.llama_sampler_init_temp_ext.argtypes = [ctypes.c_float] * 3
    library.llama_sampler_apply.argtypes = [ctypes.c_void_p, ctypes.POINTER(Candidates)]
    library.llama_sampler_free.argtypes = [ctypes.c_void_p]

    def scaled(row, temperature, reach, exponent):
        data = (Candidate * len(row))(*((token, float(logit), 0.0) for token, logit in enumerate(row)))
        array = Candidates(data, len(row), -1, False)
        sampler = library.llama_sampler_init_temp_ext(temperature, reach, exponent)
        library.llama_sampler_apply(sampler, ctypes.byref(array))
        library.llama_sampler_free(sampler)
        found = np.empty(len(row))
        for at in range(array.size):
            found[array.data[at].id] = array.data[at].logit
        return found

    return scaled


def test_the_installed_llama_cpp_agrees_on_random_rows():
    scaled = native()
    noise = np.random.default_rng(5)
    for _ in range(500):
        row = noise.normal(0, noise.uniform(0.2, 5), noise.integers(2, 3000)).astype(np.float32)
        temperature, reach, exponent = (float(np.float32(x)) for x in noise.uniform([0, -0.2, 0], [2, 2.5, 3]))
        found = from_settings("llama.cpp", {"temperature": temperature, "dynatemp_range": reach,
                                            "dynatemp_exponent": exponent, **WHOLE})  # fmt: skip
        assert found.exact
        np.testing.assert_allclose(softmax(scaled(row, temperature, reach, exponent)),
                                   drawn(row.astype(np.float64), found), atol=2e-5)  # fmt: skip


# the other programs' formulas, written out from their sources

rows = st.lists(st.integers(-1200, 1200), min_size=2, max_size=40, unique=True).map(lambda x: np.array(x) / 100)
"""Rows without ties, which programs break in different ways."""

warm = st.floats(0.02, 3).map(lambda x: round(x, 3))
exponents = st.floats(0.1, 4).map(lambda x: round(x, 2))


def spread(p):
    p = p[p > 0]
    return -(p * np.log(p)).sum()


def top_k(p, k):
    keep = np.zeros(len(p), bool)
    keep[np.argsort(-p, kind="stable")[:k]] = True
    return np.where(keep, p, 0) / p[keep].sum()


def min_p(p, least):
    kept = np.where(p >= least * p.max(), p, 0)
    return kept / kept.sum()


def koboldcpp(row, t, d, e):
    if d == 0:
        return softmax(row / t)
    low, high = max(t - d, 0), max(t + d, 0)
    return softmax(row / (low + (high - low) * (spread(softmax(row)) / np.log(len(row))) ** max(e, 0)))


@given(rows, warm, st.floats(-1, 3).map(lambda x: round(x, 2)), st.floats(-1, 3).map(lambda x: round(x, 2)))
def test_koboldcpp(row, t, d, e):
    assume(t - abs(d) != 0)
    sent = {"temperature": t, "dynatemp_range": d, "dynatemp_exponent": e, **WHOLE}
    found = from_settings("koboldcpp", sent)

    assert 3000 == found.filters.top_k
    with np.errstate(all="ignore"):
        theirs = koboldcpp(row, t, d, e)
    assume(np.isfinite(theirs).all())
    np.testing.assert_allclose(theirs, drawn(row, found), atol=1e-9)


def textgen(row, settings):
    """Warpers in their order; a row of a batch of one."""
    z, rank = row, {name: place for place, name in enumerate(settings["sampler_priority"])}
    for step in sorted(("temperature", "dynamic_temperature", "top_k", "min_p"), key=rank.__getitem__):
        p = softmax(z)
        if step == "temperature":
            z = z / settings["temperature"]
        elif step == "dynamic_temperature":
            share = max(spread(p), 1e-10) / np.log(np.isfinite(z).sum())
            low, high = settings["dynatemp_low"], settings["dynatemp_high"]
            z = z / (low + (high - low) * share ** settings["dynatemp_exponent"])
        elif step == "top_k":
            z = np.where(top_k(p, settings["top_k"]) > 0, z, -np.inf)
        else:
            z = np.where(min_p(p, settings["min_p"]) > 0, z, -np.inf)
    return softmax(z)


ORDERS = [
    ("temperature", "dynamic_temperature", "top_k", "min_p"),
    ("dynamic_temperature", "temperature", "top_k", "min_p"),
    ("dynamic_temperature", "top_k", "temperature", "min_p"),
]


@given(rows, warm, warm, warm, exponents, st.sampled_from(ORDERS), st.integers(2, 50), st.floats(0, 0.3))
def test_textgen(row, t, low, high, e, order, k, least):
    assume(low != high and spread(softmax(row)) > 1e-6)
    sent = {"temperature": t, "dynamic_temperature": True, "dynatemp_low": low, "dynatemp_high": high,
            "dynatemp_exponent": e, "sampler_priority": list(order), "top_k": k, "min_p": least}  # fmt: skip
    found = from_settings("textgen", sent)
    exact = t == 1 or order[0] == "dynamic_temperature"

    assert exact is (not any("entropy is measured at temperature" in text for text in found.differs))
    if found.exact and order[2] == "top_k":
        probabilities = textgen(row, sent)
        np.testing.assert_allclose(probabilities, drawn(row, found), atol=1e-6)


def test_textgen_is_not_exact_where_its_own_temperature_comes_first_and_exact_where_that_is_1():
    row, sent = np.array([3.0, 1.0, 0.5, 0.0]), {"dynamic_temperature": True, "dynatemp_low": 0.2, "dynatemp_high": 2.0}
    order = ["temperature", "dynamic_temperature", "top_k", "min_p"]
    full = {**sent, "dynatemp_exponent": 1, "sampler_priority": order, "top_k": 4, "min_p": 0}
    for t in (1.0, 0.5):
        found = from_settings("textgen", {**sent, "temperature": t})
        same = np.allclose(textgen(row, {**full, "temperature": t}), drawn(row, found), atol=1e-9)

        assert same is found.exact is (t == 1)


def exllamav2(row, s):
    """Probabilities at the static temperature, cut, then raised to 1/T."""
    last = s["temperature_last"]
    p = softmax(row / (1.0 if last else s["temperature"]))
    p = min_p(top_k(p, s["top_k"]) if s["top_k"] else p, s["min_p"])
    t = s["temperature"] if last else 1.0
    if s["max_temp"] > s["min_temp"]:
        n = np.count_nonzero(p)
        t = s["min_temp"] + (s["max_temp"] - s["min_temp"]) * (spread(p) / (np.log(n) or 1.0)) ** s["temp_exponent"]
    raised = p ** (1 / t)
    return raised / raised.sum()


@given(rows, warm, warm, warm, exponents, st.booleans(), st.sampled_from([0, 3]), st.sampled_from([0, 0.1]))
def test_exllamav2(row, t, low, high, e, last, k, least):
    assume(spread(softmax(row)) > 1e-6)
    sent = {"temperature": t, "min_temp": low, "max_temp": high, "temp_exponent": e, "temperature_last": last,
            "top_k": k, "min_p": least}  # fmt: skip
    found = from_settings("exllamav2", sent)
    if found.exact:
        np.testing.assert_allclose(exllamav2(row, sent), drawn(row, found), atol=1e-7)
    else:
        assert high > low
        assert k or least or t != 1


def aphrodite(row, s):
    temperature = s["temperature"]
    if max(s["dynatemp_min"], s["dynatemp_max"]) > 1e-5:
        share = spread(softmax(row)) / np.log(np.isfinite(row).sum())
        temperature = s["dynatemp_min"] + (s["dynatemp_max"] - s["dynatemp_min"]) * share ** s["dynatemp_exponent"]
    return min_p(softmax(row / max(temperature, 1e-5)), s["min_p"])


bounds = st.one_of(st.just(0.0), warm)


@given(rows, warm, bounds, bounds, exponents, st.sampled_from([0, 0.1]), st.booleans())
@example(np.array([9.0, 0.0]), 1.0, 0.0, 0.0, 1.0, 0, False)
@example(np.array([0.0, 0.0, 0.0]), 1.0, 1.0, 0.0, 1.0, 0, False)
def test_aphrodite(row, t, low, high, e, least, masked):
    row = np.append(row, -np.inf) if masked else row  # what is masked does not count there either
    sent = {"temperature": t, "dynatemp_min": low, "dynatemp_max": high, "dynatemp_exponent": e, "min_p": least}
    found = from_settings("aphrodite", sent)

    assert found.exact
    np.testing.assert_allclose(aphrodite(row, sent), drawn(row, found), atol=1e-6)


@given(rows, warm, warm, exponents)
def test_sillytavern_means_what_it_sends(row, low, high, e):
    """Its request to koboldcpp and llama.cpp, to textgen and TabbyAPI, and to Aphrodite."""
    assume(low < high)
    preset = from_settings("sillytavern", {"dynatemp": True, "min_temp": low, "max_temp": high, "dynatemp_exponent": e})
    around = {"temperature": (low + high) / 2, "dynatemp_range": (high - low) / 2, "dynatemp_exponent": e, **WHOLE}
    sent = {
        "llama.cpp": around, "koboldcpp": around,
        "textgen": {"dynamic_temperature": True, "dynatemp_low": low, "dynatemp_high": high, "dynatemp_exponent": e},
        "textgen-llama.cpp": {"dynamic_temperature": True, "dynatemp_low": low, "dynatemp_high": high,
                              "dynatemp_exponent": e},
        "exllamav2": {"dynatemp_low": low, "dynatemp_high": high, "dynatemp_exponent": e, "temperature_last": True},
        "aphrodite": {"dynatemp_min": low, "dynatemp_max": high, "dynatemp_exponent": e},
    }  # fmt: skip
    for program, settings in sent.items():
        theirs = float(temperatures_of(row, from_settings(program, settings).policy))
        assert theirs == pytest.approx(float(temperatures_of(row, preset.policy)), rel=1e-12)


@given(rows, warm, st.sampled_from([0, 2]), st.floats(0.3, 1), st.sampled_from([0, 0.1]))
def test_transformers_and_vllm_filter_after_the_temperature(row, t, k, share, least):
    sent = {"temperature": max(t, 0.02) % 2 or 1.0, "top_k": k, "top_p": round(share, 3), "min_p": least}
    p = softmax(row / max(sent["temperature"], 0.01))
    order = np.argsort(-row)
    p = top_k(p, k) if k else p
    reached = np.cumsum(p[order])
    assume(np.abs(reached - sent["top_p"]).min() > 1e-9)
    kept = order[: np.searchsorted(reached, sent["top_p"]) + 1]
    p = np.where(np.isin(np.arange(len(row)), kept), p, 0)
    theirs = min_p(p / p.sum(), least) if least else p / p.sum()

    found = from_settings("transformers", {**sent, "do_sample": True})
    assume(not least or np.abs(p / p.max() - least).min() > 1e-9)
    np.testing.assert_allclose(theirs, drawn(row, found), atol=1e-9)
    assert from_settings("vllm", sent).exact is not (least > 0 and sent["top_p"] < 1)


# special cases, by name

CASES = [
    ("llama.cpp", {"temperature": 0.8, "dynatemp_range": 0.5}, "lerp(0.3, 1.3, normalized_entropy)"),
    ("llama.cpp", {"temperature": 0.8, "dynatemp_range": 2, "dynatemp_exponent": 2},
     "lerp(0, 2.8, normalized_entropy**2)"),
    ("llama.cpp", {"temperature": 0, "dynatemp_range": 0.9}, "lerp(0, 0.9, normalized_entropy)"),
    ("llama.cpp", {"temperature": 0}, "0"),
    ("llama.cpp", {"temperature": -1}, "0"),
    ("llama.cpp", {"temperature": -1, "dynatemp_range": 0.3}, "0"),
    ("llama.cpp", {"temperature": -1, "dynatemp_range": 1.5}, "lerp(0, 0.5, normalized_entropy)"),
    ("llama.cpp", {}, "0.8"),
    ("llama.cpp", {"temp": None, "temperature": 0.7}, "0.7"),
    ("llama.cpp", {"temperature": 0.7, "dynatemp_range": -0.5}, "0.7"),
    ("llama.cpp", {"temperature": 0.7, "dynatemp_range": 0.5, "dynatemp_exponent": 0}, "1.2"),
    ("llama.cpp", {"temperature": 0.7, "dynatemp_range": 0.5, "mirostat": 2}, "0.7"),
    ("llama.cpp", {"temperature": 0.7, "dynatemp_range": 0.5, "samplers": ["top_k"]}, "1"),
    ("llama.cpp", {"temperature": 0.7, "dynatemp_range": 0.5, "samplers": "top_k;temperature"},
     "lerp(0.2, 1.2, normalized_entropy)"),
    ("llama.cpp", {"temperature": 0.7, "dynatemp_range": 0.5, "sampler_seq": "kt"},
     "lerp(0.2, 1.2, normalized_entropy)"),
    ("llama.cpp", {"--temp": 0.7, "--dynatemp-range": 0.5, "--dynatemp-exp": 2},
     "lerp(0.2, 1.2, normalized_entropy**2)"),
    ("koboldcpp", {"temperature": 0.7, "dynatemp_range": 0.5, "dynatemp_exponent": -1}, "1.2"),
    ("koboldcpp", {"temperature": 0.7, "dynatemp_range": -0.5}, "lerp(1.2, 0.2, normalized_entropy)"),
    ("koboldcpp", {"temperature": 0.7, "dynatemp_range": 0.5, "mirostat": 1}, "0.7"),
    ("koboldcpp", {"temperature": 0.7, "dynatemp_range": 0.5, "sampler_order": [6, 0]}, "1"),
    ("textgen", {"temperature": 0.9, "dynatemp_low": 0.2, "dynatemp_high": 2}, "0.9"),
    ("textgen", {"do_sample": False, "dynamic_temperature": True, "dynatemp_low": 0.2, "dynatemp_high": 2}, "0"),
    ("textgen", {"dynamic_temperature": True, "dynatemp_low": 2, "dynatemp_high": 0.5},
     "lerp(2, 0.5, normalized_entropy)"),
    ("textgen-llama.cpp", {"dynamic_temperature": True, "dynatemp_low": 2, "dynatemp_high": 0.5}, "1.25"),
    ("textgen-llama.cpp", {"dynamic_temperature": True, "dynatemp_low": 0.2, "dynatemp_high": 2, "temperature": 9},
     "lerp(0.2, 2, normalized_entropy)"),
    ("exllamav2", {"temperature": 0.9, "min_temp": 1, "max_temp": 1}, "0.9"),
    ("exllamav2", {"temperature": 0.9, "min_temp": 1.5, "max_temp": 1}, "0.9"),
    ("exllamav2", {"temperature": 0.001, "min_temp": 0.5, "max_temp": 1}, "0"),
    ("exllamav2", {"temperature": 0.5, "min_temp": 1, "max_temp": 2}, "lerp(0.5, 1, normalized_entropy)"),
    ("exllamav2", {"temperature": 0.5, "min_temp": 1, "max_temp": 2, "temperature_last": True},
     "lerp(1, 2, normalized_entropy)"),
    ("exllamav3", {"temperature": 0.6, "min_temp": 0.5, "max_temp": 1.5}, "0.6"),
    ("tabbyapi", {"temperature": 0.6, "dynatemp_low": 0.5, "dynatemp_high": 1.5}, "0.6"),
    ("aphrodite", {"temperature": 0.6}, "0.6"),
    ("aphrodite", {"temperature": 0.6, "dynatemp_min": 0.5}, "max(lerp(0.5, 0, normalized_entropy), 1e-05)"),
    ("aphrodite", {"temperature": 0.6, "dynatemp_min": 0.5, "dynatemp_max": 0.5}, "0.5"),
    ("aphrodite", {"temperature": 0.6, "dynatemp_max": 2, "mirostat_mode": 2}, "1"),
    ("aphrodite", {"temperature": 0.001}, "0.01"),
    ("sillytavern", {"temp": 0.9, "min_temp": 0.5, "max_temp": 2}, "0.9"),
    ("sillytavern", {"temp": 0.9, "dynatemp": True, "min_temp": 0.5, "max_temp": 2},
     "lerp(0.5, 2, normalized_entropy)"),
    ("vllm", {"temperature": 0.004}, "0.01"),
    ("vllm", {"temperature": 0}, "0"),
    ("transformers", {"temperature": 0.7}, "0"),
    ("transformers", {"temperature": 0.7, "do_sample": True}, "0.7"),
    ("openai", {"top_p": 0.9}, "1"),
]  # fmt: skip


@pytest.mark.parametrize(("program", "settings", "policy"), CASES)
def test_what_settings_mean(program, settings, policy):
    assert policy == str(from_settings(program, settings).policy)


FILTERED = [
    ("llama.cpp", {}, Filters(40, 0.95, 0.05)),
    ("llama.cpp", {"samplers": ["top_k", "temperature"]}, Filters(40)),
    ("llama.cpp", {"samplers": ["temperature", "top_p"], "top_p": 0.5}, Filters(0, 0.5, 0, "temperature")),
    ("llama.cpp", {"top_k": -1, "top_p": 1, "min_p": 0}, Filters()),
    ("llama.cpp", {"top_p": 0, "min_p": 0}, Filters(1)),
    ("llama.cpp", {"mirostat": 2}, Filters()),
    ("koboldcpp", {}, Filters(100, 0.92)),
    ("koboldcpp", {"top_k": 0, "top_p": 1}, Filters(3000)),
    ("koboldcpp", {"top_p": 1, "min_p": 0.1}, Filters(100, 1.0, 0.1)),
    ("koboldcpp", {"top_k": 0, "top_p": 0.9, "sampler_order": [6, 5, 0, 2]}, Filters(3000, 0.9, 0, "temperature")),
    ("textgen", {"top_p": 0.9}, Filters(0, 0.9, 0, "temperature")),
    ("textgen", {"top_p": 0.9, "temperature_last": True}, Filters(0, 0.9)),
    ("exllamav2", {"top_p": 0, "top_k": 5}, Filters(5)),
    ("exllamav2", {"min_p": 0.1}, Filters(0, 1, 0.1, "temperature")),
    ("exllamav2", {"min_p": 0.1, "temperature_last": True}, Filters(0, 1, 0.1)),
    ("exllamav3", {"min_p": 0.1, "temperature_last": True}, Filters(0, 1, 0.1)),
    ("aphrodite", {"min_p": 0.1, "temperature_last": True}, Filters(0, 1, 0.1, "temperature")),
    ("vllm", {"min_p": 0.1, "top_k": -1}, Filters(0, 1, 0.1, "temperature")),
    ("transformers", {"do_sample": True}, Filters(50)),
]


@pytest.mark.parametrize(("program", "settings", "filters"), FILTERED)
def test_filters_are_those_of_the_program_where_it_has_them(program, settings, filters):
    found = from_settings(program, settings)

    assert filters == found.filters
    assert {"top_k", "top_p", "min_p", "filter_at"} == set(found.arguments)


@pytest.mark.parametrize(
    ("program", "settings", "difference"),
    [
        ("llama.cpp", {"samplers": ["top_p", "temperature", "min_p"]}, "and min_p after it, here both do"),
        ("llama.cpp", {"samplers": ["top_p", "top_k", "temperature"]}, "it filters in the order top_p, top_k"),
        ("vllm", {"top_p": 0.9, "min_p": 0.1}, "it filters in the order min_p, top_p"),
        ("exllamav2", {"top_p": 0.9}, "leaves out the token that crosses"),
        ("exllamav3", {"top_p": 0.9}, "leaves out the token that crosses"),
        ("aphrodite", {"temperature": 0, "dynatemp_max": 1}, "temperature = 0 stays greedy"),
        ("aphrodite", {"mirostat_mode": 2}, "takes out the other samplers"),
        ("llama.cpp", {"mirostat": 1}, "mirostat replaces the whole chain"),
        ("sillytavern", {"top_p": 0.9}, "up to the program that it is sent to"),
        ("sillytavern", {"dynatemp": True, "mirostat_mode": 2}, "mirostat switches the dynamic temperature off"),
    ],
)  # fmt: skip
def test_what_draws_other_tokens_is_said_and_never_exact(program, settings, difference):
    found = from_settings(program, settings)

    assert any(difference in text for text in found.differs)
    assert not found.exact


def test_a_temperature_of_0_beside_a_range_is_said_not_to_be_greedy():
    assert any(
        "not greedy" in note for note in from_settings("llama.cpp", {"temperature": 0, "dynatemp_range": 1}).notes
    )


@pytest.mark.parametrize(
    ("program", "settings", "fields"),
    [
        ("exllamav3", {"min_temp": 0.5, "max_temp": 2}, ("min_temp", "max_temp")),
        ("aphrodite", {"temperature": 0.5, "dynatemp_max": 2}, ("temperature",)),
        ("aphrodite", {"dynatemp_exponent": 2}, ("dynatemp_exponent",)),
        ("llama.cpp", {"dynatemp_exponent": 2}, ("dynatemp_exponent",)),
        ("koboldcpp", {"dynatemp_exponent": 2}, ("dynatemp_exponent",)),
        ("textgen", {"dynatemp_low": 0.2, "dynatemp_high": 2}, ("dynatemp_low", "dynatemp_high")),
        ("textgen-llama.cpp", {"temperature": 1, "dynamic_temperature": True}, ("temperature",)),
        ("exllamav2", {"min_temp": 2, "max_temp": 1}, ("min_temp", "max_temp")),
        ("sillytavern", {"temp": 2, "dynatemp": True}, ("temperature",)),
    ],
)  # fmt: skip
def test_fields_without_effect_are_named(program, settings, fields):
    assert [fields] == [aside.fields for aside in from_settings(program, settings).ignored]


# what is not temperature


def test_a_whole_preset_is_sorted_out(data):
    preset = json.loads((data / "sillytavern_preset.json").read_text())
    found = from_settings("sillytavern", preset)
    named = {name for aside in (*found.not_temperature, *found.ignored) for name in aside.fields} | set(found.off)

    assert "lerp(0.4, 1.6, normalized_entropy**0.7)" == str(found.policy)
    assert Filters(0, 1.0, 0.05) == found.filters
    assert not found.exact
    whys = " ".join(aside.why for aside in found.not_temperature)
    assert all(word in whys for word in ("XTC", "repetition penalties", "tail-free"))
    assert all(word not in whys for word in ("mirostat", "smoothing", "DRY", "adaptive-p"))
    own = {"temp", "dynatemp", "min_temp", "max_temp", "dynatemp_exponent", "temperature_last", "top_k", "top_p",
           "min_p", "sampler_order", "samplers", "sampler_priority", "do_sample"}  # fmt: skip
    assert set(preset) - {"temp"} == (named | own) - {"temp", "temperature"}


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.draws], ids=lambda kind: next(iter(kind.switches)))
def test_every_sampler_that_is_on_is_named_and_not_exact(kind):
    neutral = {"temperature": 1, **WHOLE, "seed": 3}
    assert from_settings("llama.cpp", neutral).exact
    for name in kind.switches:
        found = from_settings("llama.cpp", {**neutral, name: 0.37, **dict.fromkeys(kind.companions, 1)})

        assert not found.exact
        assert (kind.why, (name, *kind.companions)) in [(why, fields) for fields, why in found.not_temperature]
        off = from_settings(
            "llama.cpp", {**neutral, name: kind.switches[name][-1], **dict.fromkeys(kind.companions, 1)}
        )
        assert off.exact
        assert {name, *kind.companions} <= set(off.off)


def test_every_field_has_one_kind_and_is_no_ones_temperature():
    names = [name for kind in KINDS for name in (*kind.switches, *kind.companions)]

    assert len(names) == len(set(names))
    assert not set(names) & {field for program in PROGRAMS.values() for field in (*program.fields, *WHOLE)}


@pytest.mark.parametrize(
    ("program", "settings", "message"),
    [
        ("lama.cpp", {}, "did you mean `llama.cpp`?"),
        ("nothing", {}, "Known are llama.cpp, koboldcpp"),
        ("llama.cpp", {"dynatemp_rang": 1}, "did you mean `dynatemp_range`?"),
        ("llama.cpp", {"dynatemp_low": 1}, "it belongs to textgen"),
        ("llama.cpp", {"xyzzy": 1}, "has no field `xyzzy`. Its own are temperature"),
        ("llama.cpp", {"temp": 1, "temperature": 1}, "twice"),
        ("llama.cpp", {"temperature": "hot"}, "temperature = 'hot'; a finite number is allowed"),
        ("llama.cpp", {"temperature": True}, "a finite number is allowed"),
        ("llama.cpp", {"temperature": float("nan")}, "a finite number is allowed"),
        ("llama.cpp", {"dynatemp_range": inf}, "a finite number is allowed"),
        ("llama.cpp", {"temperature": 10**400}, "a finite number is allowed"),
        ("llama.cpp", {"top_k": 1.5}, "top_k = 1.5 was given"),
        ("llama.cpp", {"top_p": 1.5}, "top_p = 1.5 was given"),
        ("llama.cpp", {"samplers": 3}, "a list of samplers is allowed"),
        ("llama.cpp", {"samplers": [["top_k"]]}, "a list of samplers is allowed"),
        ("koboldcpp", {"sampler_order": [{}]}, "a list of samplers is allowed"),
        ("textgen", {"dynamic_temperature": "yes"}, "true or false is allowed"),
        ("textgen", {"dynamic_temperature": True, "dynatemp_low": -1}, "temperatures from -1 to 1"),
        ("koboldcpp", {"temperature": -1, "dynatemp_range": 0.5}, "would divide by 0"),
        ("textgen", {"dynamic_temperature": True, "temperature": 0}, "its loaders refuse it"),
        ("aphrodite", {"dynatemp_min": -1}, "dynatemp_min = -1; 0 and more is allowed"),
        ("aphrodite", {"dynatemp_max": 1, "dynatemp_exponent": 0}, "more than 0 is allowed"),
        ("vllm", {"temperature": 3}, "at most 2 is allowed"),
        ("transformers", {"temperature": 0, "do_sample": True}, "set do_sample = false"),
    ],
)
def test_wrong_settings_are_refused(program, settings, message):
    with pytest.raises(ConversionError) as error:
        from_settings(program, settings)
    assert message in str(error.value)


def test_unknown_fields_can_be_listed_instead():
    assert ("xyzzy",) == from_settings("llama.cpp", {"xyzzy": 1}, skip_unknown=True).unknown


def test_what_is_absent_has_the_programs_default_and_none_is_absent():
    assert from_settings("llama.cpp", {}) == from_settings("llama.cpp", {"temperature": None, "dynatemp_range": None})
    assert any("top_k = 40, top_p = 0.95, min_p = 0.05" in note for note in from_settings("llama.cpp", {}).notes)


# back

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

    assert {"default", "static", "dynatemp"} == native


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
        "would measure the entropy over what top_p and min_p leave",
    ),
    ("exllamav2", "0.3 + normalized_entropy", {"top_k": 5}, "convert without filters"),
    ("vllm", "0.7", {"min_p": 0.1}, "reads top_p and min_p after the temperature"),
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
    assert settings.exact is found.exact or program == "koboldcpp"  # whose flat curves are exact among 3,000
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


@given(st.floats(0, 1e6), st.floats(0, 1e6))
@example(0.8, 0.5)
@example(1e-300, 1e6)
def test_a_curve_around_a_temperature_has_it_in_the_middle(t, d):
    curve = Curve.around(t, d)

    assert 0 <= curve.low <= curve.high
    assert curve.high == pytest.approx(t + d, rel=1e-15)
    if d <= t:
        assert (t, d) == pytest.approx((curve.temperature, curve.reach), rel=1e-12, abs=1e-10 * t)


def test_the_page_holds_the_table():
    from dyntemp.convert import table

    page = (Path(__file__).parents[1] / "docs" / "convert.md").read_text(encoding="utf-8")
    lines = table()

    assert "\n".join(lines) in page, (
        'write the lines of `python -c "from dyntemp.convert import table; print(*table(), sep=chr(10))"`'
    )
    assert len(PROGRAMS) == len(lines) - 2
