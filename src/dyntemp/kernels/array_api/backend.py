"""The backend for MLX and other libraries that follow the array API standard, in float32.

The array library reads the rows and sums over blocks of 2,048 in float32. A few sums per block come back to the host,
where NumPy combines them in float64, evaluates the policies with their memory, and draws by the algorithm of the
reference, fetching one block or two of each row. Seeds, positions, slots and state are therefore the host's, and every
call waits for the device. No row is sorted: order signals and filters find their thresholds by halving, some 32 sums
over the rows.

Tested with array-api-strict and with MLX on the CPU. JAX and CuPy follow the same standard and have not been tried.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dyntemp.distribution.filters import GREEDY_AT
from dyntemp.kernels.array_api.draw import BlockMasses, draw
from dyntemp.kernels.array_api.program import target, temperatures
from dyntemp.kernels.array_api.rows import BlockedRows, Table, as_rows, flat, to_host
from dyntemp.kernels.array_api.select import filtered, index_of
from dyntemp.kernels.array_api.signals import MEASURES, Softmax, solve_entropy
from dyntemp.kernels.blocks import BLOCK
from dyntemp.kernels.job import UNNAMED, Job, Keys, Outcome, context
from dyntemp.kernels.rows import LOWEST
from dyntemp.language.nodes import Const
from dyntemp.language.signals import SIGNALS

NAME = "array_api"


def run(logits: Any, job: Job) -> Outcome:
    """Do `job` for every row; see `Job` and `Outcome`.

    Raises:
        InvalidLogitsError: For what is no row of logits, float64 among it, and for rows with NaN, +inf, or no
            unmasked entry.
        PolicyError, StateError, ValueError: For a job that these rows do not fit.
    """
    with np.errstate(all="ignore"):
        rows = as_rows(logits, job.position)
        count = len(rows)
        keys = Keys.of(count, job.seed, job.request, job.position) if job.draw else None
        job.check(count)
        values = _signals(rows, job)
        found: dict[str, NDArray[Any]] = {}
        if job.policies:
            found["temperature"] = temperatures(count, values, job)
        if keys is not None:
            found |= _drawn(rows, found["temperature"], keys, job)
    read = {str(signal) for signal in job.signals()} - UNNAMED
    return Outcome(
        NAME,
        {name: rows.wrap(value) for name, value in values.items() if name in read},
        **{name: rows.wrap(value) for name, value in found.items()},
        shown=rows.shown,
    )


def scale(logits: Any, temperature: Any, out: Any = None, threads: int | None = None) -> Any:  # noqa: ARG001
    """Each row divided by its temperature, in the shape, dtype and library of `logits`; see `Backend.scale`.

    Raises:
        TypeError: For `out`: arrays of these libraries need not be writable.
    """
    if out is not None:
        raise TypeError("out= was given; this backend returns new arrays: leave it out")
    xp, given, dtype = flat(logits)
    t = to_host(temperature).astype(np.float64).reshape(-1, 1)
    if not len(t):
        return logits
    masked_at = LOWEST[dtype] / 2
    z = xp.astype(given, xp.float32)
    kept = z > masked_at
    regular = (t > GREEDY_AT) & (t < np.inf)
    safe = np.where(regular, t, 1.0)
    with np.errstate(all="ignore"):
        top = to_host(xp.max(xp.where(kept, z, -np.inf), axis=1, keepdims=True)).astype(np.float64)
        bottom = to_host(xp.min(xp.where(kept, z, np.inf), axis=1, keepdims=True)).astype(np.float64)
        beyond = np.maximum(np.abs(top), np.abs(bottom)) / safe > -2 * masked_at
        base, divisor = (
            xp.asarray(values.astype(np.float32)) for values in (np.where(beyond, top, 0.0), safe)
        )  # fmt: skip
        first = xp.argmax(z, axis=1, keepdims=True) == xp.arange(z.shape[1])[None, :]
        ends = xp.where(first | xp.asarray(t > GREEDY_AT), xp.zeros_like(z), -np.inf)
        result = xp.where(kept, xp.where(xp.asarray(regular), (z - base) / divisor, ends), -np.inf)
        result = xp.where(xp.asarray(np.isnan(t)), z, result)
        return xp.reshape(xp.astype(result, logits.dtype), logits.shape)


def _signals(rows: BlockedRows, job: Job) -> dict[str, Table]:
    """Every signal of the job in each row, inner ones first, and the numbers that the caller gave."""
    values: dict[str, Table] = context(job, len(rows), rows.width)
    wanted = [signal for signal in job.signals() if SIGNALS[signal.name].measured]
    if not len(rows):
        return values | {str(signal): np.empty(0) for signal in wanted}
    softmax = Softmax(rows) if any(SIGNALS[signal.name].source != "solve" for signal in wanted) else None
    for signal in wanted:
        if SIGNALS[signal.name].source == "solve":
            values[str(signal)] = solve_entropy(rows, target(signal, values, job, len(rows)))
        else:
            arguments = [argument.value for argument in signal.arguments if isinstance(argument, Const)]
            values[str(signal)] = MEASURES[signal.name](softmax, *arguments)
    return values


def _drawn(rows: BlockedRows, temperature: Table, keys: Keys, job: Job) -> dict[str, NDArray[Any]]:
    """A token of each row and the entries that filters left; policies that read the surprisal get it in their state."""
    count = len(rows)
    if not count:
        return {name: np.empty(0, np.int64) for name in ("token", "candidates", "last")} | {"cut": np.empty(0)}
    xp = rows.xp
    kept = filtered(rows, temperature, job.filters)
    rest = BlockedRows(xp, xp.where(kept, rows.z, -np.inf), rows.dtype, rows.width, rows.single)
    masses = BlockMasses(rest)
    token = np.array([
        draw(masses, row, t, *key)
        for row, (t, *key) in enumerate(zip(temperature.tolist(), keys.seed.tolist(), keys.request.tolist(),
                                            keys.position.tolist(), strict=True))
    ], np.int64)  # fmt: skip
    whole = rest.support == rows.support
    cut = to_host(xp.min(xp.min(xp.where(kept, rows.z, np.inf), axis=-1), axis=-1)).astype(np.float64)
    at_cut = xp.where(kept & (rows.z == rows.per_row(cut)), index_of(rows), -1)
    last = to_host(xp.max(xp.max(at_cut, axis=-1), axis=-1)).astype(np.int64)
    for policy in dict.fromkeys(job.policies):
        if policy.reads_surprisal and job.state is not None:
            mine = np.array([row for row in range(count) if job.policy(row) == policy])
            z = rows.block_of(mine, token[mine] // BLOCK)[np.arange(len(mine)), token[mine] % BLOCK]
            slot = np.arange(count) if job.slot is None else np.broadcast_to(job.slot, (count,))
            surprisal = rows.top[mine] - z + np.log(Softmax(rows).whole[mine])
            job.state.observe(slot[mine], np.broadcast_to(job.position, (count,))[mine], surprisal)
    return {
        "token": token,
        "candidates": rest.support.astype(np.int64),
        "cut": np.where(whole, -np.inf, cut),
        "last": np.where(whole, rows.width - 1, last),
    }
