"""Rows that the compiled code leaves: broken ones, and those whose logits are too far apart for their dtype."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dyntemp.distribution.filters import GREEDY_AT
from dyntemp.kernels.blocks import BLOCK, block_bounds, draw_entry
from dyntemp.kernels.job import Job, Keys
from dyntemp.kernels.rows import Rows, check_row

Vector = NDArray[np.float64]


def draw_extreme(
    rows: Rows, job: Job, highest: Vector, temperature: Vector, cut: Vector, last: NDArray[np.int64],
    token: NDArray[np.int64],
) -> None:  # fmt: skip
    """Raise for broken rows, and draw the tokens of rows whose differences of logits overflow.

    Args:
        rows: All rows of the job.
        job: The job.
        highest: The largest logit of each row, [rows]; NaN or infinite for a broken row.
        temperature: The temperature of each row, [rows].
        cut: See `dyntemp.kernels.job.Outcome`.
        last: See `dyntemp.kernels.job.Outcome`.
        token: The token of each row, [rows]; those of such rows are written.

    Raises:
        InvalidLogitsError: For a broken row.
    """
    count = len(rows)
    for row in np.flatnonzero(~np.isfinite(highest)).tolist():
        check_row(row, job.position, bool(np.isnan(highest[row])), float(highest[row]))
    if not job.draw:
        return
    keys = Keys.of(count, job.seed, job.request, job.position)
    for row in np.flatnonzero(highest > -rows.masked_at).tolist():
        key = int(keys.seed[row]), int(keys.request[row]), int(keys.position[row])
        with np.errstate(over="ignore"):
            kept = rows.kept(row, cut, last).astype(np.float64)
            token[row] = draw_wide(kept, float(temperature[row]), *key)
            if job.state is not None and job.policy(row).reads_surprisal:
                slot = row if job.slot is None else np.broadcast_to(job.slot, (count,))[row]
                job.state.observe(slot, keys.position[row], surprisal(rows.unmasked(row), int(token[row])))


def draw_wide(z: Vector, temperature: float, seed: int, request: int, position: int) -> int:
    """A token of softmax(z/T) of a float64 row, whose logits may lie infinitely far apart; -inf where masked."""
    if temperature <= GREEDY_AT:
        return int(np.argmax(z))
    highest, a = float(z.max()), 1.0 / temperature
    blocks = [z[start : start + BLOCK] for start in range(0, len(z), BLOCK)]
    tops = np.array([block.max() for block in blocks])
    sums = np.array([
        np.exp(block - top).sum() if top > -np.inf else 0.0 for block, top in zip(blocks, tops, strict=True)
    ])  # fmt: skip

    def weights(block: int) -> Vector:
        entries = blocks[block]
        below = entries - highest if a > 0 else np.zeros(len(entries))  # at T = infinity all entries are alike
        return np.where(entries > -np.inf, np.exp(a * below), 0.0)

    bounds = block_bounds(tops, sums, np.array(list(map(len, blocks))), highest, a)
    return draw_entry(bounds, weights, seed, request, position)


def surprisal(z: Vector, token: int) -> float:
    """-ln p of a token at temperature 1, nats; `z` is -inf where masked."""
    highest = z.max()
    return float(highest - z[token] + np.log(np.exp(z - highest).sum()))
