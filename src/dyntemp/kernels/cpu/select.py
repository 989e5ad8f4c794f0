"""Order statistics and sums above a threshold, without sorting a row."""

from __future__ import annotations

import math

import numpy as np
from numba import types
from numba.extending import overload

from dyntemp.kernels.blocks import BLOCK
from dyntemp.kernels.cpu.compare import between, count_above, count_equal, least_above
from dyntemp.kernels.cpu.vectors import (
    exponential,
    floor_of,
    load,
    middle_of,
    number_at,
    place_of,
    plain,
    space_of,
    type_of,
    vector,
    wide_vectors,
)

SAMPLE = 1_024
"""Entries of the sample that brackets an order statistic."""

FEW = 8 * SAMPLE
"""At most so many values are searched without a sample."""


@plain
def kth(values, k, low, high):
    """The k-th smallest of some values, counted from 0, given two bounds that it lies between or equals.

    The interval of floats from `low` to `high` is halved until one is left: 32 counts at most in float32, 64 in
    float64. No arrangement of the values is slower, and equal values are no special case.
    """
    first, last = place_of(low), place_of(high)
    while first < last:
        middle = middle_of(first, last)
        if count_above(values, number_at(low, middle)) < len(values) - k:
            last = middle
        else:
            first = middle + 1
    return number_at(low, first)


@plain
def bracket(values, k, sample):
    """Two values that almost always have the k-th smallest between them: 3.5 standard errors about it in a sample."""
    n = len(values)
    stride = n // SAMPLE
    for i in range(SAMPLE):
        sample[i] = values[i * stride]
    share = k / n
    error = 3.5 * math.sqrt(share * (1 - share) * SAMPLE) + 2.0
    first, last = int(share * SAMPLE - error), int(share * SAMPLE + error) + 1
    least, most = type_of(values[0], -np.inf), type_of(values[0], np.inf)
    low = kth(sample, first, least, most) if first > 0 else least
    high = kth(sample, last, low, most) if last < SAMPLE - 1 else most
    return low, high


@plain
def holds(k, n, skipped, kept):
    """Return True where the k-th of n values, and the next if there is one, are among `kept` above `skipped` others."""
    return skipped <= k < skipped + kept and (k + 1 == n or k + 1 < skipped + kept)


@plain
def order_statistics(values, k, room):
    """The k-th smallest value, counted from 0, and the next one, itself where it is the last.

    A sample gives two bounds for them, and the values between these are copied side by side. That is repeated until
    few are left, or until it leaves more than half since many are equal.

    Args:
        values: [n].
        k: The number of smaller values.
        room: Space, [at least 2, at least n + 16].

    Returns:
        The k-th, the next, how many are larger than the k-th, and how many are equal to it.
    """
    n = len(values)
    least, most = type_of(values[0], -np.inf), type_of(values[0], np.inf)
    low, high = least, most
    sample = space_of(values[0], SAMPLE)
    kept, skipped, space, spare = 0, 0, room[0], room[1]
    if n > FEW:
        low, high = bracket(values, k, sample)
        kept, skipped = between(values, low, high, space)
    if not holds(k, n, skipped, kept):  # few values, or bad luck
        low, high, kept, skipped = least, most, n, 0
        for i in range(n):
            space[i] = values[i]
    shrinks = True
    while shrinks and kept > FEW:
        closer_low, closer_high = bracket(space[:kept], k - skipped, sample)
        inside, below = between(space[:kept], closer_low, closer_high, spare)
        if not holds(k, n, skipped + below, inside):
            break
        low, high, shrinks = closer_low, closer_high, inside <= kept // 2
        kept, skipped, space, spare = inside, skipped + below, spare, space
    left = space[:kept]
    found = kth(left, k - skipped, low, high)
    above = count_above(left, found)
    following = least_above(left, found) if k - skipped == kept - above - 1 and k < n - 1 else found
    return found, following, above + n - skipped - kept, count_equal(left, found)


def widened(row, room):
    """The entries of a row as floats: the row itself, or a copy in `room` where it is stored in half precision."""
    return row


@overload(widened)
def _widened(row, room):
    if row.dtype in (types.float32, types.float64):
        return lambda row, room: row

    def copied(row, room):
        for i in range(len(row)):
            room[i] = load(row[i])
        return room[: len(row)]

    return copied


@plain
def tie(row, tops, value, number):
    """The index of the `number`-th entry, counted from 1, that equals `value`."""
    for b in range(len(tops)):
        if tops[b] >= value:
            block = row[b * BLOCK : (b + 1) * BLOCK]
            equal = count_equal(block, value)
            if equal < number:
                number -= equal
                continue
            for i in range(len(block)):
                if load(block[i]) == value:
                    number -= 1
                    if number == 0:
                        return np.int64(b * BLOCK + i)
    return np.int64(len(row) - 1)


@plain
def runner_up(row, tops, top):
    """The second largest entry; `top` again where two share the maximum."""
    second = type_of(tops[0], -np.inf)
    seen = False
    for b in range(len(tops)):  # the largest of the other blocks first, so that few blocks are opened
        if tops[b] == top and not seen:
            seen = True
        else:
            second = max(second, tops[b])
    seen = False
    for b in range(len(tops)):
        if tops[b] == top:
            block = row[b * BLOCK : (b + 1) * BLOCK]
            for i in range(len(block)):
                x = load(block[i])
                if x == top and not seen:
                    seen = True
                elif x > second:
                    second = x
            break
    return second


@vector
def block_mass_above(block, cut, top):
    """The sum of exp(x - top) of a block's entries above `cut`. A loop with two sums would not vectorise."""
    wide_vectors()
    lowest, none = floor_of(top), type_of(top, 0.0)
    total = none
    for i in range(len(block)):
        x = load(block[i])
        d = x - top
        d = lowest if d < lowest else d
        e = exponential(d, none)
        total += e if x > cut else none
    return total


@plain
def mass_above(row, cut, tops, top):
    """The sum of exp(x - top) of a row's entries above `cut`."""
    mass = 0.0
    for b in range(len(tops)):
        if tops[b] > cut:
            mass += block_mass_above(row[b * BLOCK : (b + 1) * BLOCK], cut, top)
    return mass
