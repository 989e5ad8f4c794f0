"""Writers of LLVM's instructions, each for a number or for a vector of numbers.

PyPI's llvmlite has no vector mathematics library, so the exponential is our own: d = n*ln 2 + f, a polynomial in f, and
n added to the bits of its exponent. Arguments are kept from falling below 2**-125 (2**-1020), so that no denormal
number is ever formed. NaN passes, which finds broken rows at no cost.
"""

from __future__ import annotations

import math
from functools import cache

from llvmlite import ir
from numba import types
from numba.core.registry import cpu_target

LN2 = math.log(2.0)

LOG2E = math.log2(math.e)

LN2_HIGH, LN2_LOW = 0.6931471803691238, 1.9082149292705877e-10

NARROW = 0.008312520571, 0.04189015552, 0.166671142, 0.499992311, 1.0, 1.0
"""e**f on [-ln 2/2, ln 2/2] by falling powers: minimax, relative error 1.1e-7, and exact at 0."""

WIDE = tuple(1 / math.factorial(k) for k in range(13, -1, -1))
"""e**f by its series; the next term is below 1e-17."""

CONTRACT = ("contract",)
"""x*y + z may be rounded once."""

AT_WILL = ("contract", "reassoc", "nsz", "arcp", "afn")


def constant(kind, value):
    """`value` as a constant of an LLVM type: of a number, or of a vector that holds it in every lane."""
    return ir.Constant(kind, [value] * kind.count if isinstance(kind, ir.VectorType) else value)


def emit_load(builder, entry, dtype):
    """An entry, or a vector of entries, as floats: int16 holds the bits of a bfloat16, uint16 of a float16."""

    def like(element):
        return ir.VectorType(element, entry.type.count) if isinstance(entry.type, ir.VectorType) else element

    if dtype == types.int16:
        bits = builder.zext(entry, like(ir.IntType(32)))
        return builder.bitcast(builder.shl(bits, constant(bits.type, 16)), like(ir.FloatType()))
    if dtype == types.uint16 and converts_halves():
        return builder.fpext(builder.bitcast(entry, like(ir.HalfType())), like(ir.FloatType()))
    if dtype == types.uint16:
        return emit_half(builder, builder.zext(entry, like(ir.IntType(32))), like(ir.FloatType()))
    return entry


@cache
def compiled_for():
    """The architecture that Numba compiles for, and what it may use there, as LLVM writes it: `+avx2`, `-avx512f`."""
    triple, _, features = cpu_target.target_context.codegen().magic_tuple()
    return triple.split("-")[0], frozenset(features.split(","))


def has_few_registers():
    """Return True where the processor that Numba compiles for has 16 vector registers: x86 without AVX-512."""
    architecture, features = compiled_for()
    return architecture == "x86_64" and "+avx512f" not in features


def converts_halves():
    """Return True where the processor that Numba compiles for widens a float16 in one instruction.

    For an x86 processor without F16C, LLVM would call a function that Numba does not have.
    """
    architecture, features = compiled_for()
    return architecture not in {"x86_64", "i686"} or "+f16c" in features


def emit_half(builder, bits, float32):
    """The float32 of a float16 by its bits, in a 32-bit integer or a vector of them; exact, and without denormals.

    The sign moves 16 bits up. Exponent and mantissa move 13 bits up, and a factor of 2**-112 corrects the bias; the
    detour by an exponent that is 224 too large keeps infinity and NaN. The bits of a denormal number count units of
    2**-24, which the last bits of 0.5 are in float32.
    """
    sign = builder.shl(builder.and_(bits, constant(bits.type, 0x8000)), constant(bits.type, 16))
    rest = builder.shl(bits, constant(bits.type, 17))
    shifted = builder.add(builder.lshr(rest, constant(bits.type, 4)), constant(bits.type, 224 << 23))
    normal = builder.fmul(builder.bitcast(shifted, float32), constant(float32, 2.0**-112))
    units = builder.or_(builder.lshr(rest, constant(bits.type, 17)), constant(bits.type, 126 << 23))
    small = builder.fsub(builder.bitcast(units, float32), constant(float32, 0.5))
    is_small = builder.icmp_unsigned("<", rest, constant(bits.type, 1 << 27))
    found = builder.select(is_small, builder.bitcast(small, bits.type), builder.bitcast(normal, bits.type))
    return builder.bitcast(builder.or_(found, sign), float32)


def emit_splat(builder, value, vector):
    """A vector of an LLVM type with a number in every lane."""
    one = builder.insert_element(ir.Constant(vector, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
    first = ir.Constant(ir.VectorType(ir.IntType(32), vector.count), [0] * vector.count)
    return builder.shuffle_vector(one, ir.Constant(vector, ir.Undefined), first)


def emit_vector(builder, at, lanes):
    """The entries from a pointer on as a vector; they need only be aligned as one entry is."""
    element = at.type.pointee
    value = builder.load(builder.bitcast(at, ir.VectorType(element, lanes).as_pointer()))
    value.align = {ir.FloatType(): 4, ir.DoubleType(): 8}.get(element, 2)
    return value


def emit_extreme(builder, name, x, y):
    """`llvm.maxnum` or `llvm.minnum` of two numbers or vectors, in a form that vectorises. NaN is not looked at."""
    many = f"v{x.type.count}" if isinstance(x.type, ir.VectorType) else ""
    element = x.type.element if many else x.type
    name = f"{name}.{many}f{32 if element == ir.FloatType() else 64}"
    kind = ir.FunctionType(x.type, [x.type, x.type])
    function = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
    return builder.call(function, [x, y], fastmath=("nnan", "nsz"))


def emit_exponential(builder, d, low=None):
    """e**(d + low) of numbers or vectors: d = n*ln 2 + f, and 2**n + 2**n*f*q with a polynomial q in f.

    Adding `magic` rounds to the nearest whole number n and leaves it, with the bias of an exponent, in the low bits,
    which move up to be 2**n. It is ready before q is, and so is 2**n*f, which is exact. The addition must not be
    reassociated, and instructions without flags get those of the function around them.
    """
    kind = d.type
    many = isinstance(kind, ir.VectorType)
    narrow = (kind.element if many else kind) == ir.FloatType()
    digits, bias = (23, 127) if narrow else (52, 1023)
    whole = ir.IntType(32 if narrow else 64)
    whole = ir.VectorType(whole, kind.count) if many else whole
    magic = constant(kind, 1.5 * 2.0**digits + bias)
    r = builder.fadd(builder.fmul(d, constant(kind, LOG2E), flags=CONTRACT), magic, flags=CONTRACT)
    n = builder.fsub(r, magic, flags=CONTRACT)
    f = d
    for part in (LN2,) if narrow else (LN2_HIGH, LN2_LOW):
        f = builder.fsub(f, builder.fmul(n, constant(kind, part), flags=CONTRACT), flags=CONTRACT)
    if low is not None:
        f = builder.fadd(f, low, flags=CONTRACT)
    first, *others = (NARROW if narrow else WIDE)[:-1]
    q = constant(kind, first)
    for coefficient in others:
        q = builder.fadd(builder.fmul(q, f, flags=CONTRACT), constant(kind, coefficient), flags=CONTRACT)
    power = builder.bitcast(builder.shl(builder.bitcast(r, whole), constant(whole, digits)), kind)
    scaled = builder.fmul(power, f, flags=CONTRACT)
    return builder.fadd(builder.fmul(q, scaled, flags=CONTRACT), power, flags=CONTRACT)
