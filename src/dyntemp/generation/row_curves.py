"""The curves of the draws from some rows of logits, as records hold them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dyntemp.distribution.draw_curve import draw_curve
from dyntemp.kernels.job import Outcome
from dyntemp.kernels.rows import Rows


class RowCurves:
    """The curves of the draws from some rows; see `dyntemp.distribution.draw_curve`.

    Args:
        rows: The rows of logits.
        outcome: The outcome of a kernel for a draw from them.
    """

    def __init__(self, rows: Rows, outcome: Outcome) -> None:
        self._rows, self._outcome = rows, outcome

    def of(self, row: int, token: int) -> tuple[float, ...]:
        """The curve of one row and its token: the value, then the totals, 50 numbers of float32."""
        outcome = self._outcome
        kept = self._rows.kept(row, outcome.cut, outcome.last, outcome.kept)
        value, totals = draw_curve(kept[kept > -np.inf], float(kept[token]))
        numbers: NDArray[np.float32] = np.float32([value, *totals])
        return tuple(numbers.tolist())
