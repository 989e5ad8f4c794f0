"""The histogram of a row's tail by surprisal: the number of entries and the probability of each bin.

From these the mass of the tail at any other temperature follows within known limits. With p the entries of a bin at
temperature 1, their mass at T is the sum of p**a with a = 1/T, which is convex in p for a > 1 and concave for a < 1: it
lies between what entries that are all alike would give (Jensen's inequality), and what entries at the two edges of the
bin would give.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, floor, inf, log
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

WIDTH = 0.5
"""The width of a bin, in nats of surprisal."""

LAST = 100
"""The last bin, which holds everything from 50 nats on."""

DIGITS = 7
"""Significant digits that are kept of a bin's probability."""

Bin = tuple[int, float]
"""The number of entries, and their probability together at temperature 1."""


def binned(surprisal: NDArray[Any]) -> tuple[Bin, ...]:
    """The bins of entries with these surprisals in nats, 0 or more, the likeliest first, without empty ones."""
    index = np.minimum(surprisal * surprisal.dtype.type(1 / WIDTH), LAST).astype(np.intp)
    counts = np.bincount(index)
    masses = np.bincount(index, weights=np.exp(-surprisal))
    return tuple((int(counts[at]), float(f"{masses[at]:.{DIGITS}g}")) for at in np.flatnonzero(counts))


class Mass(NamedTuple):
    """The sum of p**a over a bin, as a multiple of a reference.

    Attributes:
        value: The estimate.
        low: A lower bound.
        high: An upper bound.
        log_p: Logarithm of the entries' mean probability at temperature 1.
    """

    value: float
    low: float
    high: float
    log_p: float


def tempered(one: Bin, a: float, reference: float, highest: float) -> Mass:
    """The mass of a bin at the temperature 1/a, as a multiple of that of one entry.

    The estimate lies a third of the way from entries alike to entries at the edges, where entries spread evenly are.

    Args:
        one: The bin.
        a: 1/T, from 0 on.
        reference: Logarithm of the probability, at temperature 1, of the entry that is counted as 1.
        highest: Logarithm of a probability that no entry of the bin exceeds.
    """
    entries, mass = one
    log_p = log(mass / entries) if mass else -inf
    if a == 0 or mass == 0:
        value = float(entries) if a == 0 else 0.0
        return Mass(value, value, value, log_p)
    alike = entries * exp(a * (log_p - reference))
    if entries == 1:
        return Mass(alike, alike, alike, log_p)
    at = min(max(floor(-log_p / WIDTH), 0), LAST)
    top = min(-at * WIDTH, highest)
    bottom = -inf if at == LAST else -(at + 1) * WIDTH
    low, high = exp(bottom), exp(top)
    share = min(max((exp(log_p) - low) / (high - low), 0.0), 1.0) if high > low else 1.0
    edges = entries * ((1 - share) * exp(a * (bottom - reference)) + share * exp(a * (top - reference)))
    return Mass(alike + (edges - alike) / 3, min(alike, edges), max(alike, edges), log_p)


def count(bins: Sequence[Bin]) -> int:
    """The number of entries in the bins."""
    return sum(entries for entries, _ in bins)
