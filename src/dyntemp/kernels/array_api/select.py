"""Selection by halving, without sorting: the k-th highest logit, or the logit that reaches a share of the mass."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dyntemp.distribution.filters import GREEDY_AT, Filters
from dyntemp.kernels.array_api.rows import BlockedRows, Table
from dyntemp.kernels.blocks import BLOCK

HIGHEST_KEY = int(np.float32(np.finfo(np.float32).max).view(np.int32))


def logit_of(key: NDArray[np.int64]) -> NDArray[np.float32]:
    """The float32 of its place in the order of all of them: 0 for 0.0, 1 for the next above, -1 for the next below."""
    return np.where(key < 0, -np.abs(key).astype(np.int32).view(np.float32), key.astype(np.int32).view(np.float32))


def threshold(rows: BlockedRows, values: Any, goal: Table) -> Table:
    """The highest logit of each row at or above which `values`, [rows, blocks, 2048], sum to `goal`.

    Each round halves the float32 between two bounds, and sums over the row once.
    """
    low = np.full(len(rows), -HIGHEST_KEY, np.int64)
    high = np.full(len(rows), HIGHEST_KEY + 1, np.int64)
    while (high - low > 1).any():
        middle = (low + high) // 2
        reached = total_from(rows, values, logit_of(middle)) >= goal
        low, high = np.where(reached, middle, low), np.where(reached, high, middle)
    return logit_of(low).astype(np.float64)


def total_from(rows: BlockedRows, values: Any, logit: NDArray[Any]) -> Table:
    """The sum of `values` over the entries of each row at or above a logit."""
    return rows.sums(rows.xp.where(rows.z >= rows.per_row(logit), values, 0.0))


def total_above(rows: BlockedRows, values: Any, logit: NDArray[Any]) -> Table:
    """The sum of `values` over the entries of each row above a logit."""
    return rows.sums(rows.xp.where(rows.z > rows.per_row(logit), values, 0.0))


def kth_highest(rows: BlockedRows, k: Table) -> Table:
    """The k-th highest logit of each row, k from 1 to its support."""
    return threshold(rows, ones(rows), k)


def ones(rows: BlockedRows) -> Any:
    """1 for each unmasked entry, else 0."""
    return rows.xp.astype(rows.z > -np.inf, rows.xp.float32)


def nth_equal(rows: BlockedRows, kept: Any, logit: Table, nth: Table) -> NDArray[np.int64]:
    """The index of the n-th, from 1, of each row's kept entries that equal a logit; the last if there are fewer."""
    xp = rows.xp
    equal = xp.astype(kept & (rows.z == rows.per_row(logit)), xp.float32)
    reached = np.cumsum(rows.block_sums(equal), axis=1)
    nth = np.minimum(nth, reached[:, -1])
    blocks = (reached < nth[:, None]).sum(axis=1)
    number = np.arange(len(rows))
    before = np.where(blocks > 0, reached[number, np.maximum(blocks - 1, 0)], 0.0)
    here = rows.block_of(number, blocks) == logit[:, None]
    at = BlockedRows(xp, equal, rows.dtype, rows.width, rows.single).block_of(number, blocks) > 0
    within = (np.cumsum(here & at, axis=1) < (nth - before)[:, None]).sum(axis=1)
    return (blocks * BLOCK + within).astype(np.int64)


def index_of(rows: BlockedRows) -> Any:
    """The index of each entry in its row, [blocks, 2048]."""
    return rows.xp.reshape(rows.xp.arange(rows.z.shape[1] * BLOCK, dtype=rows.xp.int32), (-1, BLOCK))


def upper_set(rows: BlockedRows, cut: Table, last: NDArray[np.int64]) -> Any:
    """The mask of the unmasked entries above a logit, and of those equal to it up to the index `last`."""
    xp = rows.xp
    lowest = rows.per_row(np.maximum(cut, -np.finfo(np.float32).max))
    end = xp.asarray(last.astype(np.int32).reshape(-1, 1, 1))
    return (rows.z > lowest) | ((rows.z == lowest) & (index_of(rows) <= end))


def filtered(rows: BlockedRows, temperature: Table, filters: Filters) -> Any:
    """The mask of the entries that top-k, top-p and min-p, in this order, leave; ties go to the lower index."""
    everything = rows.z > -np.inf
    if not filters.active:
        return everything
    if filters.short is None:
        raise ValueError(
            f"the filters `{filters}` were given; the array_api backend knows top_k, top_p and min_p alone, in this "
            "order and on one side of the temperature: use the backend cpu, torch or triton"
        )
    t = np.ones(len(rows)) if filters.at == "model" else temperature
    greedy = t <= GREEDY_AT
    kept = everything
    if filters.top_k:
        k = np.minimum(filters.top_k, rows.support)
        cut = kth_highest(rows, k)
        kept = upper_set(rows, cut, nth_equal(rows, kept, cut, k - total_above(rows, ones(rows), cut)))
    if filters.top_p < 1:
        weights = rows.xp.where(kept, rows.weights(1 / t), 0.0)
        goal = filters.top_p * rows.sums(weights)
        cut = threshold(rows, weights, goal)
        with np.errstate(over="ignore", invalid="ignore"):
            weight = np.where(np.isinf(t), 1.0, np.exp((cut - rows.top) / t))
        missing = np.ceil((goal - total_above(rows, weights, cut)) / np.where(weight > 0, weight, 1.0))
        kept = kept & upper_set(rows, cut, nth_equal(rows, kept, cut, np.maximum(missing, 1.0)))
    if filters.min_p > 0:
        with np.errstate(invalid="ignore"):
            limit = np.where(np.isinf(t), -np.inf, rows.top + t * np.log(filters.min_p))
        kept = kept & (rows.z >= rows.per_row(_at_least(limit)))
    if greedy.any():
        first = nth_equal(rows, everything, rows.top, np.ones(len(rows)))
        only = upper_set(rows, rows.top, first)
        kept = rows.xp.where(rows.xp.asarray(greedy.reshape(-1, 1, 1)), only, kept)
    return kept


def _at_least(limit: Table) -> NDArray[np.float32]:
    """The lowest float32 that is no lower."""
    with np.errstate(over="ignore"):
        near = limit.astype(np.float32)
    return np.where(near < limit, np.nextafter(near, np.float32(np.inf)), near)
