"""Filters against llama.cpp's own samplers, on 10,000 random rows each."""

import numpy as np
import pytest
from tests.distribution.edges import Tally, explained_typical, kept, read
from tests.distribution.programs import LlamaSamplers, row_groups


@pytest.fixture(scope="module")
def llama():
    return LlamaSamplers()


def float32(value):
    return float(np.float32(value))


CUTS = {
    "top_p": lambda rng: float32(rng.uniform(0.001, 0.999)),
    "min_p": lambda rng: float32(10 ** rng.uniform(-6, 0)),
    "top_n_sigma": lambda rng: float32(rng.uniform(0.01, 5)),
}


@pytest.mark.parametrize("name", CUTS)
def test_cuts_keep_what_llama_cpp_keeps(llama, name):
    tally = Tally()
    for rng, rows in row_groups(sum(map(ord, name))):
        setting = CUTS[name](rng)
        sampler = llama.make(name, setting, *(() if name == "top_n_sigma" else (1,)))
        for row in rows:
            tally.compare(row, llama.apply(row, sampler) > -np.inf, f"{name}({{!r}})", setting)
        llama.free(sampler)

    tally.check()


def test_top_k_keeps_what_llama_cpp_keeps(llama):
    for rng, rows in row_groups(1):
        k = int(rng.integers(1, rows.shape[1] + 3))
        sampler = llama.make("top_k", k)
        for row in rows:
            theirs = row[llama.apply(row, sampler) > -np.inf]
            np.testing.assert_array_equal(np.sort(theirs), np.sort(row[kept(row, f"top_k({k})")]))
        llama.free(sampler)


def test_xtc_drops_what_llama_cpp_drops(llama):
    """Its coin always says yes here. llama.cpp is off with a threshold above 0.5, which one entry at most reaches."""
    tally = Tally(lowest=True)
    for rng, rows in row_groups(2):
        threshold = float32(10 ** rng.uniform(-4, 0))
        sampler = llama.make("xtc", 1.0, threshold, 1, 7)
        for row in rows:
            tally.compare(row, llama.apply(row, sampler) > -np.inf, "xtc({!r}, 1)", threshold)
        llama.free(sampler)

    tally.check()


def test_typical_keeps_what_llama_cpp_keeps(llama):
    """llama.cpp has NaN where a probability is 0 in float32, so that masked entries and sharp rows are left out.

    Entries that lie as near to the entropy as the last one, within rounding, may stay or go.
    """
    excused = compared = 0
    for rng, rows in row_groups(3):
        share = float32(rng.uniform(0.01, 0.99))
        sampler = llama.make("typical", share, 1)
        for row in (row[row > row.max() - 80] for row in rows):
            theirs = llama.apply(row, sampler) > -np.inf
            if not np.array_equal(np.sort(row[kept(row, f"typical({share!r})")]), np.sort(row[theirs])):
                explained_typical(row, theirs, share)
                excused += 1
            compared += 1
        llama.free(sampler)

    assert compared >= 10_000
    assert excused <= 0.001 * compared


CHAIN = {
    "top_k": lambda rng: (int(rng.integers(2, 60)),),
    "top_p": lambda rng: (float32(rng.uniform(0.3, 0.99)),),
    "min_p": lambda rng: (float32(10 ** rng.uniform(-3, -0.3)),),
    "top_n_sigma": lambda rng: (float32(rng.uniform(0.3, 3)),),
    "xtc": lambda rng: (float32(rng.uniform(0.02, 0.3)), 1.0),
}
SEED, LEAST = 7, 1
BEHIND = {"top_p": (LEAST,), "min_p": (LEAST,), "xtc": (LEAST, SEED)}
"""The arguments of llama.cpp's samplers behind those of the filter."""


def test_chains_in_any_order_keep_what_llama_cpp_keeps(llama):
    """The temperature stands anywhere among one to four filters."""
    differing = compared = 0
    for rng, rows in row_groups(4, large=False):
        names = list(rng.choice(list(CHAIN), rng.integers(1, 5), replace=False))
        settings = {name: CHAIN[name](rng) for name in names}
        temperature = float32(rng.uniform(0.3, 2))
        place = int(rng.integers(0, len(names) + 1))
        text = [f"{name}({', '.join(map(repr, settings[name]))})" for name in names]
        chain = read(", ".join([*text[:place], "temperature", *text[place:]]))
        samplers = [
            llama.make(name, *(settings[name] if name != "xtc" else settings[name][::-1]), *BEHIND.get(name, ()))
            for name in names
        ]
        samplers.insert(place, llama.make("temp", temperature))
        for row in rows:
            theirs = llama.apply(row, *samplers) > -np.inf
            ours = chain.mask(row.astype(np.float64), temperature, lambda number: 0.0)
            differing += not np.array_equal(np.sort(row[theirs]), np.sort(row[ours]))
            compared += 1
        llama.free(*samplers)

    assert compared == 10_000
    assert differing <= 5, "at the edges of float32"
