"""Blocks of a row: their size, upper bounds of their masses, and the draw from them.

`dyntemp.kernels.reference.draw` states the algorithm and why it is exact.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dyntemp.distribution.noise import Purpose, uniform

BLOCK = 2_048
"""Entries of a block; the last block of a row may have fewer."""

TRIES = 16
"""Tries of a draw, before it computes the masses of all blocks."""

BOUND_SLACK = 1.00002
"""A factor on each bound. It covers the rounding of backends that sum in float32."""

Vector = NDArray[np.float64]


def block_bounds(tops: Vector, sums: Vector, lengths: NDArray[Any], highest: float, a: float) -> Vector:
    """Upper bounds of the masses of a row's blocks at 1/T = a, relative to the row's largest logit; 0 where masked.

    Args:
        tops: The largest logit of each block, [blocks]; -inf where all entries are masked.
        sums: The sum of exp(z - top) of each block, [blocks].
        lengths: The number of entries of each block, [blocks].
        highest: The largest logit of the row.
        a: The inverse temperature, 0 or more.
    """
    unmasked = tops > -np.inf
    mass = lengths ** (1 - a) * sums**a if a < 1 else sums
    below = np.where(unmasked, tops - highest, 0.0) if a > 0 else 0.0
    return np.where(unmasked, np.exp(a * below) * mass * BOUND_SLACK, 0.0)


def draw_entry(bounds: Vector, weights: Callable[[int], Vector], seed: int, request: int, position: int) -> int:
    """The index of an entry, drawn in proportion to the weights by rejection of blocks.

    Args:
        bounds: An upper bound of the mass of each block, [blocks].
        weights: Number of a block -> the weight exp((z - highest)/T) of each of its entries.
        seed: The request's 64-bit key.
        request: 32 bits that tell requests of one seed apart.
        position: Number of tokens generated so far.
    """

    def noise(attempt: int, purpose: Purpose) -> float:
        return uniform(seed, request, position, attempt, purpose)

    reached = np.cumsum(bounds)
    for attempt in range(TRIES):
        block = first_above(reached, noise(attempt, Purpose.BLOCK) * reached[-1])
        mass = np.cumsum(weights(block))
        if noise(attempt, Purpose.ACCEPT) * bounds[block] < mass[-1]:
            return block * BLOCK + first_above(mass, noise(attempt, Purpose.PICK) * mass[-1])
    masses = np.cumsum([weights(block).sum() for block in range(len(bounds))])
    block = first_above(masses, noise(TRIES, Purpose.BLOCK) * masses[-1])
    mass = np.cumsum(weights(block))
    return block * BLOCK + first_above(mass, noise(TRIES, Purpose.PICK) * mass[-1])


def first_above(cumulative: Vector, target: float) -> int:
    """The first index whose cumulative sum exceeds `target`, at most the last index that adds to the sum."""
    above = np.flatnonzero(cumulative > target)
    return int(above[0]) if len(above) else int(np.argmax(cumulative))
