"""Truncation of a row by top-k, top-p and min-p, found by selection; `dyntemp.filters` has the formulas.

What filters leave is always the likeliest entries, ties by lower index. Between them it is (low, ties): the entries
from `low` up, but of those equal to it only so many; for the draw it is (cut, last): the entries above `cut`, and those
equal to it up to index `last`. Nothing sorts the vocabulary, and blocks whose largest entry is out are not opened.
"""

from __future__ import annotations

import math

import numpy as np

from dyntemp.filters import GREEDY_AT
from dyntemp.kernels.cpu_read import count_above
from dyntemp.kernels.cpu_select import between, block_mass_above, order_statistics, tie, widened
from dyntemp.kernels.cpu_vectors import exponential, floor_of, load, plain, type_of, vector, wide_vectors
from dyntemp.kernels.reference import BLOCK

ALL = 2**62
"""As a number of ties: every one."""

BINS = 1_024
FEW = 256
"""Entries that are sorted rather than distributed over bins again."""


@plain
def truncate(row, masked_at, tops, totals, moments, temperature, settings, room):
    """Make `tops` and `totals` those of what the filters leave of a row.

    Returns:
        cut, last, and how many entries stay.
    """
    top_k, top_p, min_p, at_temperature = settings
    n, count = len(row), int(moments[5])
    top = type_of(masked_at, moments[0])
    low, ties, a = type_of(masked_at, -np.inf), ALL, 1.0
    if at_temperature and temperature <= GREEDY_AT:
        low, ties = top, 1
    else:
        if at_temperature:
            a = 1.0 / temperature
        if 0 < top_k < count:
            low, _, above, equal = order_statistics(widened(row, room[2]), n - top_k, room)
            ties = top_k - above if top_k - above < equal else ALL
        if top_p < 1.0:
            low, ties = nucleus(row, masked_at, tops, totals, low, ties, count, top, a, top_p, room)
        if min_p > 0.0 and a > 0.0:
            least = least_likely(top, a, min_p)
            if least > low:
                low, ties = least, ALL
    if low == -np.inf:
        return masked_at, np.int64(-1), count
    cut, last = low, np.int64(-1)
    if ties == ALL:
        cut = max(np.nextafter(low, type_of(low, -np.inf)), masked_at)
    else:
        last = tie(row, tops, low, ties)
    return cut, last, truncated_sums(row, cut, last, tops, totals)


@plain
def least_likely(top, a, share):
    """The smallest number of the type of `top` that has `share` of its probability at 1/T = a."""
    low = type_of(top, np.float64(top) + math.log(share) / a)
    if not low > -np.inf:
        return low
    for _ in range(64):  # what rounding moved, an ulp or two
        below = np.nextafter(low, type_of(top, -np.inf))
        if math.exp(a * (np.float64(below) - np.float64(top))) < share:
            break
        low = below
    for _ in range(64):
        if math.exp(a * (np.float64(low) - np.float64(top))) >= share:
            break
        low = np.nextafter(low, type_of(top, np.inf))
    return min(low, top)


@vector
def weigh_all(values, top, a, out):
    """exp(a*(x - top)) of each value into `out`; returns their sum."""
    wide_vectors()
    lowest, farthest = floor_of(top), type_of(top, -1e38)
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
def nucleus(row, masked_at, tops, totals, low, ties, count, top, a, share, room):
    """Of the entries that (low, ties) leaves, the likeliest that together have `share` of their mass at 1/T = a.

    The masses are gathered in bins of logits; the bin in which the nucleus ends is distributed over bins again, until
    few entries are left in it, or equal ones.
    """
    values, space, weights = widened(row, room[2]), room[0], room[1]
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
            total += ties * math.exp(a * (np.float64(low) - np.float64(top)))
    wanted = share * total * (1.0 - 1e-12)
    bottom = max(low, np.nextafter(masked_at, top))
    if a > 0.0:  # what lies below this has less than 1 - share together, however many they are
        bottom = max(bottom, type_of(top, top + math.log((1.0 - share) * total / count) / a - 1e-3))
    length, _ = between(values, bottom, top, space)
    high, above = top, 0.0
    masses = np.empty(BINS)
    while length > FEW and bottom < high:  # the two ends fall into different bins
        weigh_all(space[:length], top, scale, weights)
        step = min(BINS / (np.float64(high) - np.float64(bottom)), 1e300)
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
        length, bottom, high = inside, first, last
    if bottom == high:
        found, equal = high, length
        same = math.ceil((wanted - above) * math.exp(a * (np.float64(top) - np.float64(high))))
        same = min(max(same, 1), equal)
    else:
        found, same, equal = last_of_nucleus(np.sort(space[:length]), above, wanted, top, a)
    if found == low and ties != ALL:
        return low, min(same, ties)
    return found, ALL if same == equal else same


@plain
def bin_of(x, high, step):
    """The bin of a value, counted from the highest."""
    return min(np.int64((np.float64(high) - np.float64(x)) * step), BINS - 1)


@plain
def last_of_nucleus(ordered, above, wanted, top, a):
    """Where the mass reaches `wanted`, from the largest value down: the value, how many of its equals are needed, and
    how many there are.
    """  # noqa: D205
    i = len(ordered) - 1
    same = 0
    while True:
        same = same + 1 if i < len(ordered) - 1 and ordered[i] == ordered[i + 1] else 1
        above += math.exp(a * (np.float64(ordered[i]) - np.float64(top)))
        if above >= wanted or i == 0:
            break
        i -= 1
    equal = same
    while i > 0 and ordered[i - 1] == ordered[i]:
        equal += 1
        i -= 1
    return ordered[i], same, equal


@plain
def truncated_sums(row, cut, last, tops, totals):
    """Make `tops` and `totals` those of what (cut, last) leaves; returns how many entries that are."""
    left = 0
    for b in range(len(tops)):
        if tops[b] < cut:
            tops[b], totals[b] = -np.inf, 0.0
            continue
        block = row[b * BLOCK : (b + 1) * BLOCK]
        top = tops[b]
        mass, kept = block_mass_above(block, cut, top), count_above(block, cut)
        ties = 0
        for i in range(b * BLOCK, min(b * BLOCK + len(block), last + 1)):
            ties += 1 if load(row[i]) == cut else 0
        totals[b] = mass + ties * math.exp(np.float64(cut) - np.float64(top))
        tops[b] = top if kept + ties else type_of(top, -np.inf)
        left += kept + ties
    return left
