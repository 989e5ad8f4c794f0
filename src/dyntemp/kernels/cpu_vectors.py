"""What the compiled kernels are made of: how an entry is read, and functions of numbers that vectorise.

What the compiler needs, found by measurement:

* `nnan` and `ninf` stay off except on the maximum itself: with `ninf`, LLVM folds `x == -inf` to False and a masked
  block turns into NaN. Without `nnan` on the call, a maximum does not vectorise at all.
* PyPI's llvmlite has no vector mathematics library, so the exponential is our own: d = n*ln 2 + f, a polynomial in f,
  and n added to the bits of its exponent. Arguments are kept from falling below 2**-125 (2**-1020), so that no
  denormal number is ever formed. NaN passes, which finds broken rows for nothing.
* LLVM prefers vectors of 256 bits on Intel's server processors; `wide_vectors` asks for 512, a quarter faster.
* What is written for both float types is an `overload`, and constants take the type of their neighbour by `type_of`.
"""

from __future__ import annotations

import math

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic, overload

FAST = {"reassoc", "nsz", "arcp", "contract", "afn"}

plain = njit(error_model="numpy")

vector = njit(error_model="numpy", fastmath=FAST, inline="never")
"""Loops over entries, which are to become vector instructions."""

LN2 = math.log(2.0)

LOG2E = math.log2(math.e)

SQRT2 = math.sqrt(2.0)


@intrinsic
def load(typingctx, x):
    """An entry as a float: float32 and float64 as they are, int16 as the bits of a bfloat16, uint16 of a float16."""
    if x in (types.float32, types.float64):
        return x(x), lambda context, builder, signature, args: args[0]

    def bfloat16(context, builder, signature, args):
        wide = builder.shl(builder.zext(args[0], ir.IntType(32)), ir.Constant(ir.IntType(32), 16))
        return builder.bitcast(wide, ir.FloatType())

    def float16(context, builder, signature, args):
        return builder.fpext(builder.bitcast(args[0], ir.HalfType()), ir.FloatType())

    return types.float32(x), bfloat16 if x == types.int16 else float16


def _extreme(name):
    """The larger or smaller of two floats of one type, in a form that vectorises. NaN is not looked at."""

    def typed(typingctx, x, y):
        def code(context, builder, signature, args):
            kind = args[0].type
            function = builder.module.declare_intrinsic(name, [kind], ir.FunctionType(kind, [kind, kind]))
            return builder.call(function, args, fastmath=("nnan", "nsz"))

        return x(x, x), code

    return intrinsic(typed)


larger, smaller = _extreme("llvm.maxnum"), _extreme("llvm.minnum")


@intrinsic
def wide_vectors(typingctx):
    """Ask for vectors of 512 bits in the function that this stands in. llvmlite has no name for the attribute."""

    def code(context, builder, signature, args):
        set.add(builder.function.attributes, '"prefer-vector-width"="512"')
        return context.get_dummy_value()

    return types.none(), code


@intrinsic
def plus(typingctx, x, y):
    """x + y in this very order: `reassoc` would cancel what rounds to a whole number."""
    return x(x, x), lambda context, builder, signature, args: builder.fadd(*args, flags=("contract",))


@intrinsic
def fused(typingctx, x, y, z):
    """x*y + z, rounded once."""

    def code(context, builder, signature, args):
        kind = args[0].type
        function = builder.module.declare_intrinsic("llvm.fma", [kind], ir.FunctionType(kind, [kind] * 3))
        return builder.call(function, args)

    return x(x, x, x), code


@intrinsic
def times_power(typingctx, p, r):
    """p * 2**n, where n is in the low bits of r: r = n + `MAGIC`."""

    def code(context, builder, signature, args):
        whole, mantissa = (ir.IntType(32), 23) if p == types.float32 else (ir.IntType(64), 52)
        exponent = builder.shl(builder.bitcast(args[1], whole), ir.Constant(whole, mantissa))
        return builder.bitcast(builder.add(builder.bitcast(args[0], whole), exponent), args[0].type)

    return p(p, r), code


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

MAGIC32, MAGIC64 = np.float32(1.5 * 2**23), 1.5 * 2.0**52
"""Adding this leaves the nearest whole number in the low bits."""

LN2_32 = np.float32(LN2)

LN2_HIGH, LN2_LOW = 0.6931471803691238, 1.9082149292705877e-10

# minimax of e**f = 1 + f + ... on [-ln 2/2, ln 2/2], relative error 1.1e-7, and exact at 0
C2, C3, C4, C5 = map(np.float32, (0.499992311, 0.166671142, 0.04189015552, 0.008312520571))

ONE32 = np.float32(1.0)

# the series itself: the next term is below 1e-17 there
D2, D3, D4, D5, D6, D7, D8, D9, D10, D11, D12, D13 = (1 / math.factorial(k) for k in range(2, 14))


def exponential(d, low):
    """e**(d + low) for d of at least `floor_of` its type, `low` a correction beyond the digits of d; overloaded."""
    return np.exp(d + low)


@overload(exponential, jit_options={"fastmath": FAST})
def _exponential(d, low):
    if d == types.float32:

        def narrow(d, low):
            r = plus(d * np.float32(LOG2E), MAGIC32)
            n = plus(r, -MAGIC32)
            f = (d - n * LN2_32) + low
            return times_power(((((C5 * f + C4) * f + C3) * f + C2) * f + ONE32) * f + ONE32, r)

        return narrow

    def wide(d, low):
        r = plus(d * LOG2E, MAGIC64)
        n = plus(r, -MAGIC64)
        f = ((d - n * LN2_HIGH) - n * LN2_LOW) + low
        p = D12 + D13 * f
        p = (((((p * f + D11) * f + D10) * f + D9) * f + D8) * f + D7) * f + D6
        return times_power((((((p * f + D5) * f + D4) * f + D3) * f + D2) * f + 1.0) * f + 1.0, r)

    return wide


def floor_of(x):
    """The exponent below which a float of the type of `x` counts as zero."""
    return LOWEST64


@overload(floor_of)
def _floor_of(x):
    if x == types.float32:
        return lambda x: LOWEST32
    return lambda x: LOWEST64


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
