"""Rows that several threads share out among themselves."""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array


@intrinsic
def next_turn(typingctx, numbers):
    """Add 1 to the first number of an int64 array, and return its value before: to no two threads the same."""

    def code(context, builder, signature, args):
        first = make_array(signature.args[0])(context, builder, args[0]).data
        return builder.atomic_rmw("add", first, ir.Constant(ir.IntType(64), 1), "monotonic")

    return types.int64(numbers), code
