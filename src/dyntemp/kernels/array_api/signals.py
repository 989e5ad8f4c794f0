"""The signals of rows of any array library: sums of blocks in float32, combined on the host in float64."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from dyntemp.kernels.array_api.rows import BlockedRows, Table
from dyntemp.kernels.array_api.select import kth_highest, ones, total_above


class Softmax:
    """Sums of the distribution of each row at temperature 1, all [rows]."""

    def __init__(self, rows: BlockedRows) -> None:
        self.rows = rows
        self.n = rows.support
        present = rows.tops > -np.inf
        xp, tops = rows.xp, np.where(present, rows.tops, 0.0)
        below = rows.z - xp.asarray(tops.astype(np.float32))[:, :, None]
        e = xp.exp(below)
        some = e > 0
        self.sums = rows.block_sums(e)
        """The sum of each block relative to its highest logit, [rows, blocks]."""
        safe = np.where(present, self.sums, 1.0)
        mean = rows.block_sums(xp.where(some, below * e, 0.0)) / safe
        away = xp.where(some, below - xp.asarray(mean.astype(np.float32))[:, :, None], 0.0)
        spread = rows.block_sums(e * away * away)
        share = np.where(present, np.exp(tops - rows.top[:, None]), 0.0)
        weight = self.sums * share
        self.whole = weight.sum(axis=1)
        mean = np.where(weight > 0, mean + tops - rows.top[:, None], 0.0)
        self.mean = (weight * mean).sum(axis=1) / self.whole
        off = np.where(weight > 0, mean - self.mean[:, None], 0.0)
        self.variance = (share * spread + weight * off * off).sum(axis=1) / self.whole
        self.squares = (share * share * rows.block_sums(e * e)).sum(axis=1) / self.whole**2

    @cached_property
    def entropy(self) -> Table:
        """In nats."""
        return np.clip(np.log(self.whole) - self.mean, 0.0, np.log(self.n)) + 0.0

    def p(self, logit: Table) -> Table:
        """The probability of an entry with this logit."""
        return np.exp(logit - self.rows.top) / self.whole


def quantile(softmax: Softmax, q: float) -> Table:
    """Linearly interpolated between the two order statistics around it."""
    at = q * (softmax.n - 1)
    low = softmax.p(kth_highest(softmax.rows, softmax.n - np.floor(at)))
    high = softmax.p(kth_highest(softmax.rows, softmax.n - np.ceil(at)))
    return np.minimum(low + (high - low) * (at - np.floor(at)), 1 / (softmax.n - np.ceil(at)))


def margin(softmax: Softmax) -> Table:
    """The probability of the likeliest entry less that of the second."""
    second = kth_highest(softmax.rows, np.minimum(2.0, softmax.n))
    lead = (1 - np.exp(second - softmax.rows.top)) / softmax.whole
    return np.where(softmax.n > 1, np.minimum(lead, 1.0), 1.0)


def top_mass(softmax: Softmax, k: float) -> Table:
    """The probability of the k likeliest entries together."""
    rows, n = softmax.rows, softmax.n
    cut = kth_highest(rows, np.minimum(k, n))
    ties = np.minimum(k, n) - total_above(rows, ones(rows), cut)
    mass = total_above(rows, rows.weights(1.0), cut) / softmax.whole + ties * softmax.p(cut)
    return np.where(k < n, np.clip(mass, k / n, 1.0), 1.0)


MEASURES: dict[str, Callable[..., Table]] = {
    "max_prob": lambda softmax: np.clip(1 / softmax.whole, 1 / softmax.n, 1.0),
    "entropy": lambda softmax: softmax.entropy,
    "normalized_entropy": lambda softmax: softmax.entropy / np.where(softmax.n > 1, np.log(softmax.n), 1.0),
    "perplexity": lambda softmax: np.minimum(np.exp(softmax.entropy), softmax.n),
    "quantile": quantile,
    "median_prob": lambda softmax: quantile(softmax, 0.5),
    "margin": margin,
    "collision": lambda softmax: np.clip(softmax.squares, 1 / softmax.n, 1.0),
    "varentropy": lambda softmax: np.where(softmax.n > 1, softmax.variance, 0.0),
    "top_mass": top_mass,
    "support": lambda softmax: softmax.n,
}


def solve_entropy(rows: BlockedRows, target: NDArray[np.float64]) -> Table:
    """T with entropy(softmax(z/T)) = target, of each row: Newton on ln T inside a bracket, all rows at once."""
    ties = rows.counts(rows.z == rows.per_row(rows.top))
    low, high, now = (np.full(len(rows), start) for start in (-700.0, 700.0, 0.0))
    open_ = (target > np.log(ties)) & (target < np.log(rows.support))
    for _ in range(200):
        value, slope = tempered(rows, np.exp(-now))
        excess = value - target
        low, high = np.where(excess < 0, now, low), np.where(excess < 0, high, now)
        middle = (low + high) / 2
        middle = np.where((low == -700.0) & (now == high), np.maximum(high - 2, middle), middle)
        middle = np.where((high == 700.0) & (now == low), np.minimum(low + 2, middle), middle)
        newton = np.where(slope > 0, now - excess / np.where(slope > 0, slope, 1.0), np.inf)
        step = np.where((newton > low) & (newton < high), newton, middle) - now
        now = now + np.where(open_ & (excess != 0), step, 0.0)
        if not (open_ & (excess != 0) & (np.abs(step) > 1e-8 * np.maximum(1.0, np.abs(now)))).any():
            break
    ends = np.where(target >= np.log(rows.support), np.inf, 0.0)
    return np.where(open_, np.exp(now), ends)


def tempered(rows: BlockedRows, inverse: Table) -> tuple[Table, Table]:
    """The entropy of softmax(z/T) of each row, and its slope in ln T, which is its varentropy."""
    xp = rows.xp
    e = rows.weights(inverse)
    steps = rows.per_row(np.minimum(inverse * 2, np.finfo(np.float32).max))
    exponent = xp.where(e > 0, rows.half_below * steps, 0.0)
    whole = rows.sums(e)
    mean = rows.sums(exponent * e) / whole
    return np.log(whole) - mean, np.maximum(rows.sums(exponent * exponent * e) / whole - mean**2, 0.0)
