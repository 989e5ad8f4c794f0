"""One read of a row: the largest logit and the mass of each block, and the sums over the row for moment signals.

For each block of 2,048 logits, a vector loop keeps the maximum and the sums, relative to the largest logit so far. The
blocks are combined in float64. Rows of float32 and of the half precisions are computed in float32, float64 in float64.
"""

from __future__ import annotations

import math

import numpy as np
from numba import types
from numba.extending import overload

from dyntemp.kernels.blocks import BLOCK
from dyntemp.kernels.cpu.arguments import Moments
from dyntemp.kernels.cpu.compare import count_above
from dyntemp.kernels.cpu.emit import LN2
from dyntemp.kernels.cpu.sums import AT_ONCE, VECTOR, vector_sums
from dyntemp.kernels.cpu.vectors import (
    LOWEST64,
    exponential,
    floor_of,
    larger,
    load,
    plain,
    smaller,
    type_of,
    vector,
    wide_vectors,
)

REACH = 60 * LN2
"""A block this many nats below the running reference is read again, relative to its own maximum, lest it underflow."""

NEAR = 4 * LN2
"""A block this many nats above the running reference is read again too, and below it while no block has counted.

In float32, sums of larger exponentials lose digits, and the sums of their squares overflow."""

GUESS = 256
"""The first reference is the largest of so many entries."""


def relative(centre, reference):
    """`centre` less `reference` in the type of that, or None where there is no centre; overloaded."""
    return None if centre is None else centre - reference


@overload(relative)
def _relative(centre, reference):
    if isinstance(centre, types.NoneType):
        return lambda centre, reference: None
    return lambda centre, reference: type_of(reference, centre - reference)


@plain
def block_sums(block, reference, centre):
    """Largest and smallest entry of a block, and sums of e, d*e and, with a centre, e*e and (d - centre)**2*e.

    d is x - reference, and e is exp(d). The sum of d*e is NaN for a block with NaN, an infinity or an overflow.
    """
    entries = AT_ONCE * VECTOR // (4 if floor_of(reference) > LOWEST64 else 8)
    whole = len(block) // entries
    lowest, nothing = floor_of(reference), type_of(reference, 0.0)
    top, bottom, total, weighted, squares, spread = vector_sums(block, whole, reference, centre)
    for i in range(whole * entries, len(block)):
        x = load(block[i])
        top = larger(top, x)
        bottom = smaller(bottom, x)
        d = x - reference
        d = lowest if d < lowest else d  # a comparison with NaN is False, so NaN stays
        e = exponential(d, nothing)
        total += e
        weighted += d * e
        if centre is not None:
            squares += e * e
            spread += (d - centre) * ((d - centre) * e)
    return top, bottom, total, weighted, squares, spread


@plain
def careful_sums(block, masked_at, centre):
    """Largest entry, sums relative to it, and count of a block, where `block_sums` overflows.

    Masked entries are left out. The sums are NaN where an entry is NaN. The count is 0 where the largest entry is
    +inf, and where all entries are masked.
    """
    top = type_of(masked_at, -np.inf)
    total = weighted = squares = spread = 0.0
    count = 0
    for i in range(len(block)):
        x = load(block[i])
        if x != x:
            return top, np.nan, weighted, squares, spread, count
        top = x if x > top else top
    if top == np.inf or top <= masked_at:
        return top if top == np.inf else type_of(masked_at, -np.inf), total, weighted, squares, spread, count
    for i in range(len(block)):
        x = load(block[i])
        if x > masked_at:
            d = np.float64(x) - np.float64(top)
            e = math.exp(d)
            total += e
            weighted += d * e if e > 0.0 else 0.0
            count += 1
            if centre is not None:
                aside = d + (top - centre)
                squares += e * e
                spread += aside * aside * e if e > 0.0 else 0.0
    return top, total, weighted, squares, spread, count


@plain
def read_row(row, masked_at, centre, blocks):
    """One read of a row.

    Args:
        row: [n].
        masked_at: Entries at or below this are masked.
        centre: None; or a logit about which the second moment is taken, which loses no digits near the mean.
        blocks: `Blocks`, written.

    Returns:
        The `Moments` of the row; the second ones only with a centre.
    """
    n = len(row)
    tops, totals = blocks
    guess = block_top(row[:GUESS])
    if not (guess > masked_at and guess < np.inf):
        guess = type_of(masked_at, 0.0)
    top = -np.inf
    base = total = weighted = squares = second = 0.0  # sums relative to exp(base); `second` about `centre`
    count = 0
    for b in range(len(tops)):
        block = row[b * BLOCK : min((b + 1) * BLOCK, n)]
        reference = guess
        about = relative(centre, reference)
        high, low, s, w, q, v = block_sums(block, reference, about)
        if high <= masked_at and w == w:
            tops[b], totals[b] = type_of(masked_at, -np.inf), 0.0
            continue
        if not ((-NEAR if total == 0.0 else -REACH) < high - reference < NEAR and w == w) and high < np.inf:
            reference = high
            about = relative(centre, reference)
            high, low, s, w, q, v = block_sums(block, reference, about)
        s, w, q, v = np.float64(s), np.float64(w), np.float64(q), np.float64(v)
        c = len(block)
        if low <= masked_at:
            c = int(count_above(block, masked_at))
        if w != w or (low <= masked_at and high + floor_of(high) < masked_at):
            high, s, w, q, v, c = careful_sums(block, masked_at, centre)
            reference = high
            if s != s:
                return Moments(np.nan, 0.0, 0.0, 0.0, 0.0, 0.0)
            if c == 0:
                top = max(top, np.float64(high))
                tops[b], totals[b] = type_of(masked_at, -np.inf), 0.0
                continue
        top = max(top, np.float64(high))
        count += c
        tops[b], totals[b] = high, s * math.exp(np.float64(reference) - np.float64(high))
        shift = np.float64(reference) - base
        if total == 0.0:
            base, total, weighted, squares, second = np.float64(reference), s, w, q, v
        elif shift > 0.0:  # the new reference is the higher: bring the old sums to it
            k = math.exp(-shift)
            weighted = k * (weighted - shift * total) + w if k > 0.0 else w
            total, squares, second = k * total + s, k * k * squares + q, k * second + v
            base = np.float64(reference)
        else:
            k = math.exp(shift)
            if k > 0.0:
                weighted += k * (w + shift * s)
                total, squares, second = total + k * s, squares + k * k * q, second + k * v
        guess = high if high > guess else guess
    if not np.isfinite(top):
        return Moments(top, 0.0, 0.0, 0.0, 0.0, 0.0)
    log_total = math.log(total) + (base - top)
    entropy = math.log(total) - weighted / total
    collision = varentropy = 0.0
    if centre is not None:
        collision = squares / (total * total)
        aside = weighted / total + (base - centre)
        varentropy = second / total - aside * aside
        if not aside * aside <= 4.0 * max(1.0, varentropy) < np.inf:  # the centre was far from the mean
            varentropy = variance(row, type_of(masked_at, top), 1.0, weighted / total + (base - top), masked_at)
    return Moments(top, log_total, entropy, collision, varentropy, np.float64(count))


@vector
def block_moments(block, top, a, centre, masked_at):
    """Sums of e, (d - centre)*e and (d - centre)**2*e over the unmasked entries; d is (x - top)/T, e is exp(d)."""
    wide_vectors()
    lowest = floor_of(top)
    s0 = s1 = s2 = type_of(top, 0.0)
    for i in range(len(block)):
        x = load(block[i])
        d = (x - top) * a
        d = lowest if d < lowest else d
        e = exponential(d, type_of(top, 0.0))
        e = e if x > masked_at else type_of(top, 0.0)
        s0 += e
        s1 += (d - centre) * e
        s2 += (d - centre) * ((d - centre) * e)
    return s0, s1, s2


@plain
def row_moments(row, top, a, centre, masked_at):
    """Over a row at 1/T = a, with d = a*(x - top): sum of exp(d), and of d - centre the mean and mean square."""
    zero = first = second = 0.0
    for start in range(0, len(row), BLOCK):
        s0, s1, s2 = block_moments(row[start : start + BLOCK], top, a, type_of(top, centre), masked_at)
        zero, first, second = zero + s0, first + s1, second + s2
    return zero, first / zero, second / zero


@plain
def variance(row, top, a, mean, masked_at):
    """The variance of d = a*(x - top) under the distribution at 1/T = a; `mean` is near the mean of d."""
    _, aside, square = row_moments(row, top, type_of(top, a), mean, masked_at)
    return square - aside * aside


@plain
def block_top(block):
    """The largest entry of a block, NaN aside."""
    top = load(block[0])
    for i in range(1, len(block)):
        top = larger(top, load(block[i]))
    return top
