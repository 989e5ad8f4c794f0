"""Filters against the logits processors of transformers, on 10,000 random rows each.

transformers gives its processors float32 logits, whatever the model computes in.
"""

import numpy as np
import pytest
from tests.distribution.edges import Tally, explained_typical, kept, read
from tests.distribution.programs import row_groups

torch = pytest.importorskip("torch")
processors = pytest.importorskip("transformers.generation.logits_process")


def left(rows, *warpers):
    """The mask of what processors leave, [rows, n]."""
    scores = torch.from_numpy(rows)
    for warper in warpers:
        scores = warper(None, scores)
    return scores.numpy() > -np.inf


CUTS = {
    "top_p": (processors.TopPLogitsWarper, lambda rng: rng.uniform(0.001, 0.999)),
    "min_p": (processors.MinPLogitsWarper, lambda rng: 10 ** rng.uniform(-6, 0)),
    "epsilon": (processors.EpsilonLogitsWarper, lambda rng: 10 ** rng.uniform(-5, -0.01)),
    "eta": (processors.EtaLogitsWarper, lambda rng: 10 ** rng.uniform(-5, -0.01)),
}


@pytest.mark.parametrize("name", CUTS)
def test_cuts_keep_what_transformers_keeps(name):
    warper, draw = CUTS[name]
    tally = Tally()
    for rng, rows in row_groups(sum(map(ord, name))):
        setting = float(draw(rng))
        for row, theirs in zip(rows, left(rows, warper(setting)), strict=True):
            tally.compare(row, theirs & (row > -np.inf), f"{name}({{!r}})", setting)

    tally.check()


def test_top_k_keeps_what_transformers_keeps_of_unequal_entries():
    """transformers keeps all entries that equal the k-th, dyntemp as many as make k."""
    tied = compared = 0
    for rng, rows in row_groups(1):
        k = int(rng.integers(1, rows.shape[1] + 3))
        for row, theirs in zip(rows, left(rows, processors.TopKLogitsWarper(k)), strict=True):
            ours = kept(row, f"top_k({k})")
            assert np.count_nonzero(ours) == min(k, np.count_nonzero(row > -np.inf))
            assert not (ours & ~theirs).any()
            assert (row[theirs & ~ours] == row[ours].min()).all()
            tied += not np.array_equal(ours, theirs)
            compared += 1

    assert compared >= 10_000
    assert 0.05 * compared < tied < 0.3 * compared


def test_typical_keeps_what_transformers_keeps_of_unequal_entries():
    """transformers keeps all entries that are as near to the entropy as the last one, dyntemp the first of them."""
    differing = compared = 0
    for rng, rows in row_groups(3):
        share = float(rng.uniform(0.01, 0.99))
        for row, theirs in zip(rows, left(rows, processors.TypicalLogitsWarper(share)), strict=True):
            ours = kept(row, f"typical({share!r})")
            if not np.array_equal(np.unique(row[ours]), np.unique(row[theirs])):
                explained_typical(row, theirs, share)
                differing += 1
            compared += 1

    assert compared >= 10_000
    assert differing <= 0.001 * compared


def test_top_h_differs_from_transformers_as_the_table_says():
    """transformers adds up -p ln p over the likeliest, without making their sum 1, and looks at 100 of them.

    Rows with less than 0.001 nats are left out: float32 has no such small terms -p ln p near p = 1.
    """
    same = compared = differing = 0
    for rng, rows in row_groups(5, large=False):
        if rows.shape[1] > 100:
            continue
        alpha = float(rng.uniform(0.05, 0.99))
        for row, theirs in zip(rows, left(rows, processors.TopHLogitsWarper(alpha)), strict=True):
            p = np.exp(np.sort(row.astype(np.float64))[::-1] - row.max())
            p /= p.sum()
            terms = -p * np.log(np.where(p > 0, p, 1))
            added, whole = np.cumsum(terms), terms.sum()
            if 0 < whole < 1e-3:
                continue
            count = np.count_nonzero(theirs & (row > -np.inf))
            differing += max(np.count_nonzero((added <= alpha * whole) & (p > 0)), 1) != count
            same += count == np.count_nonzero(kept(row, f"top_h({alpha!r})"))
            compared += 1

    assert compared >= 7_000
    assert differing <= 0.001 * compared
    assert 0.2 * compared < same < 0.9 * compared


CHAIN = {
    "top_k": (processors.TopKLogitsWarper, lambda rng: int(rng.integers(2, 60))),
    "top_p": (processors.TopPLogitsWarper, lambda rng: float(rng.uniform(0.3, 0.99))),
    "min_p": (processors.MinPLogitsWarper, lambda rng: float(10 ** rng.uniform(-3, -0.3))),
    "epsilon": (processors.EpsilonLogitsWarper, lambda rng: float(10 ** rng.uniform(-4, -0.5))),
    "eta": (processors.EtaLogitsWarper, lambda rng: float(10 ** rng.uniform(-4, -0.5))),
}


def test_chains_in_any_order_keep_what_transformers_keeps():
    """The temperature stands anywhere among one to four filters. Rows with ties are left out for top-k's sake."""
    differing = compared = 0
    for rng, rows in row_groups(6, large=False):
        names = list(rng.choice(list(CHAIN), rng.integers(1, 5), replace=False))
        settings = {name: CHAIN[name][1](rng) for name in names}
        temperature, place = float(rng.uniform(0.3, 2)), int(rng.integers(0, len(names) + 1))
        text = [f"{name}({settings[name]!r})" for name in names]
        chain = ", ".join([*text[:place], "temperature", *text[place:]])
        warpers = [CHAIN[name][0](settings[name]) for name in names]
        warpers.insert(place, processors.TemperatureLogitsWarper(temperature))
        for row, theirs in zip(rows, left(rows, *warpers), strict=True):
            inside = row[row > -np.inf]
            if len(np.unique(inside)) == len(inside):
                ours = read(chain).mask(row.astype(np.float64), temperature)
                differing += not np.array_equal(theirs & (row > -np.inf), ours)
                compared += 1

    assert compared >= 5_000
    assert differing <= 5, "at the edges of float32"
