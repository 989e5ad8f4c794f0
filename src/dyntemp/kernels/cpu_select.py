"""Order statistics and sums above a threshold, without sorting a row."""

from __future__ import annotations

import math

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload

from dyntemp.kernels.cpu_vectors import exponential, floor_of, load, plain, smaller, type_of, vector, wide_vectors
from dyntemp.kernels.reference import BLOCK

SAMPLE = 4_096
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

        def load_vector(pointer):
            value = builder.load(builder.bitcast(pointer, vector.as_pointer()))
            value.align = kind.dtype.bitwidth // 8
            return value

        def all_of(value):
            one = builder.insert_element(ir.Constant(vector, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
            zeros = ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes)
            return builder.shuffle_vector(one, ir.Constant(vector, ir.Undefined), zeros)

        def count(mask):
            counted = builder.call(
                builder.module.declare_intrinsic("llvm.ctpop", [word]), [builder.bitcast(mask, word)]
            )
            return builder.zext(counted, ir.IntType(64))

        values = load_vector(builder.gep(array.data, [args[1]]))
        below = builder.fcmp_ordered("<", values, all_of(args[4]))
        inside = builder.and_(
            builder.fcmp_ordered(">=", values, all_of(args[4])), builder.fcmp_ordered("<=", values, all_of(args[5]))
        )
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
def order_statistics(values, k, room):
    """The k-th smallest value, counted from 0, and the next one (itself where it is the last).

    A sample brackets them to within 3.5 standard errors of its own quantile; only what lies inside is looked at again.
    """
    n = len(values)
    kept, below = 0, n + 1
    if n > 4 * SAMPLE:
        stride = n // SAMPLE
        for i in range(SAMPLE):
            room[i] = values[i * stride]
        share = k / n
        error = 3.5 * math.sqrt(share * (1 - share) * SAMPLE) + 2.0
        first, last = int(share * SAMPLE - error), int(share * SAMPLE + error) + 1
        low = nth(room, SAMPLE, first) if first > 0 else type_of(values[0], -np.inf)
        high = nth(room, SAMPLE, last) if last < SAMPLE - 1 else type_of(values[0], np.inf)
        kept, below = between(values, low, high, room)
    if not (below <= k and k + 1 < below + kept):
        for i in range(n):
            room[i] = values[i]
        kept, below = n, 0
    found = nth(room, kept, k - below)
    following = found
    if k - below + 1 < kept:
        following = room[k - below + 1]
        for i in range(k - below + 2, kept):
            following = room[i] if room[i] < following else following
    return found, following


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
    """The index of the `number`-th entry, counted from 1, that equals `value`; -1 for number 0."""
    if number <= 0:
        return np.int64(-1)
    for b in range(len(tops)):
        if tops[b] >= value:
            for i in range(b * BLOCK, min((b + 1) * BLOCK, len(row))):
                if load(row[i]) == value:
                    number -= 1
                    if number == 0:
                        return np.int64(i)
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
def block_mass_above(block, cut, top, a):
    """Of one block, of the entries above `cut`: sum of exp(a*(x - top)), how many, and the smallest."""
    wide_vectors()
    lowest, farthest = floor_of(top), type_of(top, -1e38)
    none, infinite = type_of(top, 0.0), type_of(top, np.inf)
    total, smallest = none, infinite
    count = np.int32(0)
    for i in range(len(block)):
        x = load(block[i])
        d = x - top
        d = (farthest if d < farthest else d) * a
        d = lowest if d < lowest else d
        e = exponential(d, none)
        total += e if x > cut else none
        count += np.int32(1) if x > cut else np.int32(0)
        smallest = smaller(smallest, x if x > cut else infinite)
    return total, count, smallest


@plain
def mass_above(row, cut, tops, top, a):
    """Over a row, of the entries above `cut`: sum of exp(a*(x - top)), how many, and the smallest."""
    mass, count, smallest = 0.0, 0, type_of(top, np.inf)
    for b in range(len(tops)):
        if tops[b] > cut:
            m, c, s = block_mass_above(row[b * BLOCK : (b + 1) * BLOCK], cut, top, a)
            mass += m
            count += c
            smallest = min(smallest, s)
    return mass, count, smallest
