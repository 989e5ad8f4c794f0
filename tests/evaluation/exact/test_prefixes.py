"""Sorted lists of rows against sums and masks over the full rows, in float64."""

import numpy as np
import pytest

from dyntemp.distribution.filters import Filters
from dyntemp.evaluation.exact.cuts import KEEP, kept_by
from dyntemp.evaluation.exact.prefixes import SINGLE, Prefixes

CHAINS = (
    "top_k(7)", "top_p(0.4)", "top_p(0.9)", "min_p(0.05)", "top_n_sigma(1)", "eta(0.002)", "epsilon(0.001)",
    "top_a(0.2)", "tfs(0.95)", "p_less()", "top_h(0.4)", "top_k(20), top_p(0.8), min_p(0.02)", "top_k(30), tfs(0.9)",
    "temperature, min_p(0.1)", "top_p(0.95), temperature, p_less()", "temperature, top_p(0.6), epsilon(0.01)",
)  # fmt: skip


def prefixes(rows):
    return Prefixes.of(-np.sort(-rows, axis=1))


def full_sums(rows, inverse, kept):
    """ln sum exp(d/T) and the mean of d over the `kept` likeliest entries of each row."""
    depth = -np.sort(-rows.astype(np.float64), axis=1)
    depth -= depth[:, :1]
    weight = np.where(np.arange(rows.shape[1]) < kept[:, None], np.exp(depth * inverse[:, None]), 0)
    shown = np.where(weight > 0, depth, 0)
    return np.log(weight.sum(axis=1)), (weight * shown).sum(axis=1) / weight.sum(axis=1)


@pytest.mark.parametrize("scale", [0.3, 1, 3, 8])
@pytest.mark.parametrize("tails", ["light", "heavy"])
def test_sums_at_every_temperature(scale, tails):
    generator = np.random.default_rng(1)
    draw = generator.standard_normal if tails == "light" else lambda shape: generator.standard_t(3, shape)
    rows = (draw((4, 20_000)) * scale).astype(np.float32)
    found = prefixes(rows)

    for temperature in np.geomspace(0.02, 50, 25):
        inverse = np.full(4, 1 / temperature)
        log_partition, mean = full_sums(rows, inverse, found.support)
        sums = found.sums(inverse, found.support)
        np.testing.assert_allclose(sums.log_partition, log_partition, rtol=0, atol=1e-6)
        np.testing.assert_allclose(inverse * sums.mean, inverse * mean, rtol=0, atol=3e-6)


@pytest.mark.parametrize("kept", [1, 5, SINGLE, SINGLE + 40, 700])
def test_sums_over_a_prefix(kept):
    rows = np.random.default_rng(2).normal(0, 2, (5, 900)).astype(np.float32)
    rows[2, 100:] = -np.inf
    found = prefixes(rows)
    count = np.minimum(found.support, kept)

    sums = found.sums(np.full(5, 0.7), count)

    assert found.support.tolist() == [900, 900, 100, 900, 900]
    log_partition, mean = full_sums(rows, np.full(5, 0.7), count)
    np.testing.assert_allclose(sums.log_partition, log_partition, rtol=0, atol=1e-3 if kept > SINGLE else 1e-6)
    np.testing.assert_allclose(sums.mean, mean, rtol=0, atol=1e-2 if kept > SINGLE else 1e-6)


def test_uniform_draws_count_the_kept_entries():
    sums = prefixes(np.random.default_rng(0).normal(0, 5, (1, 3000)).astype(np.float32)).sums(
        np.zeros(1), np.array([1234])
    )

    assert sums.log_partition == pytest.approx(np.log(1234), abs=1e-12)


@pytest.mark.parametrize("text", CHAINS)
@pytest.mark.parametrize("entries", [1, 2, 5, SINGLE])
def test_chains_keep_what_their_masks_keep(text, entries):
    generator = np.random.default_rng(entries)
    rows = (generator.normal(0, 1, (40, entries)) * 10 ** generator.uniform(-1, 1, (40, 1))).astype(np.float32)
    rows[:5] = np.round(rows[:5])
    rows[5] = 0
    rows[6:12, entries // 2 + 1 :] = -np.inf
    temperature = generator.choice([0, 0.3, 1, 1.7, np.inf], 40)
    inverse = np.array([np.inf if t == 0 else 1 / t for t in temperature])
    filters = Filters.read(text)

    kept = kept_by(prefixes(rows), filters, inverse)

    assert kept.tolist() == [
        filters.mask(row.astype(np.float64), t).sum() for row, t in zip(rows, temperature, strict=True)
    ]


@pytest.mark.parametrize("text", CHAINS)
def test_chains_that_cut_in_a_block_keep_nearly_what_their_masks_keep(text):
    generator = np.random.default_rng(3)
    rows = (generator.normal(0, 1, (30, 5000)) * 10 ** generator.uniform(-1, 1, (30, 1))).astype(np.float32)
    filters = Filters.read(text)

    kept = kept_by(prefixes(rows), filters, np.full(30, 1 / 1.3))

    wanted = np.array([filters.mask(row.astype(np.float64), 1.3).sum() for row in rows])
    exact = wanted < SINGLE
    assert kept[exact].tolist() == wanted[exact].tolist()
    np.testing.assert_allclose(kept, wanted, rtol=0.04)


def test_every_cut_is_known():
    from dyntemp.distribution.filter_table import FILTERS

    assert set(KEEP) == {name for name, record in FILTERS.items() if record.cut}


@pytest.mark.parametrize("text", ["typical(0.5)", "xtc(0.1, 0.5)", "temperature, tfs(0.9)"])
def test_other_chains_are_refused(text):
    with pytest.raises(ValueError, match="sample this chain instead"):
        kept_by(prefixes(np.zeros((1, 4), np.float32)), Filters.read(text), np.ones(1))
