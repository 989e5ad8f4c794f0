"""The draw of a row of any array library: bounds of blocks on the host, entries of a block as a try asks for them."""

from __future__ import annotations

import numpy as np

from dyntemp.distribution.filters import GREEDY_AT
from dyntemp.kernels.array_api.rows import BlockedRows, Table
from dyntemp.kernels.blocks import BLOCK, block_bounds, draw_entry


class BlockMasses:
    """The highest logit and the sum relative to it of each block, and the blocks themselves as they are asked for."""

    def __init__(self, rows: BlockedRows) -> None:
        self.rows = rows
        self.tops = rows.tops
        tops = np.where(self.tops > -np.inf, self.tops, 0.0).astype(np.float32)
        self.sums = rows.block_sums(rows.xp.exp(rows.z - rows.xp.asarray(tops)[:, :, None]))
        lengths = np.minimum(rows.width - np.arange(self.tops.shape[1]) * BLOCK, BLOCK)
        self.lengths = np.maximum(lengths, 1).astype(np.float64)

    def bounds(self, row: int, a: float) -> Table:
        """An upper bound of the mass of each block at 1/T = a."""
        return block_bounds(self.tops[row], self.sums[row], self.lengths, float(self.rows.top[row]), a)

    def weights(self, row: int, block: int, a: float) -> Table:
        """e^((z - top)/T) of one block."""
        z = self.rows.block_of(np.array([row]), np.array([block]))[0]
        kept = z > -np.inf
        below = np.where(kept, z - self.rows.top[row], 0.0) if a > 0 else np.zeros(BLOCK)
        return np.where(kept, np.exp(a * below), 0.0)


def draw(masses: BlockMasses, row: int, temperature: float, seed: int, request: int, position: int) -> int:
    """A token of one row; only the blocks that a try asks for are fetched."""
    if temperature <= GREEDY_AT:
        block = int(np.argmax(masses.tops[row]))
        return block * BLOCK + int(np.argmax(masses.rows.block_of(np.array([row]), np.array([block]))[0]))
    a = 1.0 / temperature
    return draw_entry(masses.bounds(row, a), lambda block: masses.weights(row, block, a), seed, request, position)
