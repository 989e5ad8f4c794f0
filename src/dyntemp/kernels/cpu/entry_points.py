"""The entry points of the compiled code: from rows of logits to tokens, and to scaled rows.

There are two ways through the rows for each dtype, each compiled once: `run_moments` for what the sums of one read
give, and `run_all`, with memory, second moments, selection and filters. The first passes None for these, and the
compiler leaves their code out.

Numba keeps compiled code on disk and compiles anew when the file of an entry point has changed, but does not look at
the files that it calls. The entry points are therefore made by a function of the digest of all of them: the variables
of a closure are part of the name under which its code is kept.
"""

from __future__ import annotations

import numpy as np
from numba import njit, types
from numba.extending import overload

from dyntemp.kernels.blocks import BLOCK
from dyntemp.kernels.cpu.arguments import (
    CANDIDATES,
    CUT,
    DEPTH,
    DONE,
    HIGHEST,
    LAST,
    LOST,
    MEASURES_START,
    MEASURES_STOP,
    STEPS_START,
    STEPS_STOP,
    SURPRISAL,
    TEMPERATURE,
    TOKEN,
    Blocks,
    Cells,
    Kept,
    Key,
    Keys,
    Logits,
    Memory,
    Programs,
    Scratch,
)
from dyntemp.kernels.cpu.blocks import read_row
from dyntemp.kernels.cpu.draw import draw
from dyntemp.kernels.cpu.filters import truncate
from dyntemp.kernels.cpu.program import execute, remember
from dyntemp.kernels.cpu.scale import every_row_in_place, every_scaled_row
from dyntemp.kernels.cpu.signals import ORDERED, SOLVED, moment_signal, order_signal, solve_entropy
from dyntemp.kernels.cpu.sources import digest
from dyntemp.kernels.cpu.turns import hand_in, next_turn, wait_until_done
from dyntemp.kernels.cpu.vectors import load, plain, space_of, type_of
from dyntemp.language.signals import MAX_SURPRISAL


@plain
def every_row(logits, programs, keys, draws, known, counts, second, memory, room, filters):
    """Measure, decide, filter, draw and remember, for every row that no other thread has taken.

    Args:
        logits: `Logits`.
        programs: `Programs`.
        keys: `Keys`.
        draws: Whether a token is wanted: 1 or 0.
        known: float64 [3 + signals, rows]. Values that the caller gives are read, all others are written. `HIGHEST` is
            NaN or infinite for a broken row, of which nothing else is set.
        counts: int64 [6, rows], written; zeros at first.
        second: None; or whether second moments are wanted.
        memory: None; or `Memory`.
        room: None; or space, [3, n + 16], for selection, solving and filters. It is empty where none of them is wanted.
        filters: None where `room` is; or the steps of the filters, as `cuts.steps_of` writes them.

    Returns:
        How many of these rows are broken, or so high that differences of logits overflow and the draw does not count.
    """
    extreme = taken = 0
    n, masked_at, code = logits.n, logits.masked_at, programs.code
    rows = known.shape[1]
    count = (n + BLOCK - 1) // BLOCK
    groups = BLOCK // 64
    wide, narrow = np.empty(2 * count + groups + code[0, DEPTH]), space_of(masked_at, count + BLOCK)
    blocks = Blocks(narrow[:count], wide[:count])
    scratch = Scratch(wide[count : 2 * count], wide[2 * count : 2 * count + groups], narrow[count:])
    stack = wide[2 * count + groups :]
    for _ in range(rows):
        r = turn = next_turn(counts)
        if turn >= rows:
            break
        taken += 1
        if memory is not None and len(memory.order):
            r = memory.order[turn]
        key = key_of(keys, r)
        row = logits.flat[r * logits.stride : r * logits.stride + n]
        if second is not None and second:  # about the mean of the first block
            first = read_row(row[:BLOCK], masked_at, None, Blocks(blocks.tops[:1], blocks.totals[:1]))
            mean = first.top + first.log_total - first.entropy if np.isfinite(first.top) else 0.0
            moments = read_row(row, masked_at, mean, blocks)
        else:
            moments = read_row(row, masked_at, None, blocks)
        known[HIGHEST, r] = moments.top
        extreme += not -np.inf < moments.top < -masked_at
        if not np.isfinite(moments.top):
            continue
        signals = known[:, r]
        cells = cells_of(memory, r, key.position)
        program = code[1 + (programs.of_row[r] if len(programs.of_row) else 0)]
        for line in range(program[MEASURES_START], program[MEASURES_STOP]):
            into, kind, argument, start, stop = code[line]
            if room is not None:
                if kind == SOLVED:
                    target, _ = execute(programs, start, stop, signals, stack, None)
                    signals[into] = solve_entropy(row, target, masked_at, blocks, moments)
                    continue
                if kind in ORDERED:
                    number = programs.numbers[argument]
                    signals[into] = order_signal(kind, number, row, masked_at, blocks, moments, room)
                    continue
            signals[into] = moment_signal(kind, moments)
        counts[CANDIDATES, r] = np.int64(moments.count)
        if program[STEPS_START] == program[STEPS_STOP]:
            continue
        temperature, lost = execute(programs, program[STEPS_START], program[STEPS_STOP], signals, stack, cells)
        known[TEMPERATURE, r], counts[LOST, r] = temperature, lost
        if not draws:
            continue
        kept = Kept(masked_at, np.int64(-1))
        known[CUT, r], counts[LAST, r] = -np.inf, n - 1
        if room is not None and len(filters):
            kept, left = truncate(row, masked_at, blocks, moments, temperature, filters, room)
            if left < counts[CANDIDATES, r]:
                counts[CANDIDATES, r], known[CUT, r], counts[LAST, r] = left, kept.cut, kept.last
        token = draw(row, blocks, type_of(masked_at, moments.top), temperature, kept, key, scratch)
        counts[TOKEN, r] = token
        if memory is not None and len(memory.order) and program[SURPRISAL] >= 0:
            surprisal = moments.log_total + (moments.top - np.float64(load(row[token])))
            remember(cells, program[SURPRISAL], min(max(surprisal, 0.0), MAX_SURPRISAL))
    hand_in(counts[DONE], taken, extreme)
    return extreme


@plain
def key_of(keys, r):
    """The `Key` of a row."""
    if len(keys.per_row):
        high, low, request, position = keys.per_row[r]
        return Key((np.uint64(high) << np.uint64(32)) | np.uint64(low), request, position)
    seed = (np.uint64(keys.seed_high) << np.uint64(32)) | np.uint64(keys.seed_low)
    return Key(seed, np.int64(r), np.int64(keys.position))


def cells_of(memory, r, position):
    """The `Cells` of a row; None where `memory` is."""
    return None if memory is None else Cells(memory, memory.slots[r], position)


@overload(cells_of, inline="always")
def _cells_of(memory, r, position):
    if isinstance(memory, types.NoneType):
        return lambda memory, r, position: None

    def of_row(memory, r, position):
        return Cells(memory, memory.slots[r] if len(memory.slots) else np.int64(0), position)

    return of_row


def _entry_points(sources: str):
    """`run_moments`, `run_all`, `scale_rows`, `scale_in_place` and `wait_for_rows`, kept on disk for these sources."""
    kept = njit(cache=True, nogil=True, error_model="numpy", no_cfunc_wrapper=True)

    @kept
    def run_moments(flat, n, stride, masked_at, code, numbers, of_row, keys, seed_high, seed_low, position, draws,
                    known, counts):  # fmt: skip
        _ = sources
        logits, programs = Logits(flat, n, stride, masked_at), Programs(code, numbers, of_row)
        noise = Keys(keys, seed_high, seed_low, position)
        return every_row(logits, programs, noise, draws, known, counts,
                         second=None, memory=None, room=None, filters=None)  # fmt: skip

    @kept
    def run_all(flat, n, stride, masked_at, code, numbers, of_row, keys, seed_high, seed_low, position, draws,
                known, counts, second, tables, slots, order, room, filters):  # fmt: skip
        _ = sources
        logits, programs = Logits(flat, n, stride, masked_at), Programs(code, numbers, of_row)
        noise = Keys(keys, seed_high, seed_low, position)
        values, positions, owners, generations = tables
        memory = Memory(values, positions, owners, generations, slots, order)
        return every_row(logits, programs, noise, draws, known, counts,
                         second=second, memory=memory, room=room, filters=filters)  # fmt: skip

    @kept
    def scale_rows(flat, n, stride, masked_at, temperature, counts, out):
        _ = sources
        every_scaled_row(Logits(flat, n, stride, masked_at), temperature, counts, out)
        return 0

    @kept
    def scale_in_place(rows, masked_at, temperature, counts):
        _ = sources
        every_row_in_place(rows, masked_at, temperature, counts)
        return 0

    @kept
    def wait_for_rows(done, rows):
        _ = sources
        return wait_until_done(done, rows)

    return run_moments, run_all, scale_rows, scale_in_place, wait_for_rows


run_moments, run_all, scale_rows, scale_in_place, wait_for_rows = _entry_points(digest(__name__))
