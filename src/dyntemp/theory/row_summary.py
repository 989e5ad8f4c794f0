"""A row as weighted log-probabilities, and the sums over it at any temperature.

A row of logits has one entry per token. The record of a token has its likeliest tokens one by one, and the rest in
histogram bins of 0.5 nats, whose entries count as alike: sums at other temperatures are then off by a few thousandths.
"""

from __future__ import annotations

from math import inf, log
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dyntemp.distribution.filters import GREEDY_AT
from dyntemp.traces.token import Token

LOWEST = -745.0
"""The logarithm of float64's smallest number, which stands for a probability that was rounded to 0."""


class Sums(NamedTuple):
    """A row's distribution at some temperatures, an array of each.

    Attributes:
        log_partition: ln sum p**(1/T), which normalises it.
        log_p: The mean of ln p in it, with p at temperature 1.
        variance: The variance of ln p in it, nats^2.
        entropy: Its entropy, nats.
    """

    log_partition: NDArray[np.float64]
    log_p: NDArray[np.float64]
    variance: NDArray[np.float64]
    entropy: NDArray[np.float64]


class RowSummary(NamedTuple):
    """The entries of a row: their log-probabilities at temperature 1, falling, and how many entries each stands for.

    Attributes:
        log_p: Natural logarithms, [parts].
        entries: How many each stands for, [parts].
    """

    log_p: NDArray[np.float64]
    entries: NDArray[np.float64]

    @classmethod
    def of_logits(cls, row: ArrayLike) -> RowSummary:
        """The summary of a row of logits, [vocabulary]; entries at -inf are masked."""
        z = np.asarray(row, np.float64)
        z = -np.sort(-z[z > -inf])
        log_p = z - z[0] - log(np.exp(z - z[0]).sum())
        return cls(log_p, np.ones(len(log_p)))

    @classmethod
    def of_token(cls, token: Token) -> RowSummary:
        """The summary of the row that a token was drawn from.

        Raises:
            ValueError: If the record names no alternative, so that it does not hold the row.
        """
        if not token.alternatives:
            raise ValueError(
                f"the record of position {token.position} holds no row: record with alternatives=1 or more"
            )
        named = [(1, alternative.probability) for alternative in token.alternatives]
        parts: Any = [*named, *token.rest]
        count, mass = np.array(parts, np.float64).T
        log_p = np.log(mass / count, out=np.full(len(mass), LOWEST), where=mass > 0)
        return cls(log_p, count)

    @property
    def support(self) -> float:
        """The number of entries, those that are not masked."""
        return float(self.entries.sum())

    def at(self, inverse: ArrayLike) -> Sums:
        """The distribution at inverse temperatures 1/T, [temperatures]; 0 is uniform, infinity greedy."""
        b = np.atleast_1d(np.asarray(inverse, np.float64))[:, None]
        below = self.log_p - self.log_p[0]
        with np.errstate(invalid="ignore"):
            weight = self.entries * np.exp(np.where(below == 0, 0.0, b * below))
        total = weight.sum(axis=1)
        q = weight / total[:, None]
        mean = q @ below
        variance = np.sum(q * (below - mean[:, None]) ** 2, axis=1)
        b = b[:, 0]
        with np.errstate(invalid="ignore"):
            lead = np.where(self.log_p[0] == 0, 0.0, b * self.log_p[0])
            entropy = np.log(total) - np.where(mean == 0, 0.0, b * mean)
        return Sums(np.log(total) + lead, mean + self.log_p[0], variance, np.maximum(entropy, 0.0))


def inverse(temperature: ArrayLike) -> NDArray[np.float64]:
    """1/T; infinite at the temperatures that are greedy."""
    t = np.asarray(temperature, np.float64)
    return np.where(t <= GREEDY_AT, inf, 1 / np.maximum(t, GREEDY_AT))
