"""The curves of many draws from their rows of logits, without an exponential for each temperature."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dyntemp.distribution.draw_curve import EACH_OCTAVE, TEMPERATURES, DrawCurves

NOTHING = 1e-17
"""Weights below this share of the largest are dropped: a row of 2**20 of them weighs less than float32 can show."""


def curves_of_rows(rows: NDArray[np.floating], tokens: NDArray[np.int64]) -> DrawCurves:
    """The curve of each row and its token; see `dyntemp.distribution.draw_curve`.

    The hottest octave of the grid is computed. Each colder one is the square of the one above it, since
    exp(z/(T/2)) = exp(z/T)**2.

    Args:
        rows: The logits that the filters left, [rows, n], -inf elsewhere; at least one of each row is left.
        tokens: The drawn token of each row, [rows]; its logit may be -inf.
    """
    highest = rows.max(axis=1)
    value = (rows[np.arange(len(rows)), tokens] - highest).astype(np.float32)
    totals = [_totals(row.astype(np.float64) - top) for row, top in zip(rows, highest, strict=True)]
    return DrawCurves(value, np.array(totals, np.float32).reshape(-1, len(TEMPERATURES)))


def _totals(below: NDArray[np.float64]) -> NDArray[np.float64]:
    """L at `TEMPERATURES` of a row, its largest logit at 0."""
    found = np.empty(len(TEMPERATURES))
    near = below[below > np.log(NOTHING) * TEMPERATURES[-1]]
    for hottest in range(len(TEMPERATURES) - EACH_OCTAVE, len(TEMPERATURES)):
        weights = np.exp(near / TEMPERATURES[hottest])
        for at in range(hottest, -1, -EACH_OCTAVE):
            found[at] = weights.sum()
            weights = weights[weights > NOTHING**0.5]
            weights *= weights
    return np.log(found)
