"""The draw from block sums by rejection; `reference.draw` has the proof."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from dyntemp.distribution.filters import GREEDY_AT
from dyntemp.distribution.noise import MULTIPLIERS, ROUNDS, WEYL, Purpose
from dyntemp.kernels.blocks import BLOCK, BOUND_SLACK, TRIES
from dyntemp.kernels.cpu.select import tie
from dyntemp.kernels.cpu.vectors import (
    LOWEST64,
    exponential,
    farthest_of,
    floor_of,
    fused,
    load,
    logarithm,
    plain,
    type_of,
    vector,
    wide_vectors,
)

BLOCK_NUMBER, ACCEPT_NUMBER, PICK_NUMBER = map(int, (Purpose.BLOCK, Purpose.ACCEPT, Purpose.PICK))


@njit(error_model="numpy", inline="always")
def uniform(key, attempt, purpose):
    """The number of `dyntemp.distribution.noise.uniform`, for a `Key`."""
    mask, half = np.uint64(0xFFFFFFFF), np.uint64(32)
    a, b, c, d = np.uint64(key.request), np.uint64(key.position), np.uint64(attempt), np.uint64(purpose)
    left, right = key.seed & mask, key.seed >> half
    for _ in range(ROUNDS):
        first, second = np.uint64(MULTIPLIERS[0]) * a, np.uint64(MULTIPLIERS[1]) * c
        a, b = (second >> half) ^ b ^ left, second & mask
        c, d = (first >> half) ^ d ^ right, first & mask
        left, right = (left + np.uint64(WEYL[0])) & mask, (right + np.uint64(WEYL[1])) & mask
    return np.float64(((a << half) | b) >> np.uint64(11)) * 2.0**-53 + 2.0**-54


@plain
def pick(weights, length, target):
    """The first entry at which the running sum exceeds `target`, or the last that adds to it; and the sum before."""
    running = before = 0.0
    last = 0
    for i in range(length):
        if weights[i] > 0.0:
            before = running
            running += weights[i]
            last = i
            if running > target:
                break
    return last, before


@plain
def pick_entry(weights, groups, number, target):
    """`pick` among the entries of a block, group by group of 64."""
    g, before = pick(groups, number, target)
    start = g * 64
    i, _ = pick(weights[start:], min(64, len(weights) - start), target - before)
    return start + i


@plain
def sum_of(values, length):
    """The sum of the first `length` values."""
    total = 0.0
    for i in range(length):
        total += values[i]
    return total


@vector
def block_bounds(blocks, length, top, a, bounds):
    """An upper bound of each block's mass at 1/T = a, as `reference.block_bound`; `length` is the last block's."""
    wide_vectors()
    tops, totals = blocks
    for b in range(len(tops)):
        d = a * (np.float64(tops[b]) - top)
        entries = np.float64(BLOCK) if b < len(tops) - 1 else np.float64(length)
        mass = totals[b]
        if a < 1.0:  # n**(1 - a) * total**a
            d += a * logarithm(max(mass, 1.0)) + (1.0 - a) * math.log(entries)
            mass = 1.0 if mass > 0.0 else 0.0
        d = LOWEST64 if not d > LOWEST64 else d
        bounds[b] = exponential(d, 0.0) * mass * BOUND_SLACK


class Exponent(NamedTuple):
    """The exponent (x - top)/T of an entry; 1/T is `a + a_low`."""

    top: Any
    a: Any
    a_low: Any


@plain
def draw(row, blocks, top, temperature, kept, key, scratch):
    """A token of the entries that filters leave; the algorithm of `reference.draw`, number by number."""
    n, count = len(row), len(blocks.tops)
    if temperature <= GREEDY_AT:
        return tie(row, blocks.tops, top, 1)
    bounds, sums, weights = scratch
    inverse = 1.0 / temperature
    a = type_of(top, inverse)
    exponent = Exponent(top, a, type_of(top, inverse - np.float64(a)))
    block_bounds(blocks, n - (count - 1) * BLOCK, np.float64(top), inverse, bounds)
    tied = math.exp(inverse * (np.float64(kept.cut) - np.float64(top))) if kept.last >= 0 else 0.0
    limit = sum_of(bounds, count)
    for attempt in range(TRIES):
        b, _ = pick(bounds, count, uniform(key, attempt, BLOCK_NUMBER) * limit)
        groups = weigh(row, b, exponent, kept, tied, scratch)
        mass = sum_of(sums, groups)
        if uniform(key, attempt, ACCEPT_NUMBER) * bounds[b] < mass:
            return b * BLOCK + pick_entry(weights, sums, groups, uniform(key, attempt, PICK_NUMBER) * mass)
    limit = 0.0
    for b in range(count):
        bounds[b] = 0.0
        if blocks.totals[b] > 0.0:
            bounds[b] = sum_of(sums, weigh(row, b, exponent, kept, tied, scratch))
        limit += bounds[b]
    b, _ = pick(bounds, count, uniform(key, TRIES, BLOCK_NUMBER) * limit)
    groups = weigh(row, b, exponent, kept, tied, scratch)
    return b * BLOCK + pick_entry(weights, sums, groups, uniform(key, TRIES, PICK_NUMBER) * bounds[b])


@plain
def weigh(row, b, exponent, kept, tied, scratch):
    """The weights of block b and their sums by groups; returns the number of groups.

    Args:
        row: [n].
        b: The number of the block.
        exponent: `Exponent`.
        kept: `Kept`.
        tied: The weight of an entry equal to `kept.cut`.
        scratch: `Scratch`, whose weights and sums are written.
    """
    start = b * BLOCK
    block = row[start : start + BLOCK]
    block_weights(block, exponent, kept.cut, scratch.weights)
    if kept.last >= start:
        add_ties(block, start, kept, type_of(exponent.top, tied), scratch.weights)
    return group_sums(scratch.weights, len(block), scratch.sums)


@vector
def block_weights(block, exponent, cut, out):
    """exp((a + a_low)*(x - top)) of each entry above `cut`, 0 of the others, into `out`.

    The product is carried to twice the digits, so that its rounding does not grow with the distance from the top.
    """
    wide_vectors()
    top, a, a_low = exponent
    lowest = floor_of(top)
    none = type_of(top, 0.0)
    farthest = farthest_of(top)
    for i in range(len(block)):
        x = load(block[i])
        d = x - top
        d = farthest if d < farthest else d  # so that 0*d is 0
        product = d * a
        rest = fused(d, a, -product) + d * a_low
        rest = none if product < lowest else rest
        product = lowest if product < lowest else product
        e = exponential(product, rest)
        out[i] = e if x > cut else none


@plain
def add_ties(block, first, kept, weight, out):
    """Write `weight` for each entry equal to `cut` up to index `last` of the row; the block begins at `first`."""
    for i in range(min(len(block), kept.last - first + 1)):
        if load(block[i]) == kept.cut:
            out[i] = weight


@vector
def group_sums(weights, length, sums):
    """Sums of groups of 64 weights, in float64, into `sums`; returns how many groups there are."""
    wide_vectors()
    groups = (length + 63) // 64
    for g in range(groups):
        total = 0.0
        for i in range(g * 64, min(g * 64 + 64, length)):
            total += np.float64(weights[i])
        sums[g] = total
    return groups
