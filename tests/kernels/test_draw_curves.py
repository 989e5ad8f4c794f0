"""Sums for the curves of many draws, beside the formula over each row."""

import numpy as np
import pytest

from dyntemp.distribution.draw_curve import draw_curve
from dyntemp.distribution.filters import Filters
from dyntemp.kernels.cpu import backend as cpu
from dyntemp.kernels.cpu.draw_curves import PART, draw_curves
from dyntemp.kernels.job import Job, Outcome
from dyntemp.kernels.rows import Rows, as_rows
from dyntemp.language.policy import Policy

WITHIN = {"float64": 1e-12, "float32": 2e-6, "float16": 2e-6, "bfloat16": 2e-6}
FILTERS = ("", "top_k(1)", "top_k(40)", "top_p(0.9)", "min_p(0.02)", "min_p(0.0001), temperature, top_k(300)")


def made(count, n, seed=0):
    """Rows that are spread from narrow to peaked, with masked entries, ties and a flat row, float64 [count, n]."""
    random = np.random.default_rng(seed)
    z = random.normal(0, 1, (count, n)) * np.geomspace(0.2, 12, count)[:, None] + random.normal(0, 20, (count, 1))
    z[1] = z[1].round()  # many ties
    z[2, random.random(n) < 0.7] = -np.inf
    z[3] = 1.5
    z[4, 0] = z[4].max() + 18.0  # one token, and all others far below
    z[5, 1:] = z[5, 0] - 11.0  # a plain
    return z


def as_bfloat16(z):
    """Rows of bfloat16, by the upper bits of float32."""
    return Rows((z.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16).view(np.int16), "bfloat16")


def off(rows, outcome):
    """The largest relative error of a sum, and of a largest logit."""
    found = draw_curves(rows, outcome)
    errors = []
    for row in range(len(rows)):
        kept = rows.kept(row, outcome.cut, outcome.last)
        kept = kept[kept > -np.inf]
        _, totals = draw_curve(kept, 0.0)

        assert found.highest[row] == kept.max()
        errors.append(np.abs(np.expm1(found.totals[row] - totals)).max())
    return max(errors)


@pytest.mark.parametrize("n", [6, PART - 1, PART + 1, 5_000, 49_152])
@pytest.mark.parametrize("filters", FILTERS)
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_sums_are_those_of_the_formula(dtype, filters, n):
    z = made(8, n, seed=n).astype(dtype)
    job = Job((Policy("0.7"),), draw=True, filters=Filters.read(filters))

    assert off(as_rows(z), cpu.run(z, job)) < WITHIN[dtype]


@pytest.mark.parametrize("last", [None, 20, 700])
def test_bfloat16_and_a_cut_among_ties(last):
    rows = as_bfloat16(made(8, 3_000).clip(-300))
    outcome = Outcome("cpu", {})
    if last is not None:
        outcome.cut = np.array([np.sort(rows.widened(row))[-40] for row in range(8)], np.float64)
        outcome.last = np.full(8, last)

    assert off(rows, outcome) < WITHIN["bfloat16"]


def test_entries_that_add_up_from_far_below_are_not_skipped():
    """2**20 entries of weight exp(-8) are nearly all of the sum at T = 1, and a tenth of it at T = 0.5."""
    z = np.full((1, 2**20), -8.0, np.float32)
    z[0, -1] = 0.0

    assert off(as_rows(z), Outcome("cpu", {})) < WITHIN["float32"]


def test_entries_beyond_the_reach_of_float32_are_nothing():
    z = np.full((1, 3_000), -3e4, np.float32)
    z[0, 100] = 9.0
    z[0, ::3] = -1e38

    assert off(as_rows(z), Outcome("cpu", {})) < WITHIN["float32"]


def test_rows_may_lie_apart_in_memory():
    z = made(8, 4_000).astype(np.float32)[:, :3_000]

    assert off(as_rows(z), Outcome("cpu", {})) < WITHIN["float32"]
