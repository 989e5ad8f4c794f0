"""How functions are compiled, how an entry is read, and functions of numbers that vectorise.

The compiler needs the following, as measurements show:

* `nnan` and `ninf` stay off except on the maximum itself: with `ninf`, LLVM folds `x == -inf` to False and a masked
  block turns into NaN. Without `nnan` on the call, a maximum does not vectorise at all.
* LLVM prefers vectors of 256 bits on Intel's server processors; `wide_vectors` asks for 512, a quarter faster.
* A function for both float types is an `overload`, and constants take the type of their neighbour by `type_of`.
"""

from __future__ import annotations

import math

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic, overload

from dyntemp.kernels.cpu.emit import LN2, emit_exponential, emit_extreme, emit_load

FAST = {"reassoc", "nsz", "arcp", "contract", "afn"}

INNER = {"error_model": "numpy", "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
"""Python calls the entry points only. Without wrappers the other functions compile a tenth faster."""

plain = njit(**INNER)

vector = njit(**INNER, fastmath=FAST, inline="never")
"""Loops over entries, which are to become vector instructions."""


@intrinsic
def load(typingctx, x):
    """An entry as a float: float32 and float64 as they are, int16 as the bits of a bfloat16, uint16 of a float16."""
    kind = x if x in (types.float32, types.float64) else types.float32
    return kind(x), lambda context, builder, signature, args: emit_load(builder, args[0], x)


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


@intrinsic
def exponential(typingctx, d, low):
    """e**(d + low) for d of at least `floor_of` its type, `low` a correction beyond the digits of d."""
    return d(d, low), lambda context, builder, signature, args: emit_exponential(builder, *args)


LOWEST32, LOWEST64 = np.float32(-86.6), -707.0
"""Exponents below these count as these: 2**-125 and 2**-1020."""


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


SQRT2 = math.sqrt(2.0)


@njit(error_model="numpy", fastmath=FAST, inline="always")
def logarithm(x):
    """ln x of a positive float64, by the series of artanh, to 1e-13 and in a form that vectorises."""
    e, m = exponent_and_mantissa(x)
    s = (m - SQRT2) / (m + SQRT2)
    q = s * s
    series = ((((((q / 15 + 1 / 13) * q + 1 / 11) * q + 1 / 9) * q + 1 / 7) * q + 1 / 5) * q + 1 / 3) * q + 1.0
    return 2.0 * s * series + (e + 0.5) * LN2
