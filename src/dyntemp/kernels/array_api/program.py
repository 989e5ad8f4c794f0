"""The policies of a job, evaluated on the host in float64 from the signals that the array library measured."""

from __future__ import annotations

import numpy as np

from dyntemp.kernels.array_api.rows import Table
from dyntemp.kernels.job import Job
from dyntemp.language.evaluate import Evaluation
from dyntemp.language.nodes import Expression, Signal


def temperatures(rows: int, signals: dict[str, Table], job: Job) -> Table:
    """The temperature of each row by its own policy, [rows].

    Args:
        rows: The number of rows.
        signals: The values of each signal by its text, [rows]. They become NaN in rows whose policy does not read the
            signal.
        job: The job.
    """
    slots = np.arange(rows) if job.slot is None else np.broadcast_to(job.slot, (rows,))
    positions = np.broadcast_to(job.position, (rows,))
    found = np.empty(rows)
    read = {name: np.zeros(rows, bool) for name in signals}
    for policy in dict.fromkeys(job.policies):
        mine = np.array([job.policy(row) == policy for row in range(rows)], bool)
        values = {str(signal): signals[str(signal)][mine] for signal in policy.program.signals}
        found[mine] = policy.step(
            values, state=job.state, slot=slots[mine], position=positions[mine], parameters=job.bound(policy)
        )
        for name in values:
            read[name] |= mine
    for name in signals.keys() - {str(signal) for signal in job.also}:
        signals[name] = np.where(read[name], signals[name], np.nan)
    return found


def target(signal: Signal, signals: dict[str, Table], job: Job, rows: int) -> Table:
    """The entropy that the argument of a `temperature_for_entropy` asks for in each row, [rows]."""
    (wanted,) = signal.arguments
    assert isinstance(wanted, Expression)
    no_memory = np.zeros(rows, np.int64)
    with np.errstate(all="ignore"):
        evaluation = Evaluation(signals, job.all_bound(), None, no_memory, no_memory)
        return np.broadcast_to(evaluation.value(wanted), (rows,))
