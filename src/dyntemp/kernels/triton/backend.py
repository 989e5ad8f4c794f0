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
from dataclasses import dataclass, replace
from functools import lru_cache
from math import inf, log
from typing import Any

import numpy as np
import torch
import triton
import triton.language as tl
from torch import Tensor

from dyntemp.distribution.filters import Filters
from dyntemp.errors import InvalidLogitsError
from dyntemp.kernels.blocks import BLOCK
from dyntemp.kernels.job import UNNAMED, Job, Keys, Outcome
from dyntemp.kernels.rows import LOWEST
from dyntemp.kernels.tensor_memory import Memory, memory_of
from dyntemp.kernels.tensors import context, known, numbers, tensor_of, to_device
from dyntemp.kernels.triton.blocks import FIELDS, summarise
from dyntemp.kernels.triton.draw import AT_MODEL, AT_TEMPERATURE, NO_FILTERS
from dyntemp.kernels.triton.program import packed
from dyntemp.kernels.triton.scale import divide, extremes
from dyntemp.kernels.triton.select import select
from dyntemp.kernels.triton.step import solve, step
from dyntemp.language.policy import Policy
from dyntemp.language.signals import MAX_POSITION

NAME = "triton"

INTERPRETED = not isinstance(summarise, triton.JITFunction)
"""Whether Triton was imported with TRITON_INTERPRET=1."""

PROGRAMS = 16
"""About how many programs of the first kernel each multiprocessor gets, where there is that much to do."""

LAUNCH = {"num_warps": 4, "enable_fp_fusion": False}
SEARCH = {"num_warps": 8, "enable_fp_fusion": False}
"""Multiplication and addition stay apart, so that results do not depend on what a compiler joins."""


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Logits as a tensor whose rows are contiguous, and how to hand results back.

    Attributes:
        data: [rows, n].
        single: Whether one row of shape [n] was given, whose results are 0-d.
        numpy: Whether an array was given, so that the caller gets arrays back.
    """

    data: Tensor
    single: bool
    numpy: bool

    @property
    def count(self) -> int:
        """How many there are."""
        return int(self.data.shape[0])

    @property
    def blocks(self) -> int:
        """How many blocks of 2,048 each has."""
        return -(-int(self.data.shape[1]) // BLOCK)

    @property
    def place(self) -> tuple[Tensor, int, int]:
        """Where the logits lie: what every kernel is told first."""
        return self.data, self.data.stride(0), int(self.data.shape[1])

    @property
    def kind(self) -> dict[str, Any]:
        """What every kernel is compiled for."""
        lowest = LOWEST[str(self.data.dtype).removeprefix("torch.")]
        return {"MASKED_AT": lowest / 2, "COMPUTE": tl.float64 if self.data.dtype == torch.float64 else tl.float32}

    def handed(self, values: Any) -> Any:
        """A tensor in the library of the input."""
        return values.numpy() if self.numpy and isinstance(values, Tensor) else values

    def shown(self, values: Any) -> Any:
        """[rows] values as the caller sees them."""
        return values[0] if self.single else values


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
    memory, turns = memory_of(job, count, device, None)
    said, outside = context(job, count, device)
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


def scale(logits: Any, temperature: Any, out: Tensor | None = None) -> Any:
    """Each row divided by its temperature, in the shape, dtype and library of `logits`; see `dyntemp.scale`.

    Args:
        logits: As for `run`.
        temperature: float64 [rows], as `run` returned it.
        out: A tensor like the logits to write to, which may be the logits.
    """
    rows = as_rows(logits)
    if out is None:
        result = torch.empty_like(rows.data, memory_format=torch.contiguous_format)
    else:
        result = out if out.ndim == 2 else out[None]
    device = rows.data.device
    t = torch.as_tensor(temperature).to(device, torch.float64).reshape(-1).contiguous()
    wide = torch.float64 if rows.data.dtype == torch.float64 else torch.float32
    ends = torch.empty((2, rows.count, rows.blocks), dtype=wide, device=device)
    grid = (rows.count, rows.blocks)
    if rows.count:
        with _on(device):
            extremes[grid](*rows.place, t, ends, *grid, **rows.kind, **LAUNCH)
            divide[grid](
                *rows.place, t, ends, result, result.stride(0), *grid, SIZE=bucket(rows.blocks, 16), **rows.kind,
                **LAUNCH,
            )  # fmt: skip
    if out is not None:
        return out
    shaped = rows.shown(result)
    if not rows.numpy:
        return shaped
    dtype = np.asarray(logits).dtype
    return shaped.view(torch.int16).numpy().view(dtype) if result.dtype == torch.bfloat16 else shaped.numpy()


def as_rows(logits: Any) -> Rows:
    """`logits` as the kernels read them, without a gradient.

    Raises:
        InvalidLogitsError: For what is no row of logits, and for rows that no kernel can read.
    """
    tensor = tensor_of(logits).detach()
    if tensor.device.type != "cuda" and not (INTERPRETED and tensor.device.type == "cpu"):
        raise InvalidLogitsError(
            f"logits on {tensor.device} were given; the triton backend reads CUDA devices: leave `backend` out, or set "
            "TRITON_INTERPRET=1 before Triton is imported to try it on the CPU"
        )
    data = tensor if tensor.ndim == 2 else tensor[None]
    data = data if data.stride(1) == 1 else data.contiguous()
    return Rows(data, tensor.ndim == 1, not isinstance(logits, Tensor))


def _launch(
    rows: Rows, job: Job, values: Tensor, memory: Memory | None, turns: list[Any], found: dict[str, Tensor]
) -> None:
    """Run the kernels of a job over at least one row, and leave what they find in `values` and `found`."""
    count, device, blocks = rows.count, rows.data.device, rows.blocks
    policies = tuple({id(policy): policy for policy in job.policies}.values())
    bound = tuple(tuple(job.bound(policy).items()) for policy in policies)
    cells = 0 if memory is None else memory.state.width
    programs = packed(policies, bound, tuple(dict.fromkeys(job.also)), job.signals(), device)
    which = _which(job, policies, count, device)
    wide = torch.float64 if rows.data.dtype == torch.float64 else torch.float32
    table = torch.empty((FIELDS, count, blocks), dtype=wide, device=device)
    at_once = _blocks_at_once(count * blocks, device)
    size = {"SIZE": bucket(blocks, 16), **rows.kind}
    signals = bucket(values.shape[1], 8) if values.shape[1] else 0
    sizes = {"SIGNALS": signals, "DEPTH": bucket(programs.depth, 8), **size}
    summarise[(count, -(-blocks // at_once))](
        *rows.place, table, count, blocks, at_once, SIGNALS=signals, **rows.kind, **LAUNCH
    )
    head = (*rows.place, table, count, blocks, values, values.shape[1], programs.kinds)
    tail = (programs.spans, which)
    if number := len(programs.selected):
        select[(count, number)](*head, programs.arguments, programs.selected, *tail, **size, **SEARCH)
    if number := len(programs.solved):
        solve[(count, number)](*head, programs.solved, *tail, programs.steps, programs.numbers, **sizes, **SEARCH)
    seeds, requests = _seeds(job, count, device)
    if memory is None:
        positions = numbers("position", job.position, count, device, MAX_POSITION + 1).contiguous()
        kept, window = (seeds,) * 6, 1  # six addresses that no kernel reads
    else:
        positions, window, state = memory.positions.contiguous(), memory.state.window, memory.state
        kept = (memory.slots.contiguous(), memory.lost, *state.tables)
    for turn in turns:
        order = _numbered(count, device) if turn is None else to_device(turn, device)
        step[(len(order),)](
            *head, *tail, programs.steps, programs.numbers, _settings(job.filters, device), order, seeds, requests,
            positions, *found.values(),
            *kept, window, cells,
            POLICY=bool(policies), DRAW=job.draw, FILTERS=_filtering(job), CELLS=bucket(cells, 1) if cells else 0,
            **sizes, **LAUNCH,
        )  # fmt: skip


def _seeds(job: Job, count: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """The seed and the request of each row, int64; anything where no draw is wanted."""
    rows = _numbered(count, device)
    if not job.draw:
        return rows, rows
    requests = rows if job.request is None else numbers("request", job.request, count, device, 2**32)
    return numbers("seed", job.seed, count, device, 2**64).contiguous(), requests.contiguous()


def _which(job: Job, policies: tuple[Policy, ...], count: int, device: torch.device) -> Tensor:
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
