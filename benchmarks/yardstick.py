"""Two loops over a buffer that stand for the machine: one read of its memory, and one pass of exponentials.

Both are written here and use nothing of dyntemp, so that a kernel that gets slower shows against them. The first tells
how fast the memory is. The second does the arithmetic of a row's entropy in the plainest way: the sums of exp(d) and of
d*exp(d), d = x - 25. A processor that does this twice as fast reads our rows about twice as fast too, so that the ratio
of the two says little of the processor.
"""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np
from numba import njit
from timing import Contestant

READ, EXPONENTIALS = "one read of memory", "one pass of exponentials"

LOG2E, LN2, HALF, REFERENCE = map(np.float32, (1.4426950408889634, 0.6931471805599453, 0.5, 25))
C5, C4, C3, C2, ONE = map(np.float32, (0.00831, 0.0419, 0.16667, 0.5, 1))

inlined = njit(inline="always")


@inlined
def exponential(d):
    """exp(d) of a float32 from -87 to 0, to 1e-5: d = n*ln 2 + f, a polynomial in f, and 2**n by its bits."""
    n = np.int32(d * LOG2E - HALF)
    f = d - np.float32(n) * LN2
    p = ((((C5 * f + C4) * f + C3) * f + C2) * f + ONE) * f + ONE
    return p * np.uint32((n + np.int32(127)) << np.int32(23)).view(np.float32)


@inlined
def as_it_is(x):
    return x


@inlined
def from_bits(x):
    """The float32 of a bfloat16 given by its bits."""
    return np.uint32(np.uint32(x) << np.uint32(16)).view(np.float32)


@cache
def loops(dtype: str) -> dict[str, Callable[[Any], Any]]:
    """Name -> the loop, over a float32 array or an uint16 array with the bits of bfloat16 numbers."""
    widened = as_it_is if dtype == "float32" else from_bits
    vectorised = njit(fastmath={"reassoc", "nsz", "arcp", "contract", "afn"})

    @vectorised
    def read(flat):
        total = np.float32(0)
        for i in range(len(flat)):
            total += widened(flat[i])
        return total

    @vectorised
    def exponentials(flat):
        total = weighted = np.float32(0)
        for i in range(len(flat)):
            d = widened(flat[i]) - REFERENCE
            e = exponential(d)
            total += e
            weighted += d * e
        return total, weighted

    return {READ: read, EXPONENTIALS: exponentials}


def yardstick(loop: str, shape: tuple[int, int], name: str = "") -> Contestant:
    """One of the loops over a buffer of that shape; tables call it `name`, or as the loop is called."""
    return Contestant(name or loop, partial(run, loop), shape, np.ravel)


def run(loop: str, flat: np.ndarray) -> Any:
    return loops("float32" if flat.dtype == np.float32 else "bfloat16")[loop](flat)
