"""Sums over the distribution that each row was drawn from, for records without alternatives."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dyntemp.distribution.filters import GREEDY_AT
from dyntemp.kernels.blocks import BLOCK
from dyntemp.kernels.cpu.backend import COMPUTE, flat_memory
from dyntemp.kernels.cpu.blocks import block_moments, block_top
from dyntemp.kernels.cpu.compare import count_equal
from dyntemp.kernels.cpu.sources import digest
from dyntemp.kernels.cpu.vectors import type_of
from dyntemp.kernels.job import Outcome
from dyntemp.kernels.rows import Rows


def draw_sums(rows: Rows, outcome: Outcome) -> NDArray[np.float64]:
    """The largest logit m of each row, ln of the sum of exp((x - m)/T) over what the filters left, and the entropy.

    Args:
        rows: The rows, whose filters were all cuts.
        outcome: What `backend.run` returned for a draw from them.

    Returns:
        [3, rows]; the last two are 0 for a greedy draw. The entropy is in nats.
    """
    masked_at, _ = COMPUTE[rows.dtype]
    flat, stride = flat_memory(rows.data, rows.dtype)
    count, n = rows.data.shape
    cut = np.full(count, -np.inf) if outcome.cut is None else outcome.cut
    last = np.full(count, n - 1) if outcome.last is None else outcome.last
    sums = np.empty((3, count))
    _fill(flat, n, stride, masked_at, outcome.temperature, outcome.candidates, cut, last, sums)
    return sums


def _compiled(sources: str) -> Any:
    """The compiled function, kept on disk for these sources; see `entry_points`."""

    @njit(cache=True, nogil=True, error_model="numpy", no_cfunc_wrapper=True)
    def fill(flat, n, stride, masked_at, temperature, candidates, cut, last, sums):
        _ = sources
        for r in range(len(temperature)):
            row, t = flat[r * stride : r * stride + n], temperature[r]
            top = block_top(row)
            sums[0, r], sums[1, r], sums[2, r] = top, 0.0, 0.0
            if t <= GREEDY_AT:
                continue
            if t == np.inf:
                sums[1, r] = sums[2, r] = math.log(candidates[r])
                continue
            above = type_of(masked_at, max(cut[r], np.float64(masked_at)))
            total = weighted = 0.0
            for start in range(0, n, BLOCK):
                block = row[start : start + BLOCK]
                zero, first, _ = block_moments(block, top, type_of(top, 1.0 / t), type_of(top, 0.0), above)
                total, weighted = total + zero, weighted + first
            if cut[r] > masked_at:
                d = (cut[r] - np.float64(top)) / t
                tied = count_equal(row[: last[r] + 1], above) * math.exp(d)
                total, weighted = total + tied, weighted + d * tied
            sums[1, r] = math.log(total)
            sums[2, r] = max(sums[1, r] - weighted / total, 0.0)

    return fill


_fill = _compiled(digest(__name__))
