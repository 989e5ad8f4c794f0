"""Truncation of a row by top-k, top-p and min-p, found by selection; `dyntemp.filters` has the formulas."""

from __future__ import annotations

import math

import numpy as np

from dyntemp.filters import GREEDY_AT
from dyntemp.kernels.cpu_select import between, block_mass_above, mass_above, order_statistics, tie, widened
from dyntemp.kernels.cpu_vectors import load, plain, type_of
from dyntemp.kernels.reference import BLOCK


@plain
def truncate(row, masked_at, tops, moments, temperature, settings, room):
    """What the filters leave of a row: (cut, last): the entries above `cut`, and those equal to it up to index `last`.

    Always the likeliest ones, ties by lower index; see `dyntemp.filters`. Nothing is sorted: the places of top-k and
    top-p are found by selection.
    """
    top_k, top_p, min_p, at_temperature = settings
    n, count = len(row), int(moments[5])
    top = type_of(masked_at, moments[0])
    a = type_of(masked_at, 1.0)
    if at_temperature:
        if temperature <= GREEDY_AT:
            return top, tie(row, tops, top, 1)
        a = type_of(masked_at, 1.0 / temperature)
    cut, last = masked_at, np.int64(-1)
    if 0 < top_k < count:
        values, space = widened(row, room[n + 64 :]), room[: n + 64]
        cut, _ = order_statistics(values, n - top_k, space)
        _, above, _ = mass_above(row, cut, tops, top, a)
        last = tie(row, tops, cut, top_k - above)
    if top_p < 1.0:
        cut, last = nucleus(row, tops, top, a, cut, last, count, top_p, room)
    if min_p > 0.0:
        cut, last = likely(row, tops, top, 1.0 / temperature if at_temperature else 1.0, cut, last, min_p)
    return cut, last


@plain
def likely(row, tops, top, a, cut, last, share):
    """`truncate` by min-p: of the entries that (cut, last) leaves, those of `share` of the largest probability."""
    far = np.float64(cut) - np.float64(top)
    if a == 0.0 or (last >= 0 and math.exp(a * far) >= share):
        return cut, last
    low = np.float64(top) + math.log(share) / a
    low = type_of(cut, low - 1e-6 * (abs(low) + abs(np.float64(top)) + 1.0))  # rounding is settled below
    low = max(low, cut)
    while True:
        _, _, low = mass_above(row, low, tops, top, type_of(cut, 1.0))
        if low == top or math.exp(a * (np.float64(low) - np.float64(top))) >= share:
            return low, np.int64(len(row) - 1)


@plain
def nucleus(row, tops, top, a, cut, last, count, share, room):
    """`truncate` by top-p: of the entries that (cut, last) leaves, the likeliest that together have `share` of them.

    The interval of logits in which the nucleus ends is halved until few entries are left in it; these are sorted.
    """
    n = len(row)
    total, _, _ = mass_above(row, cut, tops, top, a)
    ties = 0
    for i in range(last + 1):
        ties += 1 if load(row[i]) == cut else 0
    total += ties * math.exp(a * (cut - top)) if ties else 0.0
    wanted = share * total * (1.0 - 1e-12)
    low = cut
    if a > 0.0 and share < 1.0:  # what lies below has less than 1 - share together, however many it is
        low = max(low, type_of(cut, top + math.log((1.0 - share) * total / count) / a - 1e-3))
    values, space = widened(row, room[n + 64 :]), room[: n + 64]
    length, _ = between(values, low, top, space)
    high, above = top, 0.0
    for _ in range(60):
        middle = low + type_of(cut, 0.5) * (high - low)
        if length <= 256 or not low < middle < high:
            break
        mass, _, _ = block_mass_above(space[:length], middle, top, a)
        if above + mass >= wanted:
            low = middle
        else:
            above += mass
            high = middle
        length, _ = between(space[:length], low, high, space)
    if length == 0:  # by rounding alone
        _, _, found = mass_above(row, high, tops, top, a)
        return found, np.int64(n - 1)
    candidates = np.sort(space[:length])
    reached = above
    found, same = candidates[0], 0
    for i in range(length - 1, -1, -1):
        x = candidates[i]
        same = same + 1 if x == found and i < length - 1 else 1
        found = x
        reached += math.exp(a * (np.float64(x) - np.float64(top)))
        if reached >= wanted:
            break
    if found == cut:
        return cut, tie(row, tops, cut, min(same, ties))
    return found, tie(row, tops, found, same)


@plain
def truncated_sums(row, cut, last, tops, totals):
    """Make `tops` and `totals` those of what (cut, last) leaves; returns how many entries that are.

    Blocks whose largest entry is out are not opened.
    """
    count = 0
    for b in range(len(tops)):
        if tops[b] < cut:
            tops[b], totals[b] = -np.inf, 0.0
            continue
        block = row[b * BLOCK : (b + 1) * BLOCK]
        top = tops[b]
        mass, kept, _ = block_mass_above(block, cut, top, type_of(top, 1.0))
        ties = 0
        for i in range(b * BLOCK, min(b * BLOCK + len(block), last + 1)):
            ties += 1 if load(row[i]) == cut else 0
        totals[b] = mass + ties * math.exp(np.float64(cut) - np.float64(top))
        if kept == 0:  # only ties with the cut, if any
            tops[b] = top if ties else type_of(top, -np.inf)
        count += kept + ties
    return count


@plain
def ends(row, tops, top, cut, last):
    """The lowest entry that (cut, last) leaves, and the highest index that stays among its equals."""
    if last >= 0:
        return np.float64(cut), last
    _, _, smallest = mass_above(row, cut, tops, top, type_of(top, 0.0))
    return np.float64(smallest), np.int64(len(row) - 1)
