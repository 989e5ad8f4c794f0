"""Rows on the CPU, by Numba: one read of each row serves its signals, its temperature and its draw.

This module puts a job into the arrays that compiled code works on; `entry_points` has that code.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import numpy as np
from numba.core import event
from numpy.typing import NDArray

from dyntemp.distribution.noise import MASK
from dyntemp.kernels.cpu.arguments import CANDIDATES, COUNTS, CUT, DONE, HIGHEST, KNOWN, LAST, LOST, TEMPERATURE, TOKEN
from dyntemp.kernels.cpu.entry_points import run_all, run_moments, scale_in_place, scale_rows, wait_for_rows
from dyntemp.kernels.cpu.extreme_rows import draw_extreme
from dyntemp.kernels.cpu.masked import run_masked
from dyntemp.kernels.cpu.pack import EMPTY, Packed, pack
from dyntemp.kernels.cpu.threads import threads_of, together
from dyntemp.kernels.cuts import steps_of
from dyntemp.kernels.job import Job, Keys, Outcome, context
from dyntemp.kernels.rows import Rows, as_rows
from dyntemp.language.nodes import Signal
from dyntemp.language.policy import Policy
from dyntemp.language.signals import MAX_POSITION
from dyntemp.language.state import rounds, whole

NAME = "cpu"
INT64 = np.dtype(np.int64)
NOTHING = np.empty(0, np.int64)
NO_KEYS = np.empty((0, 4), np.int64)
NO_ROOM = {kind: np.empty((3, 0), kind) for kind in (np.float64, np.float32)}
COMPUTE = {
    kind: (wide(Rows(np.empty((0, 1)), kind).masked_at), wide)
    for kind in ("float64", "float32", "float16", "bfloat16")
    for wide in (np.float64 if kind == "float64" else np.float32,)
}  # fmt: skip
"""For each dtype, the number at or below which entries are masked, and the type to compute in."""


class _Compiling(event.Listener):  # type: ignore[misc]  # Numba has no types
    """Logs that a kernel is compiled rather than loaded from the cache on disk.

    The record has an event `ended`, which is set when the kernel is compiled.
    """

    def __init__(self) -> None:
        self._ended = threading.Event()

    def on_start(self, event: Any) -> None:
        if event.data["dispatcher"] in (run_moments, run_all, scale_rows, scale_in_place):
            self._ended = threading.Event()
            logging.getLogger("dyntemp").warning(
                "dyntemp: compiling for this processor, once: some seconds", extra={"ended": self._ended}
            )

    def on_end(self, event: Any) -> None:
        if event.data["dispatcher"] in (run_moments, run_all, scale_rows, scale_in_place):
            self._ended.set()


event.register("numba:compile", _Compiling())


def run(logits: Any, job: Job) -> Outcome:
    """Do `job` for every row; see `Job` and `Outcome`.

    Raises:
        InvalidLogitsError: For a row with NaN, +inf, or no unmasked entry.
        PolicyError, StateError, ValueError: For a job that these rows do not fit.
    """
    if job.draw and job.filters.active and not job.filters.cut:
        return run_masked(run, logits, job)
    rows = as_rows(logits)
    count, n = rows.data.shape
    masked_at, compute = COMPUTE[rows.dtype]
    job.check(count)
    packed, of_row = _programs(job.policies, job.also)
    known = np.empty((len(KNOWN) + len(packed.names), count))
    counts = np.zeros((len(COUNTS), count), INT64)
    keys, seed, position = _keys(job, count)
    if packed.given:
        for name, values in context(job, count, n).items():
            known[len(KNOWN) + packed.names.index(name)] = values
    flat, stride = flat_memory(rows.data, rows.dtype)
    task = (  # in the order of `run_moments`; by name, a call would take 0.8 us longer
        flat, n, stride, masked_at,  # `Logits`
        packed.code, _numbers(job, packed), of_row,  # `Programs`
        keys, seed >> 32, seed & MASK, position,  # `Keys`
        job.draw, known, counts,
    )  # fmt: skip
    threads = 1 if count == 1 and job.threads is None else threads_of(job.threads, count, n)
    if job.state is None and not packed.room and not packed.second and not job.filters.active:
        extreme = run_moments(*task) if threads == 1 else _shared(partial(run_moments, *task), threads, counts, count)
    else:
        steps = steps_of(job.filters)
        tables, slots, order, apart = _memory(job, count)

        def share() -> int:
            room = np.empty((3, n + 16), compute) if packed.room or len(steps) else NO_ROOM[compute]
            return int(run_all(*task, packed.second, tables, slots, order, room, steps))

        extreme = _shared(share, threads if apart else 1, counts, count)
    if extreme:
        draw_extreme(
            rows, job, highest=known[HIGHEST], temperature=known[TEMPERATURE], cut=known[CUT], last=counts[LAST],
            token=counts[TOKEN],
        )  # fmt: skip
    return _outcome(rows, job, packed, of_row, known, counts)


def _shared(work: Callable[[], int], threads: int, counts: NDArray[np.int64], rows: int) -> int:
    """The sum of what the threads found in their rows, once all rows are done."""
    return work() if threads == 1 else together(work, threads, partial(wait_for_rows, counts[DONE], rows))


def _outcome(
    rows: Rows, job: Job, packed: Packed, of_row: NDArray[Any], known: NDArray[np.float64], counts: NDArray[np.int64]
) -> Outcome:
    """The arrays that the compiled kernel filled, by name."""
    signals = {name: known[at] for at, name in packed.shown}
    if len(of_row):
        for program, read in enumerate(packed.read):
            for name in signals.keys() - read:
                signals[name][of_row == program] = np.nan
    if job.state is not None:
        job.state.restarts += int(counts[LOST].sum())
    outcome = Outcome(NAME, signals, known[TEMPERATURE] if job.policies else None)
    outcome.shown = rows.shown
    if job.draw:
        outcome.token, outcome.candidates = counts[TOKEN], counts[CANDIDATES]
        if job.filters.active:
            outcome.cut, outcome.last = known[CUT], counts[LAST]
    return outcome


def scale(logits: Any, temperature: NDArray[np.float64], out: Any = None, threads: int | None = None) -> Any:
    """Each row divided by its temperature, in the shape, dtype and library of `logits`; see `Backend.scale`."""
    rows = as_rows(logits)
    masked_at, compute = COMPUTE[rows.dtype]
    count, n = rows.data.shape
    place = None if out is None else as_rows(out).data
    if len(temperature) != count or (place is not None and place.shape != rows.data.shape):
        into = "" if place is None else f", to be written to {place.shape}"
        raise ValueError(f"{len(temperature)} temperatures were given for rows of shape {rows.data.shape}{into}")
    threads = threads_of(threads, count, n)
    counts = np.zeros((2, 1), INT64)
    if place is not None and (place.dtype != compute or (place is not out and place.flags.owndata)):
        place = None  # a copy of `out`, or of another type
    if place is not None and place.__array_interface__["data"] == rows.data.__array_interface__["data"]:
        _shared(partial(scale_in_place, place, masked_at, temperature, counts), threads, counts, count)
        return out
    flat, stride = flat_memory(rows.data, rows.dtype)
    result = np.empty(rows.data.shape, compute) if place is None else place
    _shared(partial(scale_rows, flat, n, stride, masked_at, temperature, counts, result), threads, counts, count)
    if place is not None:
        return out
    if out is None:
        return rows.like(result, logits)
    out[...] = rows.like(result, logits)
    return out


@lru_cache(maxsize=1024)
def _programs(policies: tuple[Policy, ...], also: tuple[Signal, ...]) -> tuple[Packed, NDArray[np.int64]]:
    """The programs of a job, each once, and the place of each row's among them; empty where all have the first."""
    programs = [policy.program for policy in policies] or [EMPTY]
    places = {program: place for place, program in enumerate(dict.fromkeys(programs))}
    packed = pack(tuple(places), also)
    return packed, NOTHING if len(places) == 1 else np.array([places[program] for program in programs], np.int64)


def _numbers(job: Job, packed: Packed) -> NDArray[np.float64]:
    """The constants of the programs, and the parameters behind them."""
    if not packed.parameters and not job.parameters:
        return packed.numbers
    bound = job.all_bound()
    return np.append(packed.numbers, [bound[name] for name in packed.parameters])


def _keys(job: Job, rows: int) -> tuple[NDArray[np.int64], int, int]:
    """The noise of each row, or of all: (keys, seed, position) of `entry_points.every_row`."""
    seed, position = job.seed, job.position
    plain = job.request is None and type(seed) is int and type(position) is int
    if plain and 0 <= seed < 2**64 and 0 <= position <= MAX_POSITION:
        return NO_KEYS, seed, position
    keys = np.zeros((rows, 4), INT64)
    if job.draw:
        named = Keys.of(rows, seed, job.request, position)
        keys[:, 0], keys[:, 1] = named.seed >> np.uint64(32), named.seed & np.uint64(MASK)
        keys[:, 2], keys[:, 3] = named.request, named.position
    else:  # memory alone asks for the position
        keys[:, 3] = whole("position", position, rows, np.int64, MAX_POSITION + 1)
    return keys, 0, 0


Memory = tuple[tuple[Any, Any, Any, Any], NDArray[np.int64], NDArray[np.int64], bool]

NO_MEMORY: Memory = (
    (np.empty((0, 0, 0)), np.empty((0, 0), np.int64), np.empty((0, 0), np.int64), NOTHING), NOTHING, NOTHING, True,
)  # fmt: skip


def _memory(job: Job, rows: int) -> Memory:
    """The tables of the state, the slot of each row, the order of the rows by position, and whether no slot repeats."""
    if job.state is None:
        return NO_MEMORY
    state = job.state.in_host_memory()
    slots, positions = state.places(job.slot, job.position, rows)
    turns = [*rounds(slots, positions)]
    return state.tables, np.array(slots, np.int64), np.concatenate([NOTHING, *turns]), len(turns) < 2


def flat_memory(data: NDArray[Any], dtype: str) -> tuple[NDArray[Any], int]:
    """The memory of rows as one array, and how many entries lie from one row's begin to the next.

    The array is read-only whether the rows are or not: Numba would compile the same code for both.
    """
    if dtype == "float16":
        data = data.view(np.uint16)
    if data.flags.c_contiguous:
        flat, stride = data.ravel(), data.shape[1]  # no copy
    else:
        stride, rest = divmod(data.strides[0], data.itemsize)
        if rest or stride < 0 or data.size == 0:
            flat, stride = np.ascontiguousarray(data).reshape(-1), data.shape[1]
        else:
            length = (len(data) - 1) * stride + data.shape[1]
            flat = np.lib.stride_tricks.as_strided(data, (length,), (data.itemsize,))
    flat.setflags(write=False)
    return flat, stride
