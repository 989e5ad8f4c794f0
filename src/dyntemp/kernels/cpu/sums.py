"""The loop that reads every logit: sums of one block in explicit vectors, while the next block is fetched.

LLVM makes vectors of a plain loop, but not of a loop that fetches ahead. Without fetching ahead, reading and computing
take turns. A vector is one line of the cache.
"""

from __future__ import annotations

import math
from functools import partial

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from dyntemp.kernels.cpu.emit import (
    AT_WILL,
    constant,
    emit_exponential,
    emit_extreme,
    emit_load,
    emit_splat,
    emit_vector,
)
from dyntemp.kernels.cpu.vectors import LOWEST32, LOWEST64

AHEAD = 8_192
"""Distance in bytes from the entries that are summed to those that are fetched."""


AT_ONCE = 4
"""Vectors that are summed side by side, each into sums of its own, which loses fewer digits than one sum."""


@intrinsic
def vector_sums(typingctx, block, groups, reference, centre):
    """The sums of `blocks.block_sums` over the first `groups` of `AT_ONCE` vectors of a block.

    Without a centre the last two are 0.
    """
    kind, second = reference, not isinstance(centre, types.NoneType)
    lanes, element = (16, ir.FloatType()) if kind == types.float32 else (8, ir.DoubleType())
    vector = ir.VectorType(element, lanes)
    lowest, zero = constant(vector, float(LOWEST32) if lanes == 16 else LOWEST64), constant(vector, 0.0)
    extremes = {"llvm.maxnum": -math.inf, "llvm.minnum": math.inf}

    def code(context, builder, signature, args):
        entries = context.make_array(block)(context, builder, args[0]).data
        near = emit_splat(builder, args[2], vector)
        middle = emit_splat(builder, args[3], vector) if second else None
        ends = {name: cgutils.alloca_once_value(builder, constant(vector, end)) for name, end in extremes.items()}
        sums = [[cgutils.alloca_once_value(builder, zero) for _ in range(AT_ONCE)] for _ in range(4)]

        def add(place, turn, x, y=None):
            term = x if y is None else builder.fmul(x, y, flags=AT_WILL)
            total = builder.load(sums[place][turn])
            builder.store(builder.fadd(total, term, flags=AT_WILL), sums[place][turn])

        with cgutils.for_range(builder, args[1]) as loop:
            for turn in range(AT_ONCE):
                step = ir.Constant(loop.index.type, lanes * AT_ONCE)
                place = builder.add(builder.mul(loop.index, step), ir.Constant(loop.index.type, lanes * turn))
                at = builder.gep(entries, [place])
                _fetch(builder, at)
                x = emit_load(builder, emit_vector(builder, at, lanes), block.dtype)
                for name, end in ends.items():
                    builder.store(emit_extreme(builder, name, builder.load(end), x), end)
                d = builder.fsub(x, near)
                d = builder.select(builder.fcmp_ordered("<", d, lowest), lowest, d)  # NaN stays
                e = emit_exponential(builder, d)
                add(0, turn, e)
                add(1, turn, d, e)
                if second:
                    aside = builder.fsub(d, middle)
                    add(2, turn, e, e)
                    add(3, turn, aside, builder.fmul(aside, e, flags=AT_WILL))

        def plus(left, right):
            return builder.fadd(left, right, flags=AT_WILL)

        results = [
            _fold(builder, builder.load(end), partial(emit_extreme, builder, name)) for name, end in ends.items()
        ]
        for parts in sums:
            one, two, three, four = map(builder.load, parts)
            results.append(_fold(builder, plus(plus(one, two), plus(three, four)), plus))
        return context.make_tuple(builder, signature.return_type, results)

    return types.UniTuple(kind, 6)(block, types.intp, reference, centre), code


def _fetch(builder, at):
    """Ask for the line `AHEAD` bytes on; beyond the end of an array this does nothing."""
    byte, word, name = ir.IntType(8).as_pointer(), ir.IntType(32), "llvm.prefetch.p0"
    kind = ir.FunctionType(ir.VoidType(), [byte, word, word, word])
    function = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
    ahead = builder.gep(builder.bitcast(at, byte), [ir.Constant(ir.IntType(64), AHEAD)])
    builder.call(function, [ahead, ir.Constant(word, 0), ir.Constant(word, 3), ir.Constant(word, 1)])


def _fold(builder, values, combine):
    """All lanes of a vector combined into one number, half by half."""
    nothing = ir.Constant(values.type, ir.Undefined)
    while values.type.count > 2:
        half = values.type.count // 2
        parts = (
            ir.Constant(ir.VectorType(ir.IntType(32), half), list(range(start, start + half))) for start in (0, half)
        )
        values = combine(*(builder.shuffle_vector(values, nothing, part) for part in parts))
        nothing = ir.Constant(values.type, ir.Undefined)
    return combine(*(builder.extract_element(values, ir.Constant(ir.IntType(32), lane)) for lane in (0, 1)))
