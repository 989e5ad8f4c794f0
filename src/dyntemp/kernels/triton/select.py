"""Selection without sorting: the k-th highest logit, or the logit at which a share of the mass is reached.

Logits are compared as unsigned whole numbers in the same order, their keys, found digit by digit of 4 bits: each pass
over the row counts, or weighs, what lies at or above 16 keys at once. Blocks that lie below all of them are skipped.
"""

from __future__ import annotations

import triton
import triton.language as tl

from dyntemp.kernels.triton.blocks import BLOCK, INFINITY, heights
from dyntemp.kernels.triton.program import MARGIN, QUANTILE, READ, at_index, span_of

CHUNK = tl.constexpr(1024)
PIVOTS = tl.constexpr(16)


@triton.jit
def key_of(z):
    """The place of logits, in the dtype they are stored in, in their order: unsigned, both zeros the same."""
    WIDTH: tl.constexpr = z.dtype.primitive_bitwidth
    if WIDTH == 16:
        bits = z.to(tl.uint16, bitcast=True).to(tl.uint32)
        SIGN: tl.constexpr = 0x8000
        ONES: tl.constexpr = 0xFFFF
    elif WIDTH == 32:
        bits = z.to(tl.uint32, bitcast=True)
        SIGN: tl.constexpr = 0x80000000
        ONES: tl.constexpr = 0xFFFFFFFF
    else:
        bits = z.to(tl.uint64, bitcast=True)
        SIGN: tl.constexpr = 0x8000000000000000
        ONES: tl.constexpr = 0xFFFFFFFFFFFFFFFF
    bits = tl.where(bits == SIGN, bits ^ SIGN, bits)
    return tl.where((bits & SIGN) == 0, bits | SIGN, bits ^ ONES)


@triton.jit
def logit_of(key, STORED: tl.constexpr):
    """The logit of a key, as float64."""
    if STORED.primitive_bitwidth == 16:
        z = tl.where(key >= 0x8000, key ^ 0x8000, key ^ 0xFFFF).to(tl.uint16).to(STORED, bitcast=True).to(tl.float32)
    elif STORED.primitive_bitwidth == 32:
        z = tl.where(key >= 0x80000000, key ^ 0x80000000, ~key).to(STORED, bitcast=True)
    else:
        z = tl.where(key >= 0x8000000000000000, key ^ 0x8000000000000000, ~key).to(STORED, bitcast=True)
    return z.to(tl.float64)


@triton.jit
def lowest_key(STORED: tl.constexpr):
    """The key below every logit's."""
    return tl.full([], 0, tl.uint64 if STORED.primitive_bitwidth == 64 else tl.uint32)


@triton.jit
def weights(z, kept, top, inverse, COMPUTE: tl.constexpr):
    """e^((z - top)/T) where `kept`, else 0; the exponent is formed in float64. At T = infinity all are 1."""
    exponent = tl.where(inverse == 0, 0.0, (z.to(COMPUTE).to(tl.float64) - top) * inverse)
    return tl.where(kept, tl.exp(exponent.to(COMPUTE)), 0.0)


@triton.jit
def candidates(pointer, chunk, columns, cut, last, MASKED_AT: tl.constexpr, COMPUTE: tl.constexpr):
    """A chunk's logits as stored, their keys and indices, and which are above the key `cut`, or at it up to `last`."""
    index = chunk + tl.arange(0, CHUNK)
    z = tl.load(pointer + index, mask=index < columns, other=-INFINITY)
    key = key_of(z)
    return z, key, index, (z.to(COMPUTE) > MASKED_AT) & ((key > cut) | ((key == cut) & (index <= last)))


@triton.jit
def threshold(
    pointer, columns, highest, goal, cut, last, top, inverse, MASS: tl.constexpr, MASKED_AT: tl.constexpr,
    COMPUTE: tl.constexpr,
):  # fmt: skip
    """The highest key at or above which `goal` candidates lie, or, with MASS, that share of their mass.

    Also how much lies above that key, and `goal` in the same measure. `highest` points at the highest logit of each
    block.
    """
    STORED: tl.constexpr = pointer.dtype.element_ty
    low = lowest_key(STORED)
    above = tl.full([], 0.0, tl.float64)
    pivot = tl.arange(0, PIVOTS)
    shift = STORED.primitive_bitwidth - 4
    while shift >= 0:
        keys = low + (pivot.to(low.dtype) << shift)
        sums = tl.zeros([PIVOTS], tl.float64)
        for chunk in range(0, columns, CHUNK):
            if key_of(tl.load(highest + chunk // BLOCK).to(STORED)) >= low:
                z, key, index, kept = candidates(pointer, chunk, columns, cut, last, MASKED_AT, COMPUTE)
                value = weights(z, kept, top, inverse, COMPUTE) if MASS else kept.to(COMPUTE)
                found = tl.sum(tl.where(key[None, :] >= keys[:, None], value[None, :], 0.0), 1)
                sums += found.to(tl.float64)
        if MASS:
            if shift == STORED.primitive_bitwidth - 4:
                goal = goal * at_index(sums, pivot, 0)
        digit = tl.maximum(tl.sum((sums >= goal).to(tl.int32), 0) - 1, 0)
        above = tl.where(digit < PIVOTS - 1, at_index(sums, pivot, digit + 1), above)
        low += digit.to(low.dtype) << shift
        shift -= 4
    return low, above, goal


@triton.jit
def tie(pointer, columns, highest, wanted, nth, cut, last, MASKED_AT: tl.constexpr, COMPUTE: tl.constexpr):
    """The index of the `nth` candidate at the key `wanted`, from 1; `last` where there are fewer."""
    STORED: tl.constexpr = pointer.dtype.element_ty
    seen = 0
    found = last
    for chunk in range(0, columns, CHUNK):
        if (seen < nth) & (key_of(tl.load(highest + chunk // BLOCK).to(STORED)) >= wanted):
            z, key, index, kept = candidates(pointer, chunk, columns, cut, last, MASKED_AT, COMPUTE)
            equal = (kept & (key == wanted)).to(tl.int32)
            place = seen + tl.cumsum(equal, 0)
            found = tl.minimum(found, tl.min(tl.where((equal > 0) & (place == nth), index, last), 0))
            seen += tl.sum(equal, 0)
    return found


@triton.jit
def mass_above(pointer, columns, highest, wanted, top, MASKED_AT: tl.constexpr, COMPUTE: tl.constexpr):
    """The sum of e^(z - top) over the keys above `wanted`."""
    STORED: tl.constexpr = pointer.dtype.element_ty
    mass = tl.full([], 0.0, tl.float64)
    one = tl.full([], 1.0, tl.float64)
    for chunk in range(0, columns, CHUNK):
        if key_of(tl.load(highest + chunk // BLOCK).to(STORED)) > wanted:
            z, key, index, kept = candidates(pointer, chunk, columns, wanted, -1, MASKED_AT, COMPUTE)
            mass += tl.sum(weights(z, kept, top, one, COMPUTE), 0).to(tl.float64)
    return mass


@triton.jit(do_not_specialize=["rows", "blocks", "width"])
def select(
    logits, stride, columns, table, rows, blocks, values, width, kinds, arguments, selected, spans, of_row,
    MASKED_AT: tl.constexpr, COMPUTE: tl.constexpr, SIZE: tl.constexpr,
):  # fmt: skip
    """Fill the columns of quantiles, margin and top_mass: program (row, number of the column among these)."""
    row = tl.program_id(0)
    column = tl.load(selected + tl.program_id(1))
    read = tl.load(span_of(spans, tl.load(of_row + row), 1 + column, width) + READ)
    highest, total, top, support, broken = heights(table, row, rows, blocks, SIZE)
    if (read > 0) & ~broken:
        pointer = logits + row.to(tl.int64) * stride
        tops = table + row * blocks
        STORED: tl.constexpr = pointer.dtype.element_ty
        none = lowest_key(STORED)
        one = tl.full([], 1.0, tl.float64)
        whole = tl.sum(tl.where(total > 0, total * tl.exp(highest - top), 0.0), 0)
        n = support.to(tl.float64)
        kind = tl.load(kinds + column)
        argument = tl.load(arguments + column)
        at = argument * (n - 1)
        goal = n - tl.floor(at)
        if kind == MARGIN:
            goal = tl.minimum(one * 2, n)
        elif kind != QUANTILE:
            goal = tl.minimum(argument, n)
        key, above, goal = threshold(
            pointer, columns, tops, goal, none, columns, top=top, inverse=one, MASS=False, MASKED_AT=MASKED_AT,
            COMPUTE=COMPUTE,
        )  # fmt: skip
        weight = tl.exp(logit_of(key, STORED) - top)
        p = weight / whole
        if kind == QUANTILE:
            high = p
            if tl.ceil(at) > tl.floor(at):
                key, above, goal = threshold(
                    pointer, columns, tops, n - tl.ceil(at), none, columns, top=top, inverse=one, MASS=False,
                    MASKED_AT=MASKED_AT, COMPUTE=COMPUTE,
                )  # fmt: skip
                high = tl.exp(logit_of(key, STORED) - top) / whole
            result = tl.minimum(p + (high - p) * (at - tl.floor(at)), 1.0 / (n - tl.ceil(at)))
        elif kind == MARGIN:
            result = tl.where(n > 1, tl.minimum((1.0 - weight) / whole, 1.0), 1.0)
        else:
            mass = mass_above(pointer, columns, tops, key, top, MASKED_AT, COMPUTE) + (goal - above) * weight
            result = tl.where(argument < n, tl.minimum(tl.maximum(mass / whole, argument / n), 1.0), 1.0)
        tl.store(values + row * width + column, result)
