"""The loop that reads every logit: sums of one block in explicit vectors, while the next block is fetched.

LLVM makes vectors of a plain loop, but not of a loop that fetches ahead. Without fetching ahead, reading and computing
take turns.
"""

from __future__ import annotations

import math
from functools import partial, reduce

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
    has_few_registers,
)
from dyntemp.kernels.cpu.vectors import LOWEST32, LOWEST64

AHEAD = 8_192
"""Distance in bytes from the entries that are summed to those that are fetched."""


VECTOR, AT_ONCE = (32, 1) if has_few_registers() else (64, 4)
"""Bytes of a vector, and vectors that are summed side by side, each into sums of its own.

With 16 registers, sums and constants of more than one vector of 32 bytes go through memory: a read takes a fifth
longer."""

RUN = 32
"""Terms of a sum before it is added to the total of a block, which loses fewer digits than one sum."""


@intrinsic
def vector_sums(typingctx, block, groups, reference, centre):
    """The sums of `blocks.block_sums` over the first `groups` of `AT_ONCE` vectors of a block.

    Without a centre the last two are 0.
    """
    kind, second = reference, not isinstance(centre, types.NoneType)
    element = ir.FloatType() if kind == types.float32 else ir.DoubleType()
    lanes = VECTOR // (kind.bitwidth // 8)
    vector = ir.VectorType(element, lanes)
    lowest = constant(vector, float(LOWEST32) if kind == types.float32 else LOWEST64)
    zero = constant(vector, 0.0)
    extremes = {"llvm.maxnum": -math.inf, "llvm.minnum": math.inf}

    def code(context, builder, signature, args):
        entries = context.make_array(block)(context, builder, args[0]).data
        near = emit_splat(builder, args[2], vector)
        middle = emit_splat(builder, args[3], vector) if second else None
        ends = {name: cgutils.alloca_once_value(builder, constant(vector, end)) for name, end in extremes.items()}
        totals = [cgutils.alloca_once_value(builder, zero) for _ in range(4)]
        sums = [[cgutils.alloca_once(builder, vector) for _ in range(AT_ONCE)] for _ in totals]

        def plus(left, right):
            return builder.fadd(left, right, flags=AT_WILL)

        def add(total, x, y=None):
            term = x if y is None else builder.fmul(x, y, flags=AT_WILL)
            builder.store(plus(builder.load(total), term), total)

        def add_vector(at, zeroth, first, square, spread):
            _fetch(builder, at)
            x = emit_load(builder, emit_vector(builder, at, lanes), block.dtype)
            for name, end in ends.items():
                builder.store(emit_extreme(builder, name, builder.load(end), x), end)
            d = builder.fsub(x, near)
            d = builder.select(builder.fcmp_ordered("<", d, lowest), lowest, d)  # NaN stays
            e = emit_exponential(builder, d)
            add(zeroth, e)
            add(first, d, e)
            if second:
                aside = builder.fsub(d, middle)
                add(square, e, e)
                add(spread, aside, builder.fmul(aside, e, flags=AT_WILL))

        groups, whole = args[1], args[1].type
        with cgutils.for_range_slice(builder, whole(0), groups, whole(RUN), whole) as (start, _):
            for part in sums:
                for total in part:
                    builder.store(zero, total)
            end = builder.add(start, whole(RUN))
            end = builder.select(builder.icmp_signed("<", end, groups), end, groups)
            with cgutils.for_range(builder, end, start) as loop:
                _keep_rolled(builder)
                for turn, parts in enumerate(zip(*sums, strict=True)):
                    place = builder.add(builder.mul(loop.index, whole(lanes * AT_ONCE)), whole(lanes * turn))
                    add_vector(builder.gep(entries, [place]), *parts)
            for total, part in zip(totals, sums, strict=True):
                add(total, reduce(plus, map(builder.load, part)))

        results = [
            _fold(builder, builder.load(end), partial(emit_extreme, builder, name)) for name, end in ends.items()
        ]
        results += [_fold(builder, builder.load(total), plus) for total in totals]
        return context.make_tuple(builder, signature.return_type, results)

    return types.UniTuple(kind, 6)(block, types.intp, reference, centre), code


def _keep_rolled(builder):
    """Keep LLVM from unrolling the loop around: it does not unroll one with assembly in it, of which this is none."""
    builder.asm(ir.FunctionType(ir.VoidType(), []), "", "", [], side_effect=True)


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
