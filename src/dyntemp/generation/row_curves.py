"""The curves of the draws from some rows of logits, as records hold them."""

from __future__ import annotations

from typing import Any

import numpy as np

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
        self._sums: Any = None  # of all rows, since a record first needed them

    def of(self, row: int, token: int) -> tuple[float, ...]:
        """The curve of one row and its token: the value, then the totals, 50 numbers of float32."""
        compiled = self._outcome.backend == "cpu" and self._outcome.kept is None
        value, totals = self._summed(row, token) if compiled else self._read(row, token)
        return tuple(np.array([value, *totals], np.float32).tolist())

    def _read(self, row: int, token: int) -> tuple[float, Any]:
        """The value and the totals, from a read of the row."""
        outcome = self._outcome
        kept = self._rows.kept(row, outcome.cut, outcome.last, outcome.kept)
        return draw_curve(kept[kept > -np.inf], float(kept[token]))

    def _summed(self, row: int, token: int) -> tuple[float, Any]:
        """As `_read`, from sums that compiled code takes over all rows at once."""
        if self._sums is None:
            from dyntemp.kernels.cpu.draw_curves import draw_curves

            self._sums = draw_curves(self._rows, self._outcome)
        value = self._rows.value(row, token)
        return (value if self._keeps(row, token, value) else -np.inf) - self._sums.highest[row], self._sums.totals[row]

    def _keeps(self, row: int, token: int, value: float) -> bool:
        """Return True where the row's mask and its cut left a token of this logit."""
        cut, last = self._outcome.cut, self._outcome.last
        if value <= self._rows.masked_at or cut is None:
            return value > self._rows.masked_at
        return bool(value > cut[row] or (value == cut[row] and token <= last[row]))
