"""Top-p on a row: the likeliest entries that together have a share of its mass, found by bins instead of by sorting."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from dyntemp.distribution.truncation import SLACK
from dyntemp.kernels.cpu.compare import between
from dyntemp.kernels.cpu.vectors import exponential, farthest_of, floor_of, plain, type_of, vector, wide_vectors


class Likeliest(NamedTuple):
    """The entries from `low` up; of those equal to it only the first `ties`."""

    low: Any
    ties: Any


ALL = 2**62
"""The number of ties that stands for all of them."""

BINS = 1_024
FEW = 256
"""At most so many entries are sorted rather than distributed over bins again."""


@plain
def mass_of(x, top, a):
    """exp(a*(x - top)); 1 where a is 0, however far apart the two are."""
    return math.exp(a * max(np.float64(x) - np.float64(top), -1.7976931348623157e308))


@vector
def weigh_all(values, top, a, out):
    """exp(a*(x - top)) of each value into `out`; returns their sum."""
    wide_vectors()
    lowest, farthest = floor_of(top), farthest_of(top)
    total = 0.0
    for i in range(len(values)):
        d = values[i] - top
        d = (farthest if d < farthest else d) * a
        d = lowest if d < lowest else d
        e = exponential(d, type_of(top, 0.0))
        out[i] = e
        total += e
    return total


@plain
def nucleus(values, masked_at, blocks, likeliest, count, top, a, share, room):
    """The likeliest entries of `likeliest` that together have `share` of its mass at 1/T = a, as (low, ties).

    The masses are gathered in bins of logits; the bin in which the nucleus ends is distributed over bins again, until
    few entries are left in it, or equal ones.
    """
    low, ties = likeliest
    tops, totals = blocks
    space, weights = room[0], room[1]
    scale = type_of(top, a)
    total = 0.0
    if low == -np.inf and a == 1.0:
        for b in range(len(tops)):
            total += totals[b] * math.exp(np.float64(tops[b]) - np.float64(top))
    else:
        length, _ = between(values, max(low, np.nextafter(masked_at, top)), top, space)
        total = weigh_all(space[:length], top, scale, weights)
        if ties != ALL:
            for i in range(length):
                total -= weights[i] if space[i] == low else 0.0
            total += ties * mass_of(low, top, a)
    wanted = share * total * (1.0 - SLACK)
    bottom = max(low, np.nextafter(masked_at, top))
    if a > 0.0:  # what lies below this has less than 1 - share together, however many they are
        bottom = max(bottom, type_of(top, top + math.log((1.0 - share) * total / count) / a - 1e-3))
    length, _ = between(values, bottom, top, space)
    high, above = top, 0.0
    masses = np.empty(BINS)
    while length > FEW and bottom < high:
        weigh_all(space[:length], top, scale, weights)
        step = min(BINS / (0.5 * np.float64(high) - 0.5 * np.float64(bottom)), 1e300)
        masses[:] = 0.0
        for i in range(length):
            masses[bin_of(space[i], high, step)] += weights[i]
        chosen, before = 0, above
        for b in range(BINS):
            if masses[b] > 0.0:
                chosen, before = b, above
                above += masses[b]
                if above >= wanted:
                    break
        above = before
        inside = 0
        first, last = top, bottom
        for i in range(length):
            x = space[i]
            if bin_of(x, high, step) == chosen:
                space[inside] = x
                inside += 1
                first, last = x if x < first else first, x if x > last else last
        apart = inside < length
        length, bottom, high = inside, first, last
        if not apart:  # too close together for bins
            break
    if bottom == high:
        found, equal = high, length
        same = int(min(max((wanted - above) / mass_of(high, top, a), 1.0), float(equal)) + (1.0 - 1e-15))
        same = min(same, equal)
    else:
        found, same, equal = last_of_nucleus(np.sort(space[:length]), above, wanted, top, a)
    if found == low and ties != ALL:
        return low, min(same, ties)
    return found, ALL if same == equal else same


@plain
def bin_of(x, high, step):
    """The bin of a value, counted from the highest; halves, since the distance may overflow."""
    at = (0.5 * np.float64(high) - 0.5 * np.float64(x)) * step
    return np.int64(at) if at < BINS - 1 else np.int64(BINS - 1)


@plain
def last_of_nucleus(ordered, above, wanted, top, a):
    """The value at which the mass from the largest down reaches `wanted`.

    Returns:
        The value, the number of entries equal to it that are needed, and the number that there are.
    """
    i = len(ordered) - 1
    same = 0
    while True:
        same = same + 1 if i < len(ordered) - 1 and ordered[i] == ordered[i + 1] else 1
        above += mass_of(ordered[i], top, a)
        if above >= wanted or i == 0:
            break
        i -= 1
    equal = same
    while i > 0 and ordered[i - 1] == ordered[i]:
        equal += 1
        i -= 1
    return ordered[i], same, equal
