"""The masks of the filters, written like their formulas, in float64.

A filter reads the entries that the one before it left, with probabilities that sum to 1 over these. It keeps at least
one of them. Ties go to the lower index, except where a filter keeps all equal entries or none.
"""

from __future__ import annotations

from math import exp, inf, log, nan, sqrt
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]

SLACK = 1e-12
"""Relative slack of comparisons, so that rounding does not part entries from a bound that they equal: with four equal
entries, p = 1/4 is the sum of p**2."""


class Remaining(NamedTuple):
    """The entries of a row that a filter reads.

    Attributes:
        z: Logits, [n]; -inf for entries that are masked or were filtered out.
        w: exp((z - max)/T), [n]; 0 for these entries. The probabilities are w/sum(w).
        coin: A number in (0, 1) that belongs to the draw and the filter; NaN where no filter of the chain reads one.
    """

    z: Values
    w: Values
    coin: float = nan


def keep_top_k(values: Values, k: int) -> Mask:
    """The k largest above -inf, exactly; ties by lower index. Logits and probabilities have the same order.

    >>> keep_top_k(np.array([0.2, 0.4, 0.2, 0.2]), 2).tolist()
    [True, True, False, False]
    """
    if k >= len(values):
        return values > -np.inf
    smallest = np.partition(values, len(values) - k)[len(values) - k]
    above = values > smallest
    ties = np.flatnonzero(values == smallest)[: k - np.count_nonzero(above)]
    above[ties] = True
    return above & (values > -np.inf)


def keep_top_p(z: Values, p: Values, share: float) -> Mask:
    """The likeliest, in the order of `z`, up to and with the one that brings the sum of `p` to `share` of the whole.

    >>> p = np.array([0.1, 0.2, 0.3, 0.4])
    >>> keep_top_p(np.log(p), p, 0.8).tolist()
    [False, True, True, True]
    """
    order = likeliest_first(z)
    reached = np.cumsum(p[order])
    return first(order, int(np.searchsorted(reached, share * reached[-1] * (1 - SLACK))) + 1)


def likeliest_first(z: Values) -> NDArray[np.intp]:
    """The indices of a row in the order of falling logits, ties by lower index."""
    return np.argsort(-z, kind="stable")


def first(order: NDArray[np.intp], count: int) -> Mask:
    """The mask of the first `count` indices of `order`, which has all of them."""
    kept = np.zeros(len(order), bool)
    kept[order[:count]] = True
    return kept


def keep_top_n_sigma(z: Values, n: float) -> Mask:
    """The entries whose logits lie at most n standard deviations below the largest."""
    with np.errstate(over="ignore", invalid="ignore"):
        sigma = float(z[z > -inf].std())
    return z >= z.max() - n * sigma * (1 + SLACK) if sigma < inf else z > -inf  # logits of 1e308 deviate infinitely far


def keep_from(w: Values, least: float) -> Mask:
    """The entries whose weight is at least `least`; those of the largest weight, 1, where none is."""
    return w >= min(least * (1 - SLACK), 1.0)


def entropy(w: Values) -> float:
    """The entropy of w/sum(w), nats."""
    total, e = float(w.sum()), w[w > 0]
    return max(log(total) - float(e @ np.log(e)) / total, 0.0)


def keep_eta(w: Values, epsilon: float) -> Mask:
    """The entries with p >= min(epsilon, sqrt(epsilon)*exp(-H))."""
    return keep_from(w, min(epsilon, sqrt(epsilon) * exp(-entropy(w))) * float(w.sum()))


def keep_p_less(w: Values) -> Mask:
    """The entries with p >= sum(p**2)."""
    return keep_from(w, float(w @ w) / float(w.sum()))


def keep_top_h(z: Values, w: Values, alpha: float) -> Mask:
    """The likeliest, as many as have together an entropy of at most alpha times that of the row.

    The entropy of the k likeliest, renormalised, rises with k; entries whose weight rounds to 0 come after all that.
    """
    order = likeliest_first(z)
    e = w[order]
    total = np.cumsum(e)
    h = np.log(total) - np.cumsum(e * np.log(np.where(e > 0, e, 1.0))) / total
    within = np.searchsorted(np.where(e > 0, h, inf), alpha * h[-1] * (1 + SLACK), side="right")
    return first(order, max(int(within), 1))


def keep_tfs(z: Values, w: Values, share: float) -> Mask:
    """The entries before the tail: the likeliest up to `share` of the sum of |second differences| of the sorted p.

    Where p falls on a straight line, every difference counts alike.
    """
    count = int(np.count_nonzero(z > -inf))
    order = likeliest_first(z)
    if count <= 2:
        return first(order, count)
    bends = np.abs(np.diff(w[order[:count]], 2))
    if float(bends.sum()) <= SLACK:
        bends = np.ones_like(bends)
    reached = np.cumsum(bends)
    return first(order, 1 + int(np.searchsorted(reached, share * reached[-1] * (1 + SLACK), side="right")))


def keep_typical(z: Values, w: Values, share: float) -> Mask:
    """The entries whose surprisal is nearest to the entropy, up to and with the one that brings them to `share`."""
    kept = z > -inf
    surprisal = log(float(w.sum())) - np.log(w, where=w > 0, out=np.full(len(w), -inf))
    order = np.argsort(np.where(kept, np.abs(surprisal - entropy(w)), inf), kind="stable")
    reached = np.cumsum(w[order])
    return first(order, int(np.searchsorted(reached, share * reached[-1] * (1 - SLACK))) + 1) & kept


def keep_xtc(left: Remaining, threshold: float, probability: float) -> Mask:
    """With `probability`, of the entries with p >= threshold only the least likely; all others stay."""
    kept = left.z > -inf
    choices = kept & (left.w >= threshold * float(left.w.sum()) * (1 - SLACK))
    if left.coin >= probability or np.count_nonzero(choices) < 2:
        return kept
    kept &= ~choices
    kept[int(np.argmin(np.where(choices, left.z, inf)))] = True
    return kept
