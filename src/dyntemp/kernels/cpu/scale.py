"""Rows divided by their temperatures."""

from __future__ import annotations

import numpy as np
from numba import types
from numba.extending import overload

from dyntemp.distribution.filters import GREEDY_AT
from dyntemp.kernels.cpu.arguments import DONE
from dyntemp.kernels.cpu.blocks import block_top
from dyntemp.kernels.cpu.turns import hand_in, next_turn
from dyntemp.kernels.cpu.vectors import larger, load, plain, type_of, vector, wide_vectors


def quotient(x, temperature, reciprocal):
    """x/T in float64: for float32 by the reciprocal, whose last digit is lost in rounding; overloaded."""
    return x / temperature


@overload(quotient, inline="always")
def _quotient(x, temperature, reciprocal):
    if x == types.float32:
        return lambda x, temperature, reciprocal: np.float64(x) * reciprocal
    return lambda x, temperature, reciprocal: x / temperature


@plain
def every_scaled_row(logits, temperature, counts, out):
    """Each row divided by its temperature into `out`, [rows, n], in the type to compute in; masked entries at -inf.

    A temperature of NaN leaves a row as it is. `counts`, int64 [2, 1], counts the rows that threads have taken, and
    those that are done.
    """
    own = 0
    for _ in range(len(temperature)):
        r = next_turn(counts)
        if r >= len(temperature):
            break
        own += 1
        row = logits.flat[r * logits.stride : r * logits.stride + logits.n]
        scale_row(row, logits.masked_at, temperature[r], out[r])
    hand_in(counts[DONE], own, 0)


@plain
def every_row_in_place(rows, masked_at, temperature, counts):
    """`every_scaled_row` in place, for rows, [rows, n], of the type to compute in."""
    own = 0
    for _ in range(len(temperature)):
        r = next_turn(counts)
        if r >= len(temperature):
            break
        own += 1
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
    hand_in(counts[DONE], own, 0)


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
    """Write (x - shift)/T of a row into `out`, and return True where all of it is within the type."""
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
    """Write (x - shift)/T of a row over the row."""
    wide_vectors()
    reciprocal = 1.0 / temperature
    for i in range(len(row)):
        x = row[i]
        value = quotient(x, temperature, reciprocal) if shift == 0.0 else (np.float64(x) - shift) / temperature
        row[i] = type_of(masked_at, value) if x > masked_at else type_of(masked_at, -np.inf)
