"""The entry points of the compiled half: from rows of logits to tokens, and to scaled rows.

There are two ways through the rows for each dtype, each compiled once: `run_moments` for what sums of one read tell,
and `run_all`, with memory, second moments, selection and filters. The first passes None for these, and the compiler
leaves their code out.

Numba keeps compiled code on disk and compiles anew when the file of an entry point has changed, but does not look at
the files that it calls. The entry points are therefore made by a function of the digest of all of them: what a
closure holds is part of the name under which its code is kept.
"""

from __future__ import annotations

import numpy as np
from numba import njit, types
from numba.extending import overload

from dyntemp.distribution.filters import GREEDY_AT
from dyntemp.kernels.blocks import BLOCK
from dyntemp.kernels.cpu.blocks import block_top, read_row
from dyntemp.kernels.cpu.draw import draw
from dyntemp.kernels.cpu.filters import truncate
from dyntemp.kernels.cpu.program import execute, remember
from dyntemp.kernels.cpu.signals import ORDERED, SOLVED, moment_signal, order_signal, solve_entropy
from dyntemp.kernels.cpu.sources import digest
from dyntemp.kernels.cpu.vectors import larger, load, plain, space_of, type_of, vector, wide_vectors
from dyntemp.language.signals import MAX_SURPRISAL

FIELDS = TEMPERATURE, HIGHEST, CUT = range(3)
"""The first rows of `known`; then come the signals."""

COUNTS = TOKEN, CANDIDATES, LAST, LOST = range(4)
"""The rows of `counts`."""


@plain
def every_row(flat, n, stride, masked_at, code, numbers, which, keys, seed_high, seed_low, position, draws, second,
              memory, room, settings, known, counts):  # fmt: skip
    """Measure, decide, filter, draw and remember, for every row.

    Args:
        flat: The memory that the rows lie in, as one array.
        n: How many entries a row has.
        stride: Where row r begins, over r.
        masked_at: Entries at or below this are masked; in the type to compute in.
        code: What to do, [lines, 5], as `cpu.pack` writes it.
        numbers: The constants and parameters of the programs.
        which: The program of each row, [rows]; empty if all have the first.
        keys: int64 [rows, 4]: the seed's upper and lower 32 bits, request and position; empty if the next three hold
            for all rows, and requests are the rows' numbers.
        seed_high: The upper half of the seed of all rows.
        seed_low: The lower half.
        position: The position of all rows.
        draws: Whether a token is wanted: 1 or 0.
        second: None; or whether second moments are wanted.
        memory: None; or the tables of the state, the slot of each row, and the order in which rows are done, which is
            empty where there is no state.
        room: None; or space, [3, n + 16], which selection, solving and filters need, and which is empty without them.
        settings: Whether anything is filtered, top_k, top_p, min_p, and whether they are read after the temperature;
            not looked at where room is None.
        known: float64 [3 + signals, rows]: what the caller gives is read, all else is written. `HIGHEST` is NaN or
            infinite for a broken row, of which nothing else is set.
        counts: int64 [4, rows], written.

    Returns:
        How many rows are broken, or lie so high that differences of logits overflow and the draw does not count.
    """
    unusual = 0
    rows = known.shape[1]
    blocks = (n + BLOCK - 1) // BLOCK
    groups = BLOCK // 64
    wide, narrow = np.empty(2 * blocks + groups + 6 + code[0, 1]), space_of(masked_at, blocks + BLOCK)
    totals, bounds, sums = wide[:blocks], wide[blocks : 2 * blocks], wide[2 * blocks : 2 * blocks + groups]
    moments, stack = wide[2 * blocks + groups : 2 * blocks + groups + 6], wide[2 * blocks + groups + 6 :]
    tops, scratch = narrow[:blocks], (bounds, sums, narrow[blocks:])
    for turn in range(rows):
        r = turn
        if memory is not None and len(memory[2]):
            r = memory[2][turn]
        seed = (np.uint64(seed_high) << np.uint64(32)) | np.uint64(seed_low)
        request, at = np.int64(r), np.int64(position)
        if len(keys):
            seed = (np.uint64(keys[r, 0]) << np.uint64(32)) | np.uint64(keys[r, 1])
            request, at = keys[r, 2], keys[r, 3]
        row = flat[r * stride : r * stride + n]
        if second is not None and second:  # about the mean of the first block
            read_row(row[:BLOCK], masked_at, None, tops[:1], totals[:1], moments)
            mean = moments[0] + moments[1] - moments[2] if np.isfinite(moments[0]) else 0.0
            read_row(row, masked_at, mean, tops, totals, moments)
        else:
            read_row(row, masked_at, None, tops, totals, moments)
        known[HIGHEST, r] = moments[0]
        unusual += not -np.inf < moments[0] < -masked_at
        if not np.isfinite(moments[0]):
            continue
        top = type_of(masked_at, moments[0])
        program = code[1 + (which[r] if len(which) else 0)]
        for line in range(program[2], program[3]):
            into, kind, argument, start, stop = code[line]
            if room is not None:
                if kind == SOLVED:
                    target, _ = execute(code, start, stop, numbers, known, r, stack, None, at)
                    known[into, r] = solve_entropy(row, target, masked_at, tops, moments)
                    continue
                if kind in ORDERED:
                    known[into, r] = order_signal(kind, numbers[argument], row, masked_at, tops, moments, room)
                    continue
            known[into, r] = moment_signal(kind, moments)
        counts[CANDIDATES, r] = np.int64(moments[5])
        if program[0] == program[1]:
            continue
        temperature, lost = execute(code, program[0], program[1], numbers, known, r, stack, memory, at)
        known[TEMPERATURE, r], counts[LOST, r] = temperature, lost
        if not draws:
            continue
        cut, last = masked_at, np.int64(-1)
        known[CUT, r], counts[LAST, r] = -np.inf, n - 1
        if room is not None and settings[0]:
            cut, last, left = truncate(row, masked_at, tops, totals, moments, temperature, settings, room)
            if left < counts[CANDIDATES, r]:
                counts[CANDIDATES, r], known[CUT, r], counts[LAST, r] = left, cut, last
        token = draw(row, tops, totals, top, temperature, cut, last, (seed, request, at), scratch)
        counts[TOKEN, r] = token
        if memory is not None and len(memory[2]) and program[4] >= 0:
            surprisal = moments[1] + (moments[0] - np.float64(load(row[token])))
            remember(memory[0], program[4], memory[1][r], at, min(max(surprisal, 0.0), MAX_SURPRISAL))
    return unusual


def quotient(x, temperature, reciprocal):
    """x/T in float64: for float32 by the reciprocal, whose last digit is lost in rounding; overloaded."""
    return x / temperature


@overload(quotient, inline="always")
def _quotient(x, temperature, reciprocal):
    if x == types.float32:
        return lambda x, temperature, reciprocal: np.float64(x) * reciprocal
    return lambda x, temperature, reciprocal: x / temperature


@plain
def every_scaled_row(flat, n, stride, masked_at, temperature, out):
    """Each row divided by its temperature into `out`, [rows, n], in the type to compute in; masked entries at -inf.

    A temperature of NaN leaves a row as it is.
    """
    for r in range(len(temperature)):
        scale_row(flat[r * stride : r * stride + n], masked_at, temperature[r], out[r])


@plain
def every_row_in_place(rows, masked_at, temperature):
    """The same for rows, [rows, n], of the type to compute in, where they lie."""
    for r in range(len(temperature)):
        row, t = rows[r], temperature[r]
        if t > GREEDY_AT and t < np.inf:
            beyond = t < 1.0 and quotient(farthest(row, masked_at), t, 1.0 / t) > -2.0 * np.float64(masked_at)
            divide_in_place(row, masked_at, np.float64(block_top(row)) if beyond else 0.0, t)
        elif t == np.inf:
            for i in range(len(row)):
                row[i] = type_of(masked_at, 0.0 if row[i] > masked_at else -np.inf)
        elif t <= GREEDY_AT:
            top, likeliest = block_top(row), 0
            while likeliest < len(row) - 1 and row[likeliest] != top:  # a broken row has no largest
                likeliest += 1
            row[:] = type_of(masked_at, -np.inf)
            row[likeliest] = type_of(masked_at, 0.0)


@plain
def scale_row(row, masked_at, temperature, out):
    """One row divided by its temperature."""
    if temperature > GREEDY_AT and temperature < np.inf:
        if not divide_row(row, masked_at, 0.0, temperature, out):  # beyond the type
            divide_row(row, masked_at, np.float64(block_top(row)), temperature, out)
        return
    for i in range(len(row)):
        x = load(row[i])
        if temperature == temperature:
            out[i] = type_of(masked_at, 0.0 if temperature == np.inf and x > masked_at else -np.inf)
        else:
            out[i] = type_of(masked_at, x)
    if temperature <= GREEDY_AT:
        top = block_top(row)
        for i in range(len(row)):
            if load(row[i]) == top:
                out[i] = 0.0
                break


@vector
def divide_row(row, masked_at, shift, temperature, out):
    """(x - shift)/T of a row into `out`; whether all of it is within the type."""
    wide_vectors()
    limit = -2.0 * np.float64(masked_at)
    reciprocal = 1.0 / temperature
    outside = np.int32(0)
    for i in range(len(row)):
        x = load(row[i])
        value = quotient(x, temperature, reciprocal) if shift == 0.0 else (np.float64(x) - shift) / temperature
        outside += np.int32(1) if (x > masked_at) & (abs(value) > limit) else np.int32(0)
        out[i] = type_of(masked_at, value) if x > masked_at else type_of(masked_at, -np.inf)
    return outside == 0


@vector
def farthest(row, masked_at):
    """The largest distance of an unmasked entry from 0."""
    wide_vectors()
    most = type_of(masked_at, 0.0)
    for i in range(len(row)):
        most = larger(most, abs(row[i]) if row[i] > masked_at else type_of(masked_at, 0.0))
    return most


@vector
def divide_in_place(row, masked_at, shift, temperature):
    """(x - shift)/T of a row, over it."""
    wide_vectors()
    reciprocal = 1.0 / temperature
    for i in range(len(row)):
        x = row[i]
        value = quotient(x, temperature, reciprocal) if shift == 0.0 else (np.float64(x) - shift) / temperature
        row[i] = type_of(masked_at, value) if x > masked_at else type_of(masked_at, -np.inf)


def _entry_points(sources: str):
    """`run_moments`, `run_all`, `scale_rows` and `scale_in_place`, kept on disk for these sources."""
    kept = njit(cache=True, nogil=True, error_model="numpy", no_cfunc_wrapper=True)

    @kept
    def run_moments(flat, n, stride, masked_at, code, numbers, which, keys, seed_high, seed_low, position, draws,
                    known, counts):  # fmt: skip
        _ = sources
        return every_row(flat, n, stride, masked_at, code, numbers, which, keys, seed_high, seed_low, position, draws,
                         None, None, None, None, known, counts)  # fmt: skip

    @kept
    def run_all(flat, n, stride, masked_at, code, numbers, which, keys, seed_high, seed_low, position, draws,
                second, memory, room, settings, known, counts):  # fmt: skip
        _ = sources
        return every_row(flat, n, stride, masked_at, code, numbers, which, keys, seed_high, seed_low, position, draws,
                         second, memory, room, settings, known, counts)  # fmt: skip

    @kept
    def scale_rows(flat, n, stride, masked_at, temperature, out):
        _ = sources
        every_scaled_row(flat, n, stride, masked_at, temperature, out)

    @kept
    def scale_in_place(rows, masked_at, temperature):
        _ = sources
        every_row_in_place(rows, masked_at, temperature)

    return run_moments, run_all, scale_rows, scale_in_place


run_moments, run_all, scale_rows, scale_in_place = _entry_points(digest(__name__))
