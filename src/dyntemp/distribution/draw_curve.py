"""The curve of a draw: its probability, and what follows from it, at any temperature, without the row of logits.

The filters leave some entries of a row, with logits z_i less the largest of them. The curve keeps the drawn token's z
and

    L(s) = ln sum_i exp(z_i / T),    s = ln T,

at the temperatures of a grid. The filters have to choose before the temperature, so that they leave the same entries at
every T. Then, with expectations over the draw at T,

    ln pi = z/T - L,    L' = dL/ds = -E[z/T],    entropy H = L + L',    d ln pi/ds = -z/T - L' = -ln pi - H,
    varentropy V = Var[z/T] = L'' + L' = dH/ds.

Between the grid's temperatures, exp(L) is interpolated, a sum of exponentials exp(-d/T) of the depths d = -z. In a
window of ten neighbours around a temperature T_0, a combination of ten exponentials exp(-c*T_0/T) goes through their
ten values. The c are fixed and the grid is even in ln T, so that one matrix serves every window. A polynomial of L
itself through as many values is off by 1e-3 in slope where a few likely tokens give way to thousands of unlikely ones,
since ln of such a sum has poles near the real axis and the sum has none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

EACH_OCTAVE = 8
"""Temperatures of the grid in an octave."""

TEMPERATURES = 2.0 ** ((np.arange(49) - 32) / EACH_OCTAVE)
"""The grid, [49], from 0.0625 to 4."""

LOWEST, HIGHEST = float(TEMPERATURES[0]), float(TEMPERATURES[-1])

STEP = np.log(2.0) / EACH_OCTAVE
"""Distance of two neighbours of the grid in ln T."""

NEAREST = 10
"""Temperatures of the grid in a window."""

DEEPEST = 16.0
"""The largest c. Deeper entries, of weight exp(-16) each, are seldom enough to matter at a window's temperatures."""

ROUNDED = 1e-9
"""Steps that a temperature may lie outside the grid by rounding."""

NODES = STEP * (np.arange(NEAREST) - (NEAREST - 1) / 2)
"""ln T of a window's temperatures, from its middle, [10]."""

DEPTHS = DEEPEST / 2 * (1 - np.cos(np.pi * np.arange(NEAREST) / (NEAREST - 1)))
"""The c, [10], extremes of a Chebyshev polynomial; 0 is among them, so that a constant is met exactly."""

WEIGHTS = np.linalg.inv(np.exp(-DEPTHS * np.exp(-NODES)[:, None]))
"""[10 depths, 10 nodes]: the weights of the exponentials are WEIGHTS @ values at the nodes."""


class Draws(NamedTuple):
    """Figures of some draws at given temperatures, float64 [n] each; logarithms are natural.

    Attributes:
        log_prob: ln of the token's probability in the draw; -inf where the filters dropped the token.
        slope: d log_prob / d ln T, the token's surprisal less the entropy.
        entropy: Entropy of the draw.
        varentropy: Variance of the surprisal in the draw, which is d entropy / d ln T.
        total: L, ln of the sum over the kept entries.
        total_slope: dL / d ln T.
    """

    log_prob: NDArray[np.float64]
    slope: NDArray[np.float64]
    entropy: NDArray[np.float64]
    varentropy: NDArray[np.float64]
    total: NDArray[np.float64]
    total_slope: NDArray[np.float64]


class DrawCurves(NamedTuple):
    """The curves of some draws.

    Attributes:
        value: The logit of each drawn token less the largest kept logit of its row, float32 [n]; -inf where the filters
            dropped the token.
        totals: L at `TEMPERATURES`, float32 [n, 49].
    """

    value: NDArray[np.float32]
    totals: NDArray[np.float32]

    @classmethod
    def of(cls, curves: ArrayLike) -> Self:
        """The curves of some records, [n, 50]: the value, then the totals; see `dyntemp.traces.token.Token.curve`."""
        numbers = np.asarray(curves, np.float32).reshape(-1, 1 + len(TEMPERATURES))
        return cls(numbers[:, 0], numbers[:, 1:])

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """The draws of several records, one after another."""
        if not parts:
            return cls.of([])
        return cls(np.concatenate([part.value for part in parts]), np.concatenate([part.totals for part in parts]))

    @property
    def count(self) -> int:  # type: ignore[override]  # in place of the tuple's own, which counts equal items
        """How many draws there are; `len` is that of the tuple."""
        return len(self.value)

    def at(self, log_t: ArrayLike) -> Draws:
        """The draws at other temperatures.

        The totals are rounded to float32. For T from 0.09 to 2.8, and for rows of up to 2**18 logits however they are
        spread, `total`, `slope` and `varentropy` are off by less than 1e-6, 2e-5 and 5e-4. Nearer to the ends, where
        windows lie to one side, they may be off by 1e-5, 1e-3 and 0.1.

        Args:
            log_t: ln T of each draw, [n], or one for all.

        Raises:
            ValueError: For a temperature outside 0.0625 to 4, or a wrong number of them.
        """
        log_t = np.broadcast_to(np.asarray(log_t, np.float64), (self.count,))
        place = (log_t - np.log(LOWEST)) / STEP
        outside = ~((place >= -ROUNDED) & (place <= len(TEMPERATURES) - 1 + ROUNDED))
        if outside.any():
            raise ValueError(
                f"the temperature {np.exp(log_t[outside][0]):g} was given; curves of draws are known from {LOWEST:g} "
                f"to {HIGHEST:g}: keep the policy inside, as by `clip(..., {LOWEST:g}, {HIGHEST:g})`"
            )
        first = np.clip(np.floor(place).astype(np.int64) - (NEAREST // 2 - 1), 0, len(TEMPERATURES) - NEAREST)
        near = np.take_along_axis(self.totals, first[:, None] + np.arange(NEAREST), axis=1).astype(np.float64)
        largest = near[:, -1]  # L rises with T
        weights = np.exp(near - largest[:, None]) @ WEIGHTS.T  # [n, depths]
        x = DEPTHS * np.exp(-(STEP * (place - first) + NODES[0]))[:, None]  # c*T_0/T
        terms = weights * np.exp(-x)
        summed = terms.sum(axis=1)
        total = largest + np.log(summed)
        total_slope = (terms * x).sum(axis=1) / summed
        bend = (terms * (x * x - x)).sum(axis=1) / summed - total_slope**2
        scaled = self.value.astype(np.float64) * np.exp(-log_t)
        return Draws(
            log_prob=scaled - total,
            slope=-scaled - total_slope,
            entropy=total + total_slope,
            varentropy=bend + total_slope,
            total=total,
            total_slope=total_slope,
        )


def draw_curve(kept: NDArray[np.floating], value: float) -> tuple[float, NDArray[np.float64]]:
    """The curve of one draw in float64, as the formulas say it; (value, totals [49]) of `DrawCurves`.

    Args:
        kept: The logits that are not masked and that the filters left, [kept], at least one.
        value: The logit of the drawn token; -inf where the filters dropped it.
    """
    z = kept.astype(np.float64)
    highest = z.max()
    below = z - highest
    return float(value - highest), np.array([np.log(np.exp(below / t).sum()) for t in TEMPERATURES])
