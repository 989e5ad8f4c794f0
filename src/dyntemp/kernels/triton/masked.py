"""Draws under any chain of filters: PyTorch masks the rows on their device, and the kernels draw from the masked ones.

Nothing waits for the device. Top-k, top-p and min-p in this order are filtered by the kernels alone, see `draw`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from dyntemp.kernels import tensor_filters as filtering
from dyntemp.kernels.job import NO_FILTERS, Job, Outcome
from dyntemp.kernels.rows import LOWEST
from dyntemp.kernels.tensor_memory import memory_of
from dyntemp.kernels.tensor_noise import coins_of
from dyntemp.kernels.triton.rows import as_rows
from dyntemp.language.policy import Policy
from dyntemp.language.signals import MAX_REQUESTED, MAX_SURPRISAL
from dyntemp.language.state import SURPRISAL_CELL

AS_DECIDED = Policy("requested")
"""The policy of the draw: temperatures are known by then."""


def run_masked(run: Callable[[Any, Job], Outcome], logits: Any, job: Job) -> Outcome:
    """Do a job that draws; `run` does one without filters.

    Signals, temperatures and memory are those of the whole rows.
    """
    rows = as_rows(logits)
    data, device = rows.data, rows.data.device
    outcome = run(logits, replace(job, draw=False, filters=NO_FILTERS))
    broken, temperature = torch.as_tensor(outcome.broken), torch.as_tensor(outcome.temperature)
    unmasked = data > LOWEST[str(data.dtype).removeprefix("torch.")] / 2
    z = torch.where(unmasked, data.double(), -torch.inf)
    coins = None if job.filters.cut else coins_of(job, rows.count, device)
    kept = filtering.mask(z, temperature, job.filters, coins)
    drawn = run(
        torch.where(kept, data, -torch.inf),
        Job(
            (AS_DECIDED,), draw=True, seed=job.seed, request=job.request, position=job.position,
            requested=torch.where(broken, 0.0, temperature.clamp(max=MAX_REQUESTED)),
        ),
    )  # fmt: skip
    token = torch.where(broken, -1, drawn.token)
    _observe(z, token, job)
    outcome.token = rows.handed(token)
    outcome.candidates = rows.handed(torch.where(broken, 0, kept.sum(-1)))
    if job.filters.cut:
        cut, last = filtering.end(z, kept)
        outcome.cut, outcome.last = rows.handed(cut), rows.handed(last)
    else:
        outcome.kept = rows.handed(kept)
    return outcome


def _observe(z: torch.Tensor, token: torch.Tensor, job: Job) -> None:
    """Keep how surprising each token was, before any filter or temperature, for the policies that ask for it."""
    reads = [policy.reads_surprisal for policy in job.policies]
    memory, _ = memory_of(job, len(z), z.device, token < 0)
    if memory is None or not any(reads):
        return
    drawn = z.gather(-1, token.clamp(min=0)[:, None])[:, 0]
    surprisal = (z.logsumexp(-1) - drawn).clamp(0.0, MAX_SURPRISAL)
    if all(reads):
        memory.keep(SURPRISAL_CELL, surprisal)
        return
    mine = torch.tensor([row for row, read in enumerate(reads) if read], device=z.device)
    memory.of(mine).keep(SURPRISAL_CELL, surprisal[mine])
