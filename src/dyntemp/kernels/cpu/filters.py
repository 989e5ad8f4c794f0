"""Truncation of a row by a chain of cuts, found by selection; `dyntemp.distribution.truncation` has the formulas.

Cuts always leave the likeliest entries, ties by lower index. From one filter to the next these are `Likeliest`: the
entries from `low` up, and of those equal to `low` the first `ties`. The draw gets them as `Kept`: the entries above
`cut`, and those equal to `cut` up to index `last`. Only top-h and tail-free sampling sort. Blocks are not read if their
largest entry is filtered out.
"""

from __future__ import annotations

import math

import numpy as np

from dyntemp.distribution.filters import GREEDY_AT
from dyntemp.distribution.truncation import SLACK
from dyntemp.kernels.blocks import BLOCK
from dyntemp.kernels.cpu.arguments import Kept
from dyntemp.kernels.cpu.compare import count_above, count_equal
from dyntemp.kernels.cpu.nucleus import ALL, Likeliest, mass_of, nucleus
from dyntemp.kernels.cpu.prefixes import before_tail, deviation, sums_of, top_h
from dyntemp.kernels.cpu.select import block_mass_above, order_statistics, tie, widened
from dyntemp.kernels.cpu.vectors import middle_of, number_at, place_of, plain, type_of
from dyntemp.kernels.cuts import AFTER, ARGUMENT, KIND, Cut

TOP_K, TOP_P, MIN_P, TOP_N_SIGMA, ETA, EPSILON, TOP_A, TFS, P_LESS, TOP_H = map(int, Cut)


@plain
def truncate(row, masked_at, blocks, moments, temperature, steps, room):
    """Filter a row, and make `blocks` the sums over what stays.

    `steps` is the array of `cuts.steps_of`.

    Returns:
        `Kept`, and the number of entries that stay.
    """
    n, count = len(row), int(moments.count)
    top = type_of(masked_at, moments.top)
    low, ties = type_of(masked_at, -np.inf), ALL
    selects = False
    for step in steps:
        selects |= step[KIND] != MIN_P
    values = widened(row[: n if selects else 0], room[2])  # which copies half precisions
    for step in steps:
        if step[AFTER] > 0.0 and temperature <= GREEDY_AT:
            low, ties = top, 1
            break
        a = 1.0 / temperature if step[AFTER] > 0.0 else 1.0
        low, ties = shortened(step, values, masked_at, blocks, Likeliest(low, ties), count, top, a, room)
    if low == -np.inf:
        return Kept(masked_at, np.int64(-1)), count
    last = np.int64(n - 1) if ties == ALL else tie(row, blocks.tops, low, ties)
    kept = Kept(low, last)
    return kept, truncated_sums(row, kept, blocks)


@plain
def shortened(step, values, masked_at, blocks, likeliest, count, top, a, room):
    """The entries of `likeliest` that one filter leaves at 1/T = a, as (low, ties)."""
    kind, argument = int(step[KIND]), step[ARGUMENT]
    if kind == TOP_P:
        return nucleus(values, masked_at, blocks, likeliest, count, top, a, argument, room)
    if kind == TOP_H:
        return top_h(values, masked_at, likeliest, top, a, argument, room)
    if kind == TFS:
        return before_tail(values, masked_at, likeliest, top, a, argument, room)
    low, ties = likeliest
    found, same = low, ties
    if kind == TOP_K:
        if argument < count:
            found, _, above, equal = order_statistics(values, len(values) - int(argument), room)
            same = int(argument) - above if int(argument) - above < equal else ALL
    elif kind == TOP_N_SIGMA:
        sigma = deviation(values, masked_at, likeliest, top)
        least = np.float64(top) - argument * sigma * (1.0 + SLACK)
        if least > -np.inf:
            found, same = no_lower(top, least), ALL
    elif a > 0.0:
        found, same = least_likely(top, a, share_of(kind, argument, values, masked_at, likeliest, top, a)), ALL
    if found > low and found > masked_at:
        return found, same
    return low, min(ties, same) if found == low else ties


@plain
def share_of(kind, argument, values, masked_at, likeliest, top, a):
    """The share of the largest weight that an entry needs to stay."""
    if kind == MIN_P:
        return argument
    sums = sums_of(values, masked_at, likeliest, top, a)
    if kind == EPSILON:
        least = argument * sums.total
    elif kind == ETA:
        entropy = math.log(sums.total) - sums.mean / sums.total
        least = min(argument, math.sqrt(argument) * math.exp(-entropy)) * sums.total
    elif kind == TOP_A:
        least = argument / sums.total
    else:
        least = sums.squares / sums.total
    return min(least * (1.0 - SLACK), 1.0)


@plain
def no_lower(top, least):
    """The smallest number of the type of `top` that is at least `least`."""
    near = type_of(top, least)
    return near if np.float64(near) >= least else np.nextafter(near, top)


@plain
def least_likely(top, a, share):
    """The smallest number of the type of `top` that has `share` of its probability at 1/T = a, found by halving."""
    low, high = place_of(type_of(top, -np.inf)), place_of(top)  # high has that share, low has not
    while low + 1 < high:
        middle = middle_of(low, high)
        if mass_of(number_at(top, middle), top, a) >= share:
            high = middle
        else:
            low = middle
    return number_at(top, high)


@plain
def truncated_sums(row, kept, blocks):
    """Make `blocks` the sums over what filters leave, and return the number of entries that stay."""
    cut, last = kept
    tops, totals = blocks
    left = 0
    for b in range(len(tops)):
        if tops[b] < cut:
            tops[b], totals[b] = -np.inf, 0.0
            continue
        block = row[b * BLOCK : (b + 1) * BLOCK]
        top = tops[b]
        mass, above = block_mass_above(block, cut, top), count_above(block, cut)
        ties = count_equal(block[: max(last + 1 - b * BLOCK, 0)], cut)
        totals[b] = mass + ties * math.exp(np.float64(cut) - np.float64(top))
        tops[b] = top if above + ties else type_of(top, -np.inf)
        left += above + ties
    return left
