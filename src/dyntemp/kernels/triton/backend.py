"""The backend for NVIDIA GPUs, in Triton: two kernels from rows of logits to tokens.

The first reads the rows, split into blocks of 2,048 logits over as many programs as keep the device busy, and writes a
few sums of each block. The second, a program for each row, combines them in float64, runs the row's policy, filters,
and draws from the sums, which reads a block or two again. Order signals and `temperature_for_entropy` take a kernel
each between the two, a program for each row and signal, which reads the row several times. Nothing waits for the
device. A new policy or vocabulary compiles nothing: kernels differ by dtype, by powers of two of a few sizes, and by
what is asked for, and Triton tells aligned rows from others.

With TRITON_INTERPRET=1 in the environment before Triton is imported, the kernels run slowly on the CPU, for rows that
live there: so they are tested, and a test compiles each for compute capability 8.0 and 9.0. Their speed on a GPU has
not been measured yet.

Float64 rows are computed in float64. Results carry no gradient. A broken row raises nothing: `Outcome.broken` marks it,
its signals and temperature are NaN, its token is -1, `scale` leaves it as it was, and its memory is not written.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from math import inf, log
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dyntemp.distribution.filters import Filters
from dyntemp.kernels.job import UNNAMED, Job, Keys, Outcome
from dyntemp.kernels.tensor_memory import Memory, memory_of
from dyntemp.kernels.tensors import context, known, numbers, to_device
from dyntemp.kernels.triton.blocks import FIELDS, summarise
from dyntemp.kernels.triton.draw import AT_MODEL, AT_TEMPERATURE, NO_FILTERS
from dyntemp.kernels.triton.masked import run_masked
from dyntemp.kernels.triton.pack import packed
from dyntemp.kernels.triton.rows import StridedRows, as_rows
from dyntemp.kernels.triton.scale import divide, extremes
from dyntemp.kernels.triton.select import select
from dyntemp.kernels.triton.step import solve, step
from dyntemp.language.policy import Policy
from dyntemp.language.signals import MAX_POSITION

NAME = "triton"

PROGRAMS = 16
"""About how many programs of the first kernel each multiprocessor gets, where there is that much to do."""

LAUNCH = {"num_warps": 4, "enable_fp_fusion": False}
SEARCH = {"num_warps": 8, "enable_fp_fusion": False}
"""Multiplication and addition stay apart, so that results do not depend on what a compiler joins."""


def run(logits: Any, job: Job) -> Outcome:
    """Do `job` for every row; see `Job` and `Outcome`.

    `seed`, `request`, `position` and `slot` may be tensors on the device, int64 [rows], which are not checked: that
    would wait for it.

    Raises:
        InvalidLogitsError: For what is no row of logits, and for rows on the CPU without the interpreter.
        PolicyError, StateError, ValueError: For a job that these rows do not fit.
    """
    rows = as_rows(logits)
    count, device = rows.count, rows.data.device
    if job.draw and known(job.seed, job.request, job.position):
        Keys.of(count, job.seed, job.request, job.position)
    (job if known(job.slot) else replace(job, slot=None)).check(count)
    if job.draw and count and job.filters.short is None:
        return run_masked(run, logits, job)
    memory, turns = memory_of(job, count, device, None)
    said, outside = context(job, count, rows.data.shape[-1], device)
    found = {
        "broken": torch.zeros(count, dtype=torch.bool, device=device) if outside is None else outside.contiguous(),
        **{name: torch.empty(count, dtype=torch.float64, device=device) for name in ("temperature", "cut")},
        **{name: torch.empty(count, dtype=torch.int64, device=device) for name in ("token", "candidates", "last")},
    }
    columns = job.signals()
    values = torch.empty((count, len(columns)), dtype=torch.float64, device=device)
    for column, signal in enumerate(columns):
        if str(signal) in said:
            values[:, column] = said[str(signal)]
    if count:
        with _on(device):
            _launch(rows, job, values, memory, turns, found)
    if memory is not None and job.state is not None:
        lost = memory.lost.sum()
        job.state.restarts += lost if job.state.device is not None else int(lost)
    outcome = Outcome(NAME, {}, broken=rows.handed(found["broken"]), shown=rows.shown)
    outcome.signals = {
        str(signal): rows.handed(values[:, column])
        for column, signal in enumerate(columns)
        if signal.name not in UNNAMED
    }
    wanted = ["temperature"] * bool(job.policies) + ["token", "candidates", "cut", "last"] * job.draw
    for name in wanted:
        setattr(outcome, name, rows.handed(found[name]))
    return outcome


def scale(logits: Any, temperature: Any, out: Tensor | None = None, threads: int | None = None) -> Any:  # noqa: ARG001
    """Each row divided by its temperature, in the shape, dtype and library of `logits`; see `dyntemp.scale`.

    Args:
        logits: As for `run`.
        temperature: float64 [rows], as `run` returned it.
        out: A tensor like the logits to write to, which may be the logits.
        threads: Of no use on a device.
    """
    rows = as_rows(logits)
    if out is None:
        result = torch.empty_like(rows.data, memory_format=torch.contiguous_format)
    else:
        result = out if out.ndim == 2 else out[None]
    device = rows.data.device
    t = torch.as_tensor(temperature).to(device, torch.float64).reshape(-1).contiguous()
    ends = torch.empty((2, rows.count, rows.blocks), dtype=rows.compute, device=device)
    grid = (rows.count, rows.blocks)
    each = {**rows.place, "temperatures": t, "ends": ends, "rows": rows.count, "blocks": rows.blocks, **rows.kind}
    if rows.count:
        with _on(device):
            extremes[grid](**each, **LAUNCH)
            divide[grid](**each, result=result, result_stride=result.stride(0), SIZE=bucket(rows.blocks, 16), **LAUNCH)
    if out is not None:
        return out
    shaped = rows.shown(result)
    if not rows.numpy:
        return shaped
    dtype = np.asarray(logits).dtype
    return shaped.view(torch.int16).numpy().view(dtype) if result.dtype == torch.bfloat16 else shaped.numpy()


def _launch(
    rows: StridedRows, job: Job, values: Tensor, memory: Memory | None, turns: list[Any], found: dict[str, Tensor]
) -> None:
    """Run the kernels of a job over at least one row, and leave what they find in `values` and `found`."""
    count, device, blocks = rows.count, rows.data.device, rows.blocks
    policies = tuple({id(policy): policy for policy in job.policies}.values())
    bound = tuple(tuple(job.bound(policy).items()) for policy in policies)
    programs = packed(policies, bound, tuple(dict.fromkeys(job.also)), job.signals(), device)
    of_row = _of_row(job, policies, count, device)
    table = torch.empty((FIELDS, count, blocks), dtype=rows.compute, device=device)
    at_once = _blocks_at_once(count * blocks, device)
    signals = bucket(values.shape[1], 8) if values.shape[1] else 0
    block_sums = {**rows.place, "table": table, "rows": count, "blocks": blocks, **rows.kind}
    summarise[(count, -(-blocks // at_once))](**block_sums, per_program=at_once, SIGNALS=signals, **LAUNCH)
    row = {
        **block_sums, "SIZE": bucket(blocks, 16), "values": values, "width": values.shape[1],
        "kinds": programs.kinds, "spans": programs.spans, "of_row": of_row,
    }  # fmt: skip
    machine = {
        "steps": programs.steps, "numbers": programs.numbers, "SIGNALS": signals, "DEPTH": bucket(programs.depth, 8),
    }  # fmt: skip
    if number := len(programs.selected):
        select[(count, number)](**row, arguments=programs.arguments, selected=programs.selected, **SEARCH)
    if number := len(programs.solved):
        solve[(count, number)](**row, **machine, solved=programs.solved, **SEARCH)
    seeds, requests = _seeds(job, count, device)
    remembered = _remembered(job, memory, seeds)
    for turn in turns:
        order = _numbered(count, device) if turn is None else to_device(turn, device)
        step[(len(order),)](
            **row, **machine, **remembered, order=order, settings=_settings(job.filters, device),
            seeds=seeds, requests=requests,
            faults=found["broken"], temperatures=found["temperature"], cuts=found["cut"], tokens=found["token"],
            counts=found["candidates"], lasts=found["last"],
            POLICY=bool(policies), DRAW=job.draw, FILTERS=_filtering(job), **LAUNCH,
        )  # fmt: skip


def _remembered(job: Job, memory: Memory | None, unread: Tensor) -> dict[str, Any]:
    """Positions, and the tables of the state; without a state, `unread` stands for tables that no kernel reads."""
    if memory is None:
        count, device = len(unread), unread.device
        positions = numbers("position", job.position, count, device, MAX_POSITION + 1).contiguous()
        names = ("slots", "losses", "memory", "stamps", "owners", "generations")
        return {"positions": positions, **dict.fromkeys(names, unread), "window": 1, "cells": 0, "CELLS": 0}
    values, stamps, owners, generations = memory.state.tables
    return {
        "positions": memory.positions.contiguous(), "slots": memory.slots.contiguous(), "losses": memory.lost,
        "memory": values, "stamps": stamps, "owners": owners, "generations": generations,
        "window": memory.state.window, "cells": memory.state.width, "CELLS": bucket(memory.state.width, 1),
    }  # fmt: skip


def _seeds(job: Job, count: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """The seed and the request of each row, int64; anything where no draw is wanted."""
    rows = _numbered(count, device)
    if not job.draw:
        return rows, rows
    requests = rows if job.request is None else numbers("request", job.request, count, device, 2**32)
    return numbers("seed", job.seed, count, device, 2**64).contiguous(), requests.contiguous()


def _of_row(job: Job, policies: tuple[Policy, ...], count: int, device: torch.device) -> Tensor:
    """The number of each row's policy among these, int64."""
    if len(policies) < 2:
        return _zeros(count, device)
    number = {id(policy): at for at, policy in enumerate(policies)}
    return to_device(np.array([number[id(policy)] for policy in job.policies]), device)


@lru_cache(maxsize=16)
def _zeros(count: int, device: torch.device) -> Tensor:
    return torch.zeros(count, dtype=torch.int64, device=device)


@lru_cache(maxsize=16)
def _numbered(count: int, device: torch.device) -> Tensor:
    """The numbers of the rows, int64."""
    return torch.arange(count, device=device)


@lru_cache(maxsize=64)
def _settings(filters: Filters, device: torch.device) -> Tensor:
    """k, p and ln(min_p), as the kernels read them."""
    least = log(filters.min_p) if filters.min_p > 0 else -inf
    return torch.tensor([filters.top_k, filters.top_p, least], dtype=torch.float64).to(device)


def _filtering(job: Job) -> int:
    if not job.filters.active:
        return NO_FILTERS.value
    return AT_MODEL.value if job.filters.at == "model" else AT_TEMPERATURE.value


def _blocks_at_once(blocks: int, device: torch.device) -> int:
    """How many blocks a program of the first kernel does in a row: one, until the device has enough programs."""
    if device.type != "cuda":
        return 1
    cores = torch.cuda.get_device_properties(device).multi_processor_count
    return max(1, min(16, blocks // (PROGRAMS * cores)))


def bucket(number: int, least: int) -> int:
    """The power of two that a kernel is compiled for: at least `number` and `least`."""
    return max(least, 1 << max(number - 1, 0).bit_length())


@contextmanager
def _on(device: torch.device) -> Iterator[None]:
    """Make `device` the one that kernels run on; the interpreter's is NumPy, quiet about infinities as devices are."""
    if device.type == "cuda":
        with torch.cuda.device(device):
            yield
    else:
        with np.errstate(all="ignore"):
            yield
