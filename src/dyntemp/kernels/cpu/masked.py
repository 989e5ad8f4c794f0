"""Draws under filters that are no cuts: NumPy masks the rows, and the kernel draws from the masked ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import inf
from typing import Any

import numpy as np

from dyntemp.distribution.noise import coins
from dyntemp.kernels.cpu.extreme_rows import surprisal
from dyntemp.kernels.job import NO_FILTERS, Job, Keys, Outcome
from dyntemp.kernels.rows import as_rows
from dyntemp.language.policy import Policy
from dyntemp.language.signals import MAX_REQUESTED

AS_DECIDED = Policy("requested")
"""The policy of the draw: temperatures are known by then."""


def run_masked(run: Callable[[Any, Job], Outcome], logits: Any, job: Job) -> Outcome:
    """Do a job that draws; `run` does one whose filters are all cuts.

    Signals, temperatures and memory are those of the whole rows.
    """
    rows = as_rows(logits)
    count = len(rows)
    job.check(count)
    keys = Keys.of(count, job.seed, job.request, job.position)
    outcome = run(logits, replace(job, draw=False, filters=NO_FILTERS))
    temperature = outcome.temperature
    each = zip(temperature.tolist(), keys.each(), strict=True)
    masks = [job.filters.mask(rows.unmasked(row), t, coins(*key)) for row, (t, key) in enumerate(each)]
    outcome.kept = np.array(masks, bool).reshape(rows.data.shape)
    left = [np.where(mask, rows.widened(row), -inf) for row, mask in enumerate(masks)]
    drawn = run(
        np.array(left, rows.widened(0).dtype) if count else rows.data,
        Job(
            (AS_DECIDED,), draw=True, seed=keys.seed, request=keys.request, position=keys.position,
            requested=temperature.clip(max=MAX_REQUESTED), threads=job.threads,
        ),
    )  # fmt: skip
    outcome.token, outcome.candidates = drawn.token, outcome.kept.sum(-1)
    for row, token in enumerate(outcome.token.tolist()):
        if job.state is not None and job.policy(row).reads_surprisal:
            slot = row if job.slot is None else np.broadcast_to(job.slot, (count,))[row]
            job.state.observe(slot, keys.position[row], surprisal(rows.unmasked(row), token))
    return outcome
