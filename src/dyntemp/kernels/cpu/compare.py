"""Loops that compare every entry with a bound: how many lie beyond it, and copies of those that lie within two."""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from dyntemp.kernels.cpu.emit import compiled_for, emit_splat, emit_vector
from dyntemp.kernels.cpu.vectors import load, plain, smaller, type_of, vector, wide_vectors


@vector
def count_above(values, low):
    """How many entries lie above `low`, of fewer than 2**31."""
    wide_vectors()
    count = np.int32(0)
    for i in range(len(values)):
        count = np.int32(count + (load(values[i]) > low))  # a sum in Numba's int64 takes four times as long
    return count


@vector
def count_equal(values, value):
    """How many entries equal `value`, of fewer than 2**31."""
    wide_vectors()
    count = np.int32(0)
    for i in range(len(values)):
        count = np.int32(count + (load(values[i]) == value))
    return count


@vector
def least_above(values, low):
    """The smallest entry above `low`; infinity where there is none."""
    wide_vectors()
    most = type_of(low, np.inf)
    least = most
    for i in range(len(values)):
        x = load(values[i])
        least = smaller(least, x if x > low else most)
    return least


@plain
def between(values, low, high, out):
    """The entries from `low` to `high`, in order, into `out`, which has room for 16 more.

    Returns:
        How many they are, and how many entries lie below `low`.
    """
    step = 16 if values.itemsize == 4 else 8
    kept = below = i = 0
    while i + step <= len(values):
        kept, below = pack(values, i, low, high, out, kept, below)
        i += step
    for j in range(i, len(values)):
        x = values[j]
        if x < low:
            below += 1
        elif x <= high:
            out[kept] = x
            kept += 1
    return kept, below


@intrinsic
def pack(typingctx, source, i, low, high, target, kept, below):
    """`between` for 64 bytes of entries from `source[i]` on: `kept` and `below`, larger by what was found."""
    size = source.dtype.bitwidth // 8
    lanes, emit = (32 // size, emit_packed_by_table) if packs_by_table() else (64 // size, emit_packed)

    def code(context, builder, signature, args):
        entries = context.make_array(source)(context, builder, args[0]).data
        out = context.make_array(target)(context, builder, args[4]).data
        kind = ir.VectorType(entries.type.pointee, lanes)
        bottom, top = (emit_splat(builder, value, kind) for value in args[2:4])
        kept, below = args[5:]
        for start in range(0, 64 // size, lanes):
            place = builder.add(args[1], ir.Constant(args[1].type, start))
            values = emit_vector(builder, builder.gep(entries, [place]), lanes)
            under = builder.fcmp_ordered("<", values, bottom)
            inside = builder.and_(builder.fcmp_ordered(">=", values, bottom), builder.fcmp_ordered("<=", values, top))
            at = builder.bitcast(builder.gep(out, [kept]), kind.as_pointer())
            builder.store(emit(builder, values, inside), at).align = size
            kept = builder.add(kept, emit_count(builder, inside))
            below = builder.add(below, emit_count(builder, under))
        return context.make_tuple(builder, signature.return_type, (kept, below))

    bound, count = source.dtype, types.int64
    return types.UniTuple(count, 2)(source, types.intp, bound, bound, target, count, count), code


def emit_count(builder, mask):
    """How many lanes of a mask are set, int64."""
    bits = builder.bitcast(mask, ir.IntType(mask.type.count))
    counted = builder.call(builder.module.declare_intrinsic("llvm.ctpop", [bits.type]), [bits])
    return builder.zext(counted, ir.IntType(64))


def emit_packed(builder, values, chosen):
    """The chosen lanes of a vector at its front, in order; the lanes behind them hold anything."""
    kind = values.type
    name = f"llvm.experimental.vector.compress.v{kind.count}f{32 if kind.element == ir.FloatType() else 64}"
    function = builder.module.globals.get(name) or ir.Function(
        builder.module, ir.FunctionType(kind, [kind, chosen.type, kind]), name
    )
    return builder.call(function, [values, chosen, ir.Constant(kind, ir.Undefined)])


def packs_by_table():
    """Return True where the processor that Numba compiles for has AVX2, and not AVX-512 with an instruction that packs.

    LLVM would copy lane after lane there, which takes five times as long.
    """
    _, features = compiled_for()
    return "+avx2" in features and "+avx512f" not in features


def emit_packed_by_table(builder, values, chosen):
    """`emit_packed` for 8 numbers of 32 bits or 4 of 64: the bits of `chosen` are the line of a table of lanes."""
    kind, words = values.type, ir.VectorType(ir.IntType(32), 8)
    wide = 8 // kind.count  # how many lanes of 32 bits a number takes
    table = []
    for bits in range(2**kind.count):
        lanes = [wide * lane + half for lane in range(kind.count) if bits >> lane & 1 for half in range(wide)]
        table.append(ir.Constant(words, lanes + [0] * (8 - len(lanes))))
    lines = ir.Constant(ir.ArrayType(words, len(table)), table)
    start = builder.bitcast(cgutils.global_constant(builder, f"lanes{kind.count}", lines), words.as_pointer())
    line = builder.zext(builder.bitcast(chosen, ir.IntType(kind.count)), ir.IntType(64))
    floats = ir.VectorType(ir.FloatType(), 8)
    name = "llvm.x86.avx2.permps"
    function = builder.module.globals.get(name) or ir.Function(
        builder.module, ir.FunctionType(floats, [floats, words]), name
    )
    packed = builder.call(function, [builder.bitcast(values, floats), builder.load(builder.gep(start, [line]))])
    return builder.bitcast(packed, kind)
