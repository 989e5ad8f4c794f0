"""Rows that several threads share out among themselves, and the wait until all rows are done."""

from __future__ import annotations

from numba import types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

from dyntemp.kernels.cpu.vectors import plain

SPINS = 50_000
"""How often `wait_for_rows` looks: about 0.1 ms, the time in which a thread sleeps and wakes."""

ROWS = 2**32 - 1
"""The bits of `done` that count rows. Those above count what the threads found."""


@intrinsic
def _add(typingctx, numbers, number):
    """Add to the first number of an int64 array, after all that this thread has written; its value before."""

    def code(context, builder, signature, args):
        first = make_array(signature.args[0])(context, builder, args[0]).data
        return builder.atomic_rmw("add", first, args[1], "seq_cst")

    return types.int64(numbers, types.int64), code


@intrinsic
def _look(typingctx, numbers):
    """The first number of an int64 array, as other threads have left it."""

    def code(context, builder, signature, args):
        first = make_array(signature.args[0])(context, builder, args[0]).data
        return builder.load_atomic(first, "seq_cst", 8)

    return types.int64(numbers), code


@plain
def next_turn(numbers):
    """Add 1 to the first number of an int64 array, and return its value before: to no two threads the same."""
    return _add(numbers, 1)


@plain
def hand_in(done, rows, found):
    """Count the rows that a thread has done, and what it found in them, into the first number of `done`."""
    _add(done, rows + (found << 32))


@plain
def wait_until_done(done, rows):
    """The sum of what the threads found, once all rows are done; -1 where that takes longer than `SPINS` looks."""
    for _ in range(SPINS):
        seen = _look(done)
        if seen & ROWS == rows:
            return seen >> 32
    return -1
