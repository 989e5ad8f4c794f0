"""The curves of draws for many rows at once: ln of the sum over the kept entries at 49 temperatures.

`dyntemp.distribution.draw_curve` has the formula. T_k is half of T_{k+8}, so that exp(d/T_k) is the square of
exp(d/T_{k+8}): one exponential and two squares serve three temperatures. Further squares would lose digits.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dyntemp.distribution.draw_curve import EACH_OCTAVE, TEMPERATURES
from dyntemp.kernels.cpu.backend import COMPUTE, flat_memory
from dyntemp.kernels.cpu.blocks import block_top
from dyntemp.kernels.cpu.compare import count_equal
from dyntemp.kernels.cpu.sources import digest
from dyntemp.kernels.cpu.vectors import exponential, larger, load, type_of, vector, wide_vectors
from dyntemp.kernels.job import Outcome
from dyntemp.kernels.rows import Rows

PART = 512
"""Entries that are summed at a time, in the type of the row; the sums of parts are added in float64."""

FIRST = np.array([*range(48, 40, -1), *range(24, 16, -1), 0])
"""The numbers k of the temperatures whose exponentials are computed, falling; their squares serve k-8 and k-16."""

FAR = -40.0
"""A part whose entries all lie this many nats below the largest adds less than 1e-11 to a sum of at least 1."""

LOWEST, LEAST = -80.0, 2.0**-62
"""Exponents count as at least the one, and exponentials as at least the other before they are squared.

Neither adds to a sum. Without them, exponentials and squares would be denormal numbers, which take ten times as long.
"""


class RowSums(NamedTuple):
    """Sums over what the filters left of some rows.

    Attributes:
        highest: The largest logit of each row, [rows].
        totals: ln of the sum of exp((x - highest)/T) at each of `TEMPERATURES`, [rows, 49].
    """

    highest: NDArray[np.float64]
    totals: NDArray[np.float64]


def draw_curves(rows: Rows, outcome: Outcome) -> RowSums:
    """The sums that the curves of the draws from some rows hold.

    Rows of float32 and of the half precisions are summed in float32; a sum is then off by less than 2e-6 of itself.

    Args:
        rows: The rows, whose filters were all cuts.
        outcome: What `backend.run` returned for a draw from them.
    """
    masked_at, _ = COMPUTE[rows.dtype]
    flat, stride = flat_memory(rows.data, rows.dtype)
    count, n = rows.data.shape
    cut = np.full(count, -np.inf) if outcome.cut is None else outcome.cut
    last = np.full(count, n - 1) if outcome.last is None else outcome.last
    found = RowSums(np.empty(count), np.empty((count, len(TEMPERATURES))))
    _fill(flat, n, stride, masked_at, cut, last, *found)
    return found


@vector
def power_sums(part, top, a, above):
    """Sums of e, e**2 and e**4 over the entries above `above`; e is exp((x - top)*a)."""
    wide_vectors()
    lowest, least, nothing = type_of(top, LOWEST), type_of(top, LEAST), type_of(top, 0.0)
    once = twice = fourfold = nothing
    for i in range(len(part)):
        x = load(part[i])
        d = (x - top) * a
        d = lowest if d < lowest else d
        d = d if x > above else lowest
        e = exponential(d, nothing)
        once += e
        e = larger(e, least)
        e *= e
        twice += e
        e = larger(e, least)
        e *= e
        fourfold += e
    return once, twice, fourfold


def _compiled(sources: str) -> Any:
    """The compiled function, kept on disk for these sources; see `entry_points`."""

    @njit(cache=True, nogil=True, error_model="numpy", no_cfunc_wrapper=True)
    def fill(flat, n, stride, masked_at, cut, last, highest, totals):
        _ = sources
        for r in range(len(cut)):
            row, sums = flat[r * stride : r * stride + n], totals[r]
            top = block_top(row)
            highest[r] = top
            above = type_of(masked_at, max(cut[r], np.float64(masked_at)))
            sums[:] = 0.0
            for start in range(0, n, PART):
                part = row[start : start + PART]
                depth = np.float64(block_top(part)) - highest[r]
                if depth + highest[r] <= above:
                    continue
                for k in FIRST:
                    if depth < FAR * TEMPERATURES[k]:
                        break  # colder temperatures follow
                    once, twice, fourfold = power_sums(part, top, type_of(top, 1.0 / TEMPERATURES[k]), above)
                    sums[k] += once
                    if k >= EACH_OCTAVE:
                        sums[k - EACH_OCTAVE] += twice
                        sums[k - 2 * EACH_OCTAVE] += fourfold
            depth, tied = cut[r] - highest[r], 0
            if cut[r] > masked_at:
                tied = count_equal(row[: last[r] + 1], above)
            for k in range(len(sums)):
                sums[k] = math.log(sums[k] + tied * math.exp(depth / TEMPERATURES[k]))

    return fill


_fill = _compiled(digest(__name__))
