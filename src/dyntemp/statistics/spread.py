"""The spread of values: quantiles, and histograms on common edges."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from dyntemp.statistics.estimate import Values

BINS = 40
"""Bins of a histogram."""


class Distribution(NamedTuple):
    """Histograms of several groups of values, on the same edges.

    Attributes:
        edges: Edges of the bins, rising.
        shares: Share of a group's values in each bin, [groups, bins]; infinite values are in none.
    """

    edges: list[float]
    shares: list[list[float]]


def distribution(groups: Sequence[Values]) -> Distribution:
    """The histograms of values from 0 to the largest finite one of all groups.

    >>> distribution([np.array([0.0, 1.0, 1.0, np.inf])]).shares[0][-1]
    0.5
    """
    finite = [values[np.isfinite(values)] for values in groups]
    top = max((float(values.max()) for values in finite if len(values)), default=0.0) or 1.0
    edges = np.linspace(0, top, BINS + 1)
    shares = [np.histogram(part, edges)[0] / len(values) for part, values in zip(finite, groups, strict=True)]
    return Distribution(edges.tolist(), [share.tolist() for share in shares])


def quantiles(values: Values, at: Sequence[float]) -> list[float]:
    """The quantiles of values. Each is one of the values, so that no infinite one is averaged with another."""
    return [float(value) for value in np.quantile(values, at, method="inverted_cdf")]
