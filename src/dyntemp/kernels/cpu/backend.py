"""Rows on the CPU, by Numba: one read of each row serves its signals, its temperature and its draw.

What is compiled is in `cpu_rows`; here a job is put into the few arrays that it works on.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numba.core import event
from numpy.typing import NDArray

from dyntemp.distribution.noise import MASK
from dyntemp.kernels.cpu.rows import (
    CANDIDATES,
    CUT,
    FIELDS,
    HIGHEST,
    LAST,
    LOST,
    TEMPERATURE,
    TOKEN,
    run_all,
    run_moments,
    scale_in_place,
    scale_rows,
)
from dyntemp.kernels.cpu.signals import KINDS, ORDERED, SOLVED
from dyntemp.kernels.cpu.unusual import draw_unusual
from dyntemp.kernels.job import UNNAMED, Job, Keys, Outcome, context
from dyntemp.kernels.rows import Rows, as_rows
from dyntemp.language.nodes import Const, Signal
from dyntemp.language.program import Op, Program, Step, lower
from dyntemp.language.signals import MAX_POSITION, MAX_SUPPORT
from dyntemp.language.state import SURPRISAL_CELL, rounds

NAME = "cpu"
NOTHING = np.empty(0, np.int64)
NO_KEYS = np.empty((0, 4), np.int64)
NO_ROOM = {kind: np.empty((3, 0), kind) for kind in (np.float64, np.float32)}
COMPUTE = {
    kind: (wide(Rows(np.empty((0, 1)), kind).masked_at), wide)
    for kind in ("float64", "float32", "float16", "bfloat16")
    for wide in (np.float64 if kind == "float64" else np.float32,)
}  # fmt: skip
"""For each dtype where masked entries begin, and what is computed in."""


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


@dataclass(frozen=True, slots=True, eq=False)
class Packed:
    """Programs as the compiled kernel reads them.

    Attributes:
        code: int64 [lines, 5]. The first line: 0 and the depth of the stack. One line per program: its steps and the
            signals to measure as ranges of lines, and the cell of `surprisal` or -1. One per signal to measure: the
            row of `known` it goes to, its kind, its argument among the numbers, and the steps of its target as a
            range. One per step: what it does, and its operand.
        numbers: The constants; a policy's parameters follow them at run time.
        parameters: The names of these, in order.
        names: The text of each signal; its row in `known` is its place here plus `len(FIELDS)`.
        given: Those of them that the caller says.
        shown: (row of `known`, text) of those that a result names.
        read: For each program, the texts of those that it reads.
        second: Whether second moments are wanted.
        room: Whether a signal needs more than the sums.
    """

    code: NDArray[np.int64]
    numbers: NDArray[np.float64]
    parameters: tuple[str, ...]
    names: tuple[str, ...]
    given: tuple[str, ...]
    shown: tuple[tuple[int, str], ...]
    read: tuple[frozenset[str], ...]
    second: bool
    room: bool


EMPTY = Program((), (), (), (), (), (), 1)
"""What measures and decides nothing."""


@lru_cache(maxsize=1024)
def pack(programs: tuple[Program, ...], also: tuple[Signal, ...]) -> Packed:
    """The programs, and signals to measure in every row, as the compiled kernel reads them.

    Args:
        programs: Different ones.
        also: Signals to measure in every row.
    """
    read = [tuple(dict.fromkeys((*program.signals, *also))) for program in programs]
    signals = list(dict.fromkeys(signal for one in read for signal in one))
    extra = {signal: lower(signal) for signal in also}
    numbers = list(dict.fromkeys(number for one in (*programs, *extra.values()) for number in one.numbers))
    arguments = {
        signal: next((part.value for part in signal.arguments if isinstance(part, Const)), 0.5)
        for signal in signals if KINDS.get(signal.name) in ORDERED
    }  # fmt: skip
    numbers = list(dict.fromkeys([*numbers, *arguments.values()]))
    parameters = list(dict.fromkeys(name for program in programs for name in program.parameters))
    lines: list[tuple[int, ...]] = [(0, max(one.depth for one in (*programs, *extra.values())), 0, 0, 0)]
    lines += [(0, 0, 0, 0, 0)] * len(programs)

    def place(program: Program, steps: tuple[Step, ...]) -> tuple[int, int]:
        start = len(lines)
        for step in steps:
            match step:
                case (Op.NUMBER, number):
                    line = (Op.NUMBER, numbers.index(program.numbers[number]))
                case (Op.PARAMETER, number):
                    line = (Op.NUMBER, len(numbers) + parameters.index(program.parameters[number]))
                case (Op.SIGNAL, number):
                    line = (Op.SIGNAL, len(FIELDS) + signals.index(program.signals[number]))
                case (Op.SURPRISAL | Op.EMA | Op.PREV | Op.INTEGRAL as op, number):
                    line = (op, number)
                case (op, _):
                    line = (op, 0)
            lines.append((*line, 0, 0, 0))
        return start, len(lines)

    for index, program in enumerate(programs):
        start, stop = place(program, program.steps)
        measures = []
        for signal in read[index]:
            if signal.name not in KINDS:
                continue
            owner = program if signal in program.signals else extra[signal]
            argument = numbers.index(arguments[signal]) if signal in arguments else 0
            target = place(owner, owner.targets[owner.signals.index(signal)])
            measures.append((len(FIELDS) + signals.index(signal), KINDS[signal.name], argument, *target))
        surprisal = SURPRISAL_CELL if any(step.op is Op.SURPRISAL for step in program.steps) else -1
        lines[1 + index] = (start, stop, len(lines), len(lines) + len(measures), surprisal)
        lines += measures
    kinds = {KINDS.get(signal.name) for signal in signals}
    return Packed(
        np.array(lines, np.int64),
        np.array(numbers, np.float64),
        tuple(parameters),
        tuple(map(str, signals)),
        tuple(str(signal) for signal in signals if signal.name not in KINDS),
        tuple((at, name) for at, name in enumerate(map(str, signals), len(FIELDS)) if name not in UNNAMED),
        tuple(frozenset(map(str, one)) for one in read),
        bool(kinds & {KINDS["collision"], KINDS["varentropy"]}),
        bool(kinds & {*ORDERED, SOLVED}),
    )


def run(logits: Any, job: Job) -> Outcome:
    """Do `job` for every row; see `Job` and `Outcome`.

    Raises:
        InvalidLogitsError: For a row with NaN, +inf, or no unmasked entry.
        PolicyError, StateError, ValueError: For a job that these rows do not fit.
    """
    rows = as_rows(logits)
    count, n = rows.data.shape
    masked_at, compute = COMPUTE[rows.dtype]
    packed, which = _packed(job, count)
    known = np.empty((len(FIELDS) + len(packed.names), count))
    counts = np.empty((4, count), np.int64)
    keys, seed, position = _keys(job, count)
    if packed.given:
        for name, values in context(job, count).items():
            known[len(FIELDS) + packed.names.index(name)] = values
    flat, stride = _flat(rows.data, rows.dtype)
    task = (
        flat, n, stride, masked_at, packed.code, _numbers(job, packed), which, keys, seed >> 32, seed & MASK, position,
        int(job.draw),
    )  # fmt: skip
    if job.state is None and not packed.room and not packed.second and not job.filters.active:
        unusual = run_moments(*task, known, counts)
    else:
        filters = job.filters
        top_k, after = min(filters.top_k, MAX_SUPPORT), filters.at == "temperature"
        settings = filters.active, top_k, float(filters.top_p), float(filters.min_p), after
        room = np.empty((3, n + 16), compute) if packed.room or filters.active else NO_ROOM[compute]
        unusual = run_all(*task, packed.second, _memory(job, count), room, settings, known, counts)
    if unusual:
        draw_unusual(
            rows, job, highest=known[HIGHEST], temperature=known[TEMPERATURE], cut=known[CUT], last=counts[LAST],
            token=counts[TOKEN],
        )  # fmt: skip
    return _outcome(rows, job, packed, which, known, counts)


def _outcome(
    rows: Rows, job: Job, packed: Packed, which: NDArray[Any], known: NDArray[np.float64], counts: NDArray[np.int64]
) -> Outcome:
    """The arrays that the compiled kernel filled, by name."""
    signals = {name: known[at] for at, name in packed.shown}
    if len(which):
        for program, read in enumerate(packed.read):
            for name in signals.keys() - read:
                signals[name][which == program] = np.nan
    if job.state is not None:
        job.state.restarts += int(counts[LOST].sum())
    temperature = known[TEMPERATURE] if job.policies else None
    if not job.draw:
        return Outcome(NAME, signals, temperature, shown=rows.shown)
    outcome = Outcome(NAME, signals, temperature, counts[TOKEN], counts[CANDIDATES], shown=rows.shown)
    if job.filters.active:
        outcome.cut, outcome.last = known[CUT], counts[LAST]
    return outcome


def scale(logits: Any, temperature: NDArray[np.float64], out: Any = None) -> Any:
    """Each row divided by its temperature, in the shape, dtype and library of `logits`; see `Backend.scale`."""
    rows = as_rows(logits)
    masked_at, compute = COMPUTE[rows.dtype]
    flat, stride = _flat(rows.data, rows.dtype)
    n = rows.data.shape[1]
    place = None if out is None else as_rows(out).data
    if len(temperature) != len(rows) or (place is not None and place.shape != rows.data.shape):
        into = "" if place is None else f", to be written to {place.shape}"
        raise ValueError(f"{len(temperature)} temperatures were given for rows of shape {rows.data.shape}{into}")
    if place is not None and place.dtype == compute and (place is out or not place.flags.owndata):  # no copy of it
        if place.__array_interface__["data"] == rows.data.__array_interface__["data"]:
            scale_in_place(place, masked_at, temperature)
        else:
            scale_rows(flat, n, stride, masked_at, temperature, place)
        return out
    result = np.empty(rows.data.shape, compute)
    scale_rows(flat, n, stride, masked_at, temperature, result)
    if out is None:
        return rows.like(result, logits)
    out[...] = rows.like(result, logits)
    return out


def _packed(job: Job, rows: int) -> tuple[Packed, NDArray[np.int64]]:
    """The job's programs, each once, and which of them each row has; no numbers where all have the first."""
    job.check(rows)
    programs = tuple([policy.program for policy in job.policies]) or (EMPTY,)
    distinct = programs if len(programs) == 1 else tuple(dict.fromkeys(programs))
    packed = pack(distinct, job.also)
    if len(distinct) == 1:
        return packed, NOTHING
    place = {program: index for index, program in enumerate(distinct)}
    return packed, np.array([place[program] for program in programs], np.int64)


def _numbers(job: Job, packed: Packed) -> NDArray[np.float64]:
    """The constants of the programs, and the parameters behind them."""
    if not packed.parameters and not job.parameters:
        return packed.numbers
    bound = job.all_bound()
    return np.append(packed.numbers, [bound[name] for name in packed.parameters])


def _keys(job: Job, rows: int) -> tuple[NDArray[np.int64], int, int]:
    """The noise of each row, or of all: (keys, seed, position) of `cpu_rows.every_row`."""
    seed, position = job.seed, job.position
    plain = job.request is None and type(seed) is int and type(position) is int
    if plain and 0 <= seed < 2**64 and 0 <= position <= MAX_POSITION:
        return NO_KEYS, seed, position
    named = Keys.of(rows, seed, job.request, position)
    halves = (named.seed >> np.uint64(32)), (named.seed & np.uint64(MASK))
    return np.stack([*(half.astype(np.int64) for half in halves), named.request, named.position], 1), 0, 0


Memory = tuple[tuple[Any, Any, Any, Any], NDArray[np.int64], NDArray[np.int64]]

NO_MEMORY: Memory = (
    (np.empty((0, 0, 0)), np.empty((0, 0), np.int64), np.empty((0, 0), np.int64), NOTHING), NOTHING, NOTHING,
)  # fmt: skip


def _memory(job: Job, rows: int) -> Memory:
    """The tables of the state, the slot of each row, and the order in which rows are done: positions upwards."""
    if job.state is None:
        return NO_MEMORY
    state = job.state.in_host_memory()
    slots, positions = state.places(job.slot, job.position, rows)
    return state.tables, np.array(slots, np.int64), np.concatenate([NOTHING, *rounds(slots, positions)])


def _flat(data: NDArray[Any], dtype: str) -> tuple[NDArray[Any], int]:
    """The memory of rows as one array, and how many entries lie from one row's begin to the next.

    The array is read-only whether the rows are or not: Numba would compile the same code for both.
    """
    if dtype == "float16":
        data = data.view(np.uint16)
    if data.flags.c_contiguous:
        flat, stride = data.reshape(-1), data.shape[1]
    else:
        stride, rest = divmod(data.strides[0], data.itemsize)
        if rest or stride < 0 or data.size == 0:
            flat, stride = np.ascontiguousarray(data).reshape(-1), data.shape[1]
        else:
            length = (len(data) - 1) * stride + data.shape[1]
            flat = np.lib.stride_tricks.as_strided(data, (length,), (data.itemsize,))
    flat.flags.writeable = False
    return flat, stride
