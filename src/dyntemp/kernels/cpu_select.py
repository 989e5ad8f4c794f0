"""Order statistics and sums above a threshold, without sorting a row."""

from __future__ import annotations

import math

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload

from dyntemp.kernels.cpu_vectors import (
    emit_splat,
    emit_vector,
    exponential,
    floor_of,
    load,
    plain,
    space_of,
    type_of,
    vector,
    wide_vectors,
)  # fmt: skip
from dyntemp.kernels.reference import BLOCK

SAMPLE = 1_024
"""Entries that tell where an order statistic lies."""


@intrinsic
def compress(typingctx, source, i, target, k, low, high):
    """Copy those of the vector of entries at `source[i]` that lie from `low` to `high` to `target[k]` on.

    Returns how many, plus 256 times how many lie below `low`.
    """

    def code(context, builder, signature, args):
        kind = signature.args[0]
        array = context.make_array(kind)(context, builder, args[0])
        out = context.make_array(signature.args[2])(context, builder, args[2])
        element = array.data.type.pointee
        lanes = 16 if kind.dtype == types.float32 else 8
        vector, flags, word = ir.VectorType(element, lanes), ir.VectorType(ir.IntType(1), lanes), ir.IntType(lanes)

        def count(mask):
            counted = builder.call(
                builder.module.declare_intrinsic("llvm.ctpop", [word]), [builder.bitcast(mask, word)]
            )
            return builder.zext(counted, ir.IntType(64))

        values = emit_vector(builder, builder.gep(array.data, [args[1]]), lanes)
        low, high = (emit_splat(builder, value, vector) for value in args[4:])
        below = builder.fcmp_ordered("<", values, low)
        inside = builder.and_(builder.fcmp_ordered(">=", values, low), builder.fcmp_ordered("<=", values, high))
        name = f"llvm.experimental.vector.compress.v{lanes}f{kind.dtype.bitwidth}"
        function = builder.module.globals.get(name) or ir.Function(
            builder.module, ir.FunctionType(vector, [vector, flags, vector]), name
        )
        packed = builder.call(function, [values, inside, ir.Constant(vector, ir.Undefined)])
        stored = builder.store(packed, builder.bitcast(builder.gep(out.data, [args[3]]), vector.as_pointer()))
        stored.align = kind.dtype.bitwidth // 8
        return builder.add(count(inside), builder.mul(count(below), ir.Constant(ir.IntType(64), 256)))

    return types.int64(source, types.intp, target, types.intp, source.dtype, source.dtype), code


@plain
def between(values, low, high, out):
    """The entries from `low` to `high`, in order, into `out`; returns how many, and how many lie below."""
    lanes = 16 if values.itemsize == 4 else 8
    kept = below = i = 0
    while i + lanes <= len(values):
        counts = compress(values, i, out, kept, low, high)
        kept += counts & 255
        below += counts >> 8
        i += lanes
    for j in range(i, len(values)):
        x = values[j]
        if x < low:
            below += 1
        elif x <= high:
            out[kept] = x
            kept += 1
    return kept, below


@plain
def nth(values, length, k):
    """The k-th smallest of the first `length` values, which change places until it stands at k (Hoare's quickselect).

    Smaller ones stand before it then, larger ones behind. The pivots are scattered, so that no arrangement is slow.
    """
    low, high = 0, length - 1
    scatter = np.uint64(length)
    while low < high:
        scatter = scatter * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)
        pivot = values[low + np.int64((scatter >> np.uint64(33)) % np.uint64(high - low + 1))]
        i, j = low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if k <= j:
            high = j
        elif k >= i:
            low = i
        else:
            break
    return values[k]


@plain
def bracket(values, k, sample):
    """Two values between which the k-th smallest lies but for bad luck: 3.5 standard errors about it in a sample."""
    n = len(values)
    stride = n // SAMPLE
    for i in range(SAMPLE):
        sample[i] = values[i * stride]
    share = k / n
    error = 3.5 * math.sqrt(share * (1 - share) * SAMPLE) + 2.0
    first, last = int(share * SAMPLE - error), int(share * SAMPLE + error) + 1
    low = nth(sample, SAMPLE, first) if first > 0 else type_of(values[0], -np.inf)
    high = nth(sample, SAMPLE, last) if last < SAMPLE - 1 else type_of(values[0], np.inf)
    return low, high


@plain
def holds(k, n, skipped, kept):
    """Whether the k-th of n values and the next, if there is one, are among `kept` of them above `skipped` others."""
    return skipped <= k < skipped + kept and (k + 1 == n or k + 1 < skipped + kept)


@plain
def order_statistics(values, k, room):
    """The k-th smallest value, counted from 0, and the next one, itself where it is the last.

    Samples bracket them closer and closer; what lies inside is all that is looked at again.

    Args:
        values: [n].
        k: Which one.
        room: Space, [at least 2, at least n + 16].

    Returns:
        The k-th, the next, how many are larger than the k-th, and how many are equal to it.
    """
    n = len(values)
    sample = space_of(values[0], SAMPLE)
    kept, skipped, space, spare = 0, 0, room[0], room[1]
    if n > 8 * SAMPLE:
        low, high = bracket(values, k, sample)
        kept, skipped = between(values, low, high, space)
    if not holds(k, n, skipped, kept):
        kept, skipped = n, 0
        for i in range(n):
            space[i] = values[i]
    while kept > 8 * SAMPLE:
        low, high = bracket(space[:kept], k - skipped, sample)
        inside, below = between(space[:kept], low, high, spare)
        if inside > kept // 2 or not holds(k, n, skipped + below, inside):
            break  # many equal ones, or bad luck
        kept, skipped, space, spare = inside, skipped + below, spare, space
    found = nth(space, kept, k - skipped)
    following = type_of(found, np.inf)
    larger_here = equal = 0
    for i in range(kept):
        x = space[i]
        if x > found:
            larger_here += 1
        equal += 1 if x == found else 0
    for i in range(k - skipped + 1, kept):
        following = space[i] if space[i] < following else following
    return found, following if k < n - 1 else found, larger_here + n - skipped - kept, equal


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


@vector
def count_equal(block, value):
    """How many entries of a block equal `value`."""
    wide_vectors()
    count = np.int32(0)
    for i in range(len(block)):
        count += np.int32(1) if load(block[i]) == value else np.int32(0)
    return count


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
    """Of one block, the sum of exp(x - top) of the entries above `cut`. One sum a loop, or it does not vectorise."""
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
    """Over a row, the sum of exp(x - top) of the entries above `cut`."""
    mass = 0.0
    for b in range(len(tops)):
        if tops[b] > cut:
            mass += block_mass_above(row[b * BLOCK : (b + 1) * BLOCK], cut, top)
    return mass
