"""Truncation filters, written like their formulas: functions from a row to the mask of entries that may be drawn.

Each keeps at least one entry; ties go to the lower index. They are applied in the order top-k, top-p, min-p, each to
what the one before left, renormalised.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

GREEDY_AT = 1e-6
"""Temperatures up to here count as 0."""

Values = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Filters:
    """The truncation that a draw applies.

    Attributes:
        top_k: Keep the k likeliest; 0 keeps all. Usual values are 20 to 100.
        top_p: Keep the likeliest whose probabilities reach this sum; 1 keeps all. Usual values are 0.8 to 0.98.
        min_p: Keep what has at least this share of the likeliest's probability; 0 keeps all. Usual values are 0.01
            to 0.2, about as selective as top_p from 0.99 to 0.8.
        at: Where probabilities are read: `model`, at temperature 1, so that what survives does not depend on the
            temperature; or `temperature`, after it.

    Raises:
        ValueError: For a value outside its range.
    """

    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    at: str = "model"

    def __post_init__(self) -> None:
        if isinstance(self.top_k, bool) or int(self.top_k) != self.top_k or self.top_k < 0:
            raise ValueError(f"top_k = {self.top_k} was given; a whole number of at least 1 is allowed, or 0 for all")
        object.__setattr__(self, "top_k", int(self.top_k))
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p = {self.top_p} was given; it lies above 0 and at most at 1, where it keeps all")
        if not 0 <= self.min_p <= 1:
            raise ValueError(f"min_p = {self.min_p} was given; it lies from 0, where it keeps all, to 1")
        if self.at not in ("model", "temperature"):
            raise ValueError(f'filter_at = {self.at!r} was given; "model" and "temperature" are allowed')

    @property
    def active(self) -> bool:
        """True where some entry may be filtered out."""
        return self.top_k > 0 or self.top_p < 1 or self.min_p > 0

    def mask(self, z: Values, temperature: float = 1.0) -> Mask:
        """The mask of the entries of a row that stay, bool [n]: the likeliest ones, ties by lower index.

        Args:
            z: Its logits, [n], float64, -inf where masked.
            temperature: The temperature it is drawn at, which matters to filters that read what comes after it.
        """
        if self.at == "model":
            temperature = 1.0
        elif temperature <= GREEDY_AT:
            return np.arange(len(z)) == np.argmax(z)
        kept = keep_top_k(z, self.top_k) if self.top_k > 0 else z > -np.inf
        if self.top_p < 1 or self.min_p > 0:
            with np.errstate(over="ignore", invalid="ignore"):
                d = (z - z.max()) / temperature
            p = np.where(kept, np.exp(d), 0.0) if temperature < np.inf else kept.astype(np.float64)
            if self.top_p < 1:
                kept &= keep_top_p(z, p, self.top_p)
            if self.min_p > 0:
                kept &= p >= self.min_p
        return kept


def keep_top_k(values: Values, k: int) -> Mask:
    """The k largest above -inf, exactly; ties by lower index. Logits and probabilities have the same order.

    >>> keep_top_k(np.array([0.2, 0.4, 0.2, 0.2]), 2).tolist()
    [True, True, False, False]
    """
    if k >= len(values):
        return values > -np.inf
    smallest = np.partition(values, len(values) - k)[len(values) - k]
    above = values > smallest
    ties = np.flatnonzero(values == smallest)[: k - np.count_nonzero(above)]
    above[ties] = True
    return above & (values > -np.inf)


def keep_top_p(z: Values, p: Values, share: float) -> Mask:
    """The likeliest, in the order of `z`, up to and with the one that brings the sum of `p` to `share` of the whole.

    >>> p = np.array([0.1, 0.2, 0.3, 0.4])
    >>> keep_top_p(np.log(p), p, 0.8).tolist()
    [False, True, True, True]
    """
    order = np.argsort(-z, kind="stable")
    reached = np.cumsum(p[order])
    kept = np.zeros(len(p), bool)
    kept[order[: int(np.searchsorted(reached, share * reached[-1])) + 1]] = True
    return kept
