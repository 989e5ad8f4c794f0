"""Chains of filters on every backend: the entries that they leave, and the tokens, are those of the formulas."""

from math import inf

import numpy as np
import pytest

from dyntemp import InvalidLogitsError, Policy, sample
from dyntemp.distribution.filter_table import FILTERS
from dyntemp.distribution.filters import Filters
from dyntemp.kernels import backend_of, reference
from dyntemp.kernels.cuts import Cut
from dyntemp.kernels.job import Job
from dyntemp.kernels.rows import as_rows

VALUES = {
    "top_k": ["(1)", "(5)", "(300)"], "top_p": ["(0.1)", "(0.9)", "(0.99)"], "min_p": ["(0.001)", "(0.05)"],
    "top_n_sigma": ["(0.3)", "(1)", "(3.3)"], "typical": ["(0.2)", "(0.9)"], "eta": ["(3e-4)", "(0.02)", "(0.3)"],
    "epsilon": ["(3e-4)", "(0.01)", "(0.1)"], "top_a": ["(0.05)", "(0.9)"], "tfs": ["(0.3)", "(0.97)"],
    "xtc": ["(0.02, 0.5)", "(0.1, 1)"], "p_less": [""], "top_h": ["(0.2)", "(0.5)", "(0.95)"],
}  # fmt: skip
TEMPERATURES = ["0", "0.3", "1", "1.7", "50", "1/0"]


def chains(count, seed):
    """Random chains of up to three filters, half of them with the temperature among them."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        names = rng.choice(list(VALUES), rng.integers(1, 4))
        steps = [str(name) + str(rng.choice(VALUES[name])) for name in names]
        if rng.random() < 0.5:
            steps.insert(int(rng.integers(len(steps) + 1)), "temperature")
        yield Filters.read(", ".join(steps))


def rows(n, seed):
    """Three rows: one plain, one of many equal entries, one with masked entries."""
    rng = np.random.default_rng([n, seed])
    plain, tied, masked = rng.normal(0, 1, (3, n)) * np.exp(rng.uniform(-3, 2, (3, 1)))
    masked[rng.random(n) < 0.6] = -inf
    masked[rng.integers(n)] = 1.0
    return np.stack([plain, np.round(tied * 4) / 4, masked])


def left(outcome, z):
    table = as_rows(z)
    return np.stack([table.kept(row, outcome.cut, outcome.last, outcome.kept) > -inf for row in range(len(z))])


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
@pytest.mark.parametrize("n", [1, 2, 70, 5000])
def test_what_stays_and_what_is_drawn(backend, n, dtype):
    if backend == "reference":
        pytest.skip("is what the others are compared with")
    ours = backend_of(np.zeros(1), backend)
    for seed, filters in enumerate(chains(12 if n > 100 else 25, n)):
        z = rows(n, seed).astype(dtype)
        job = Job((Policy(TEMPERATURES[seed % 6]),), draw=True, filters=filters, seed=seed)
        found, expected = ours.run(z, job), reference.run(z, job)

        np.testing.assert_array_equal(left(expected, z), left(found, z), err_msg=str(filters))
        assert np.count_nonzero(left(found, z), axis=1).tolist() == found.candidates.tolist()
        assert expected.token.tolist() == found.token.tolist(), filters


@pytest.mark.parametrize(
    "chain", ["top_h(0.97)", "tfs(0.99), top_h(0.9)", "top_k(3000), top_h(0.95)", "top_p(0.9), tfs(0.9)"]
)
def test_of_more_entries_than_are_sorted_at_first(chain):
    z = np.round(np.random.default_rng(3).normal(0, 0.4, (2, 9000)) * 64).astype(np.float32) / 64
    job = Job((Policy(1),), draw=True, filters=Filters.read(chain), seed=3)
    expected = left(reference.run(z, job), z)

    assert expected.sum() > 3000
    np.testing.assert_array_equal(expected, left(backend_of(z, "cpu").run(z, job), z))


def test_every_cut_has_a_number():
    assert {name.upper() for name, record in FILTERS.items() if record.cut} == {cut.name for cut in Cut}


@pytest.mark.parametrize("chain", ["typical(0.8)", "top_k(30), temperature, xtc(0.01, 0.7)", "p_less"])
def test_signals_and_memory_are_those_of_the_whole_row(backend, chain):
    """A policy that reads how surprising the token before was, at temperature 1 and of the whole row."""
    policy = Policy("clip(0.3 + 0.2*surprisal, 0.1, 2)")
    z = np.random.default_rng(5).normal(0, 2, (6, 3, 200))

    def temperatures(name):
        state = policy.state(3)
        return [
            sample(z[position], policy, seed=4, position=position, state=state, filters=chain, backend=name).temperature
            for position in range(6)
        ]

    np.testing.assert_allclose(temperatures(backend), temperatures("reference"), rtol=1e-6)


def test_the_coin_is_that_of_the_draw_and_of_no_other_row(backend):
    z = np.log(np.tile([0.4, 0.3, 0.2, 0.1], (2000, 1)))
    drawn = sample(z, 1, seed=9, filters="xtc(0.15, 0.25)", backend=backend)
    alone = sample(z[7], 1, seed=9, request=7, filters="xtc(0.15, 0.25)", backend=backend)

    assert 0.25 == pytest.approx(np.mean(drawn.candidates == 2), abs=0.04)
    assert set(drawn.candidates.tolist()) == {2, 4}
    assert drawn.token[7] == alone.token
    # 1/4 of the rows draw from 0.2 and 0.1, the others from the whole row
    share = np.bincount(drawn.token, minlength=4) / 2000
    assert share == pytest.approx([0.3, 0.225, 0.15 + 0.25 * 2 / 3, 0.075 + 0.25 / 3], abs=0.04)


def test_broken_rows_raise_under_every_chain(backend):
    z = np.zeros((2, 5))
    z[1, 2] = np.nan
    for chain in ("p_less", "typical(0.5)"):
        with pytest.raises(InvalidLogitsError, match="row 1"):
            sample(z, 1, seed=1, filters=chain, backend=backend)


def test_logits_that_are_infinitely_far_apart(backend):
    z = np.array([-8e307, 1.7e308, 1.69e308, -inf])
    for chain, count in (("top_n_sigma(1)", 3), ("epsilon(0.1)", 1), ("top_h(0.5)", 1), ("typical(0.9)", 1)):
        assert count == int(sample(z, 1, seed=1, filters=chain, backend=backend).candidates)


def test_long_and_short_form_draw_the_same(backend):
    z = np.random.default_rng(8).normal(0, 3, (50, 400)).astype(np.float32)
    short = sample(z, 1.3, seed=2, top_k=40, top_p=0.9, min_p=0.02, filter_at="temperature", backend=backend)
    long = sample(z, 1.3, seed=2, filters="temperature, top_k(40), top_p(0.9), min_p(0.02)", backend=backend)

    assert short.token.tolist() == long.token.tolist()
    with pytest.raises(ValueError, match="filters= was given beside"):
        sample(z, 1.3, filters="p_less", top_k=3, backend=backend)


def test_array_api_refuses_what_it_does_not_know_and_names_who_does():
    strict = pytest.importorskip("array_api_strict")
    z = strict.asarray(np.zeros((1, 5), np.float32))

    assert int(sample(z, 1, seed=1, filters="top_k(2)").candidates[0]) == 2
    for chain in ("p_less", "min_p(0.1), top_k(2)", "xtc(0.1, 1)"):
        with pytest.raises(
            ValueError, match=r"array_api backend knows top_k, .*: use the backend cpu, torch or triton"
        ):
            sample(z, 1, seed=1, filters=chain)
