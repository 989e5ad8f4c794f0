"""The distribution of a draw, after filters and temperature, and its likeliest candidates."""

from __future__ import annotations

from math import inf, log
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dyntemp.distribution.filters import GREEDY_AT
from dyntemp.distribution.histogram import Bin, binned

FAR_BELOW = -40.0
"""Entries this far below the likeliest at the row's temperature, in nats, change no figure of a trace."""


class DrawDistribution:
    """The distribution of one draw: a filtered row at its temperature.

    Attributes:
        kept: The row, -inf where it was masked or filtered out.
        entropy: Of the draw, nats.
    """

    def __init__(self, kept: NDArray[Any], masked_at: float, temperature: float) -> None:
        self.kept, self._masked_at, self._temperature = kept, masked_at, temperature
        self._highest = float(kept.max())
        self._first = int(np.argmax(kept)) if temperature <= GREEDY_AT else -1
        if self._first >= 0:
            self._log_total, self.entropy = 0.0, 0.0
            return
        a = 0.0 if temperature == inf else 1.0 / temperature
        near = kept > max(masked_at, self._highest + FAR_BELOW * temperature)
        w = (kept[near].astype(np.float64) - self._highest) * a
        e = np.exp(w)
        total = float(e.sum())
        self._log_total = log(total)
        self.entropy = max(self._log_total - float((e * w).sum()) / total, 0.0)

    def probabilities(self) -> NDArray[np.float64]:
        """The probability of each entry in the draw, [n]."""
        if self._first >= 0:
            return (np.arange(len(self.kept)) == self._first).astype(np.float64)
        a = 0.0 if self._temperature == inf else 1.0 / self._temperature
        kept = self.kept > self._masked_at
        logs = np.where(kept, self.kept, self._highest).astype(np.float64)
        return np.where(kept, np.exp((logs - self._highest) * a - self._log_total), 0.0)

    def surprisal(self, token: int) -> float:
        """-ln of the token's probability in the draw; infinite where it cannot be drawn."""
        if self._first >= 0:
            return 0.0 if token == self._first else inf
        value = float(self.kept[token])
        if value <= self._masked_at:
            return inf
        a = 0.0 if self._temperature == inf else 1.0 / self._temperature
        return max(self._log_total + (self._highest - value) * a, 0.0)


def rest(z: NDArray[Any], kept: NDArray[Any], named: list[int], log_most: float) -> tuple[Bin, ...]:
    """The histogram, by surprisal at temperature 1, of the entries that filters left, without the named ones.

    Args:
        z: The row, [n].
        kept: The same, -inf where masked or filtered out.
        named: Entries that are recorded one by one.
        log_most: Logarithm of the largest probability.
    """
    unnamed = kept > -inf
    unnamed[named] = False
    return binned(np.maximum(z.dtype.type(float(z.max()) - log_most) - z[unnamed], 0))


def top(z: NDArray[Any], count: int) -> list[int]:
    """The `count` largest unmasked entries, largest first, ties by lower index."""
    count = min(count, len(z))
    if count == 0:
        return []
    largest = np.flatnonzero(z >= np.partition(z, len(z) - count)[len(z) - count])
    order = largest[np.argsort(-z[largest], kind="stable")][:count]
    return [int(index) for index in order if z[index] > -inf]
