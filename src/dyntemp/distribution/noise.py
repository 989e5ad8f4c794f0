"""Philox4x32-10, the noise of every draw (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3").

It is a pure function of the seed and of which number is wanted, so that no draw depends on the batch around it.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from functools import partial

MASK = 0xFFFFFFFF
MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
WEYL = (0x9E3779B9, 0xBB67AE85)
ROUNDS = 10


class Purpose(IntEnum):
    """The use of a number; each use has numbers of its own."""

    BLOCK = 0
    ACCEPT = 1
    PICK = 2
    KEEP = 3
    COIN = 4


OF_A_DRAW = (Purpose.BLOCK, Purpose.ACCEPT, Purpose.PICK)
"""The uses of a draw; they are the first in `Purpose`."""


def philox(counter: tuple[int, int, int, int], key: tuple[int, int]) -> tuple[int, int, int, int]:
    """Four 32-bit words of noise for a counter of four words and a key of two.

    >>> [f"{word:08x}" for word in philox((0, 0, 0, 0), (0, 0))]
    ['6627e8d5', 'e169c58d', 'bc57ac4c', '9b00dbd8']
    """
    a, b, c, d = counter
    left, right = key
    for _ in range(ROUNDS):
        first, second = MULTIPLIERS[0] * a, MULTIPLIERS[1] * c
        a, b, c, d = second >> 32 ^ b ^ left, second & MASK, first >> 32 ^ d ^ right, first & MASK
        left, right = left + WEYL[0] & MASK, right + WEYL[1] & MASK
    return a, b, c, d


def uniform(seed: int, request: int, position: int, draw: int, purpose: Purpose) -> float:
    """A number in (0, 1): 53 bits of noise, plus one half, times 2**-53.

    Args:
        seed: The request's 64-bit key.
        request: 32 bits that tell requests of one seed apart.
        position: Number of tokens generated so far.
        draw: How many tries of this draw came before.
        purpose: The use of the number.
    """
    high, low, _, _ = philox((request, position, draw, purpose), (seed & MASK, seed >> 32))
    return ((high << 32 | low) >> 11) * 2.0**-53 + 2.0**-54


def coins(seed: int, request: int, position: int) -> Callable[[int], float]:
    """Number of a filter in its chain -> the number in (0, 1) that it draws; the arguments are those of `uniform`."""
    return partial(uniform, seed, request, position, purpose=Purpose.COIN)
