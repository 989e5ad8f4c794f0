"""What the compiled kernels are made of: how an entry is read, and functions of numbers that vectorise.

What the compiler needs, found by measurement:

* `nnan` and `ninf` stay off except on the maximum itself: with `ninf`, LLVM folds `x == -inf` to False and a masked
  block turns into NaN. Without `nnan` on the call, a maximum does not vectorise at all.
* PyPI's llvmlite has no vector mathematics library, so the exponential is our own: d = n*ln 2 + f, a polynomial in f,
  and n added to the bits of its exponent. Arguments are kept from falling below 2**-125 (2**-1020), so that no
  denormal number is ever formed. NaN passes, which finds broken rows for nothing.
* LLVM prefers vectors of 256 bits on Intel's server processors; `wide_vectors` asks for 512, a quarter faster.
* What is written for both float types is an `overload`, and constants take the type of their neighbour by `type_of`;
  what is needed for numbers and for vectors is a function `emit_...` that writes LLVM's instructions for either.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core.registry import cpu_target
from numba.extending import intrinsic, overload

FAST = {"reassoc", "nsz", "arcp", "contract", "afn"}

INNER = {"error_model": "numpy", "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
"""Python calls the entry points of `cpu_rows` only; without wrappers the rest compiles a tenth faster."""

plain = njit(**INNER)

vector = njit(**INNER, fastmath=FAST, inline="never")
"""Loops over entries, which are to become vector instructions."""

LN2 = math.log(2.0)

LOG2E = math.log2(math.e)

SQRT2 = math.sqrt(2.0)


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


@intrinsic
def load(typingctx, x):
    """An entry as a float: float32 and float64 as they are, int16 as the bits of a bfloat16, uint16 of a float16."""
    kind = x if x in (types.float32, types.float64) else types.float32
    return kind(x), lambda context, builder, signature, args: emit_load(builder, args[0], x)


def emit_extreme(builder, name, x, y):
    """`llvm.maxnum` or `llvm.minnum` of two numbers or vectors, in a form that vectorises. NaN is not looked at."""
    many = f"v{x.type.count}" if isinstance(x.type, ir.VectorType) else ""
    element = x.type.element if many else x.type
    name = f"{name}.{many}f{32 if element == ir.FloatType() else 64}"
    kind = ir.FunctionType(x.type, [x.type, x.type])
    function = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
    return builder.call(function, [x, y], fastmath=("nnan", "nsz"))


@intrinsic
def larger(typingctx, x, y):
    """The larger of two floats of one type."""
    return x(x, x), lambda context, builder, signature, args: emit_extreme(builder, "llvm.maxnum", *args)


@intrinsic
def smaller(typingctx, x, y):
    """The smaller of two floats of one type."""
    return x(x, x), lambda context, builder, signature, args: emit_extreme(builder, "llvm.minnum", *args)


@intrinsic
def wide_vectors(typingctx):
    """Ask for vectors of 512 bits in the function that this stands in. llvmlite has no name for the attribute."""

    def code(context, builder, signature, args):
        set.add(builder.function.attributes, '"prefer-vector-width"="512"')
        return context.get_dummy_value()

    return types.none(), code


@intrinsic
def fused(typingctx, x, y, z):
    """x*y + z, rounded once."""

    def code(context, builder, signature, args):
        kind = args[0].type
        function = builder.module.declare_intrinsic("llvm.fma", [kind], ir.FunctionType(kind, [kind] * 3))
        return builder.call(function, args)

    return x(x, x, x), code


def type_of(x, value):
    """`value` in the type of `x`."""
    return type(x)(value)


@overload(type_of, inline="always")
def _type_of(x, value):
    if x == types.float32:
        return lambda x, value: np.float32(value)
    return lambda x, value: np.float64(value)


def space_of(x, length):
    """An array of `length` numbers of the type of `x`."""
    return np.empty(length, type(x))


@overload(space_of, inline="always")
def _space_of(x, length):
    if x == types.float32:
        return lambda x, length: np.empty(length, np.float32)
    return lambda x, length: np.empty(length, np.float64)


LOWEST32, LOWEST64 = np.float32(-86.6), -707.0
"""Exponents below these count as these: 2**-125 and 2**-1020."""

LN2_HIGH, LN2_LOW = 0.6931471803691238, 1.9082149292705877e-10

NARROW = 0.008312520571, 0.04189015552, 0.166671142, 0.499992311, 1.0, 1.0
"""e**f on [-ln 2/2, ln 2/2] by falling powers: minimax, relative error 1.1e-7, and exact at 0."""

WIDE = tuple(1 / math.factorial(k) for k in range(13, -1, -1))
"""The same by its series; the next term is below 1e-17."""


def emit_exponential(builder, d, low=None):
    """e**(d + low) of numbers or vectors: d = n*ln 2 + f, a polynomial in f, and n added to its exponent's bits.

    Adding `magic` rounds to the nearest whole number and leaves it in the low bits. This must not be reassociated, and
    instructions without flags get those of the function around them.
    """
    kind = d.type
    many = isinstance(kind, ir.VectorType)
    narrow = (kind.element if many else kind) == ir.FloatType()
    whole = ir.IntType(32 if narrow else 64)
    whole = ir.VectorType(whole, kind.count) if many else whole
    magic = constant(kind, 1.5 * 2.0 ** (23 if narrow else 52))
    r = builder.fadd(builder.fmul(d, constant(kind, LOG2E), flags=CONTRACT), magic, flags=CONTRACT)
    n = builder.fsub(r, magic, flags=CONTRACT)
    f = d
    for part in (LN2,) if narrow else (LN2_HIGH, LN2_LOW):
        f = builder.fsub(f, builder.fmul(n, constant(kind, part), flags=CONTRACT), flags=CONTRACT)
    if low is not None:
        f = builder.fadd(f, low, flags=CONTRACT)
    first, *others = NARROW if narrow else WIDE
    p = constant(kind, first)
    for coefficient in others:
        p = builder.fadd(builder.fmul(p, f, flags=CONTRACT), constant(kind, coefficient), flags=CONTRACT)
    exponent = builder.shl(builder.bitcast(r, whole), constant(whole, 23 if narrow else 52))
    return builder.bitcast(builder.add(builder.bitcast(p, whole), exponent), kind)


@intrinsic
def exponential(typingctx, d, low):
    """e**(d + low) for d of at least `floor_of` its type, `low` a correction beyond the digits of d."""
    return d(d, low), lambda context, builder, signature, args: emit_exponential(builder, *args)


def floor_of(x):
    """The exponent below which a float of the type of `x` counts as zero."""
    return LOWEST64


@overload(floor_of)
def _floor_of(x):
    if x == types.float32:
        return lambda x: LOWEST32
    return lambda x: LOWEST64


def farthest_of(x):
    """The lowest finite float of the type of `x`, so that 0 times it is 0."""
    return -1.7976931348623157e308


@overload(farthest_of)
def _farthest_of(x):
    if x == types.float32:
        return lambda x: np.float32(-3.4028234663852886e38)
    return lambda x: -1.7976931348623157e308


LOWEST_PLACE = np.int64(-(2**63))


def place_of(x):
    """The place of a float in the order of all floats of its type, a whole number."""
    return np.float64(x).view(np.int64)


@overload(place_of)
def _place_of(x):
    if x == types.float32:

        def narrow(x):
            bits = np.int64(np.float32(x).view(np.int32))
            return bits if bits >= 0 else -(2**31) - bits

        return narrow

    def wide(x):
        bits = np.float64(x).view(np.int64)
        return bits if bits >= 0 else LOWEST_PLACE - bits

    return wide


def number_at(x, place):
    """The float of the type of `x` at a place in the order of them."""
    return np.int64(place).view(np.float64)


@overload(number_at)
def _number_at(x, place):
    if x == types.float32:
        return lambda x, place: np.int32(place if place >= 0 else -(2**31) - place).view(np.float32)
    return lambda x, place: np.int64(place if place >= 0 else LOWEST_PLACE - place).view(np.float64)


@plain
def middle_of(low, high):
    """The place halfway between two, rounded down; their sum may be beyond int64."""
    return (low >> 1) + (high >> 1) + (low & high & 1)


@intrinsic
def exponent_and_mantissa(typingctx, x):
    """e and m of a positive float64 x = m * 2**e, with m from 1 to 2."""

    def code(context, builder, signature, args):
        whole = ir.IntType(64)
        bits = builder.bitcast(args[0], whole)
        exponent = builder.sub(builder.lshr(bits, ir.Constant(whole, 52)), ir.Constant(whole, 1023))
        fraction = builder.and_(bits, ir.Constant(whole, 2**52 - 1))
        mantissa = builder.bitcast(builder.or_(fraction, ir.Constant(whole, 1023 << 52)), ir.DoubleType())
        return context.make_tuple(builder, signature.return_type, (builder.sitofp(exponent, ir.DoubleType()), mantissa))

    return types.UniTuple(types.float64, 2)(x), code


@njit(error_model="numpy", fastmath=FAST, inline="always")
def logarithm(x):
    """ln x of a positive float64, by the series of artanh, to 1e-13 and in a form that vectorises."""
    e, m = exponent_and_mantissa(x)
    s = (m - SQRT2) / (m + SQRT2)
    q = s * s
    series = ((((((q / 15 + 1 / 13) * q + 1 / 11) * q + 1 / 9) * q + 1 / 7) * q + 1 / 5) * q + 1 / 3) * q + 1.0
    return 2.0 * s * series + (e + 0.5) * LN2
