"""The surprisal of drawn tokens, for hosts that tell a token only with the row after it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dyntemp.engines.arrays import on_host
from dyntemp.engines.row_settings import RowSettings
from dyntemp.kernels.rows import as_rows
from dyntemp.language.state import State

MOST_ROWS = 64
"""Number of rows that are kept, of all requests together."""


class Surprisal:
    """Keeps the latest rows of each request, and tells policies the surprisal of a token once it is known.

    Several rows are kept of each request, since a host that drafts goes back to the first draft that it rejects.

    Args:
        state: The memory of the policies.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._rows: dict[int, dict[int, NDArray[np.float32]]] = {}  # by slot and position

    def forget(self, slot: int) -> None:
        """Drop the rows of a slot."""
        self._rows.pop(slot, None)

    def update(self, logits: Any, drawn: Any, rows: RowSettings, requests: int) -> None:
        """Observe the surprisal of the tokens drawn before these rows, and keep the rows.

        Args:
            logits: [rows, n].
            drawn: The token before each row, [rows], -1 where unknown; None where all are unknown.
            rows: The settings of each row.
            requests: Number of requests that share the kept rows.
        """
        most = max(2, MOST_ROWS // max(requests, 1))
        for row, policy in enumerate(rows.policies):
            if not policy.reads_surprisal:
                continue
            slot, position = int(rows.slots[row]), int(rows.position[row])
            kept = self._rows.setdefault(slot, {})
            token = -1 if drawn is None else int(drawn[row])
            if token >= 0 and position > 0:
                observed = surprisal(kept[position - 1], token) if position - 1 in kept else np.nan
                self._state.observe([slot], [position - 1], [observed])
            kept[position] = as_rows(on_host(logits[row])).unmasked(0).astype(np.float32)
            if len(kept) > most:
                del kept[max(kept, key=lambda other: abs(other - position))]  # the lambda is called at once


def surprisal(row: NDArray[np.float32], token: int) -> float:
    """-ln p of a token, in nats; NaN in a broken row."""
    z = row.astype(np.float64)
    high = z.max()
    return float(np.log(np.exp(z - high).sum()) + high - z[token]) if np.isfinite(high) else np.nan
