"""The calibration error of a model at temperatures, with its interval over texts."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dyntemp.distribution.draw_curve import Draws
from dyntemp.statistics.estimate import RESAMPLES

BINS = 15
"""Bins of confidence, each with as many tokens."""


class Calibration(NamedTuple):
    """The expected calibration error.

    Attributes:
        error: The mean difference between confidence and accuracy, from 0 to 1.
        low: Lower end of its 95 % interval; None for a single cluster.
        high: Its upper end.
    """

    error: float
    low: float | None
    high: float | None


def confidence(draws: Draws) -> NDArray[np.float64]:
    """The probability of the likeliest entry of each draw, [tokens]: its logit is 0, so that ln of it is -L."""
    return np.minimum(np.exp(-draws.total), 1.0)


def calibration(
    confidences: ArrayLike, correct: ArrayLike, clusters: Sequence[Hashable], bins: int = BINS
) -> Calibration:
    """The expected calibration error over bins with equally many tokens (Naeini et al. 2015; Nguyen and O'Connor 2015).

    It is the mean over tokens of |accuracy - mean confidence| of their bin. Chance adds to it, since it sums
    absolute values. The interval is the basic bootstrap, 2*error less the quantiles over resampled clusters, which
    takes as much off as resampling adds; the bins stay those of all tokens.

    Args:
        confidences: The probability of the likeliest entry at each token, [tokens].
        correct: Whether the token was that entry, [tokens].
        clusters: The cluster of each token.
        bins: Number of bins.
    """
    gaps = np.asarray(correct, np.float64) - np.asarray(confidences, np.float64)
    order = np.argsort(confidences, kind="stable")
    of_bin = np.empty(len(order), np.int64)
    for number, part in enumerate(np.array_split(order, bins)):
        of_bin[part] = number
    names = {name: at for at, name in enumerate(dict.fromkeys(clusters))}
    at = np.array([names[name] for name in clusters])
    sums = np.zeros((len(names), bins))
    np.add.at(sums, (at, of_bin), gaps)
    sizes = np.bincount(at, minlength=len(names)).astype(np.float64)
    error = float(np.abs(sums.sum(axis=0)).sum() / sizes.sum())
    if len(names) < 2:
        return Calibration(error, None, None)
    counts = np.random.default_rng(0).multinomial(len(names), np.full(len(names), 1 / len(names)), RESAMPLES)
    resampled = np.abs(counts @ sums).sum(axis=1) / (counts @ sizes)
    low, high = 2 * error - np.quantile(resampled, [0.975, 0.025])
    return Calibration(error, max(float(low), 0.0), max(float(high), 0.0))
