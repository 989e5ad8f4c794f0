"""Settings of the other programs against their formulas, written out here a second time from their sources."""

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from tests.convert.formulas import WHOLE, drawn, exponents, rows, softmax, temperatures_of, warm

from dyntemp.convert import from_settings


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
    row = np.append(row, -np.inf) if masked else row  # masked entries do not count there either
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
    found = from_settings("vllm", sent)
    assert found.exact
    assert [step.name for step in found.filters.steps] in (
        [name for name in order if name in [step.name for step in found.filters.steps]]
        for order in (["min_p", "top_k", "top_p"],)
    )
