"""The stack machine that runs the program of a policy for one row."""

from __future__ import annotations

from math import pi

import triton
import triton.language as tl

from dyntemp.language.program import Op

(
    NUMBER, PARAMETER, SIGNAL, SURPRISAL, NEGATE, ADD, SUBTRACT, MULTIPLY, DIVIDE, POWER, LESS, LESS_EQUAL, GREATER,
    GREATER_EQUAL, EXP, LOG, SQRT, ABS, HALFCOS, TANH, SIGMOID, MIN, MAX, CLIP, LERP, WHERE,
    EMA, PREV, INTEGRAL,
) = (tl.constexpr(int(op)) for op in Op)  # fmt: skip

QUARTER_TURN = tl.constexpr(pi / 2)

QUANTILE, MARGIN, TOP_MASS = map(tl.constexpr, range(8, 11))
"""Kinds of the columns that a selection fills."""


OP, OPERAND, TAKES_NUMBERS = map(tl.constexpr, range(3))
"""The columns of a step."""

FIRST, COUNT, SURPRISAL_CELL = map(tl.constexpr, range(3))
"""The columns of a span of steps: its first step, their number, and for a policy the cell of its surprisal or -1."""

READ = SURPRISAL_CELL
"""The column of the span of a target that is 1 where the policy reads the signal, else 0."""

COLUMNS = tl.constexpr(3)
"""The number of columns of both."""


@triton.jit
def at_index(vector, index, position):
    """The number of `vector` at `position`; the others may be NaN."""
    return tl.sum(tl.where(index == position, vector, 0.0), 0)


@triton.jit
def span_of(spans, policy, line, width):
    """The address of a span of a policy: line 0 holds its own steps, line 1 + column the target of a signal."""
    return spans + (policy * (width + 1) + line) * COLUMNS


@triton.jit
def evaluated(
    steps, first, count, numbers, values, before, after, position, SIGNALS: tl.constexpr, DEPTH: tl.constexpr,
    CELLS: tl.constexpr,
):  # fmt: skip
    """Run `count` steps from the step `first`.

    `before` holds the cells at the position before, [CELLS]; NaN where nothing is known.

    Returns:
        The result, float64; `after` with the cells that the steps write; 1 where a cell was written; and 1 where a
        position above 0 found an empty cell.
    """
    column, level, cell = tl.arange(0, SIGNALS), tl.arange(0, DEPTH), tl.arange(0, CELLS)
    stack = tl.zeros([DEPTH], tl.float64)
    held = 0
    wrote = 0
    lost = 0
    for step in range(first, first + count):
        op = tl.load(steps + COLUMNS * step + OP)
        operand = tl.load(steps + COLUMNS * step + OPERAND)
        held -= tl.load(steps + COLUMNS * step + TAKES_NUMBERS)
        if op == NUMBER:
            result = tl.load(numbers + operand)
        elif op == SIGNAL:
            result = at_index(values, column, operand)
        else:
            x = at_index(stack, level, held)
            y = at_index(stack, level, held + 1)
            if (op == SURPRISAL) | (op == EMA) | (op == PREV) | (op == INTEGRAL):
                old = at_index(before, cell, operand)
                unknown = old != old
                lost = tl.where(unknown & (position > 0), 1, lost)
                if op == INTEGRAL:
                    z = at_index(stack, level, held + 2)
                    result = tl.minimum(tl.maximum(tl.where(unknown, 0.0, old) + x, y), z)
                    keep = result
                elif op == EMA:
                    old = tl.where(unknown, x, old)
                    result = tl.minimum(tl.maximum(y * old + (1 - y) * x, tl.minimum(old, x)), tl.maximum(old, x))
                    keep = result
                else:
                    result = tl.where(unknown, x, old)
                    keep = x
                if op != SURPRISAL:
                    after = tl.where(cell == operand, keep, after)
                    wrote = 1
            elif op >= CLIP:
                result = of_three(op, x, y, at_index(stack, level, held + 2))
            elif (op >= EXP) & (op <= SIGMOID) | (op == NEGATE):
                result = of_one(op, x)
            else:
                result = of_two(op, x, y)
        stack = tl.where(level == held, result, stack)
        held += 1
    return at_index(stack, level, 0) + 0.0, after, wrote, lost


@triton.jit
def of_one(op, x):
    """The value of an operation on one number."""
    result = -x
    if op == EXP:
        result = tl.exp(x)
    elif op == LOG:
        result = tl.log(x)
    elif op == SQRT:
        result = tl.sqrt(x)
    elif op == ABS:
        result = tl.abs(x)
    elif op == HALFCOS:
        sine = tl.sin(tl.minimum(tl.maximum(x, 0.0), 1.0) * QUARTER_TURN)
        result = sine * sine
    elif op == TANH:
        result = tanh(x)
    elif op == SIGMOID:
        result = 1.0 / (1.0 + tl.exp(-x))
    return result


@triton.jit
def of_two(op, x, y):
    """The value of an operation on two numbers; a comparison gives 1 or 0."""
    result = x + y
    if op == SUBTRACT:
        result = x - y
    elif op == MULTIPLY:
        result = x * y
    elif op == DIVIDE:
        result = x / y
    elif op == POWER:
        result = power(x, y)
    elif op == LESS:
        result = tl.where(x < y, 1.0, 0.0).to(tl.float64)
    elif op == LESS_EQUAL:
        result = tl.where(x <= y, 1.0, 0.0).to(tl.float64)
    elif op == GREATER:
        result = tl.where(x > y, 1.0, 0.0).to(tl.float64)
    elif op == GREATER_EQUAL:
        result = tl.where(x >= y, 1.0, 0.0).to(tl.float64)
    elif op == MIN:
        result = tl.minimum(x, y)
    elif op == MAX:
        result = tl.maximum(x, y)
    return result


@triton.jit
def of_three(op, x, y, z):
    """The value of `clip`, `lerp` or `where`."""
    result = x
    if op == CLIP:
        result = tl.minimum(tl.maximum(x, y), z)
    elif op == LERP:
        result = x + (y - x) * z
    elif op == WHERE:
        result = tl.where(x > 0, y, z)
    return result


@triton.jit
def power(x, y):
    """x**y on the extended reals, as NumPy has it."""
    size = tl.exp(y * tl.log(tl.abs(x)))
    size = tl.where((y == 0) | (tl.abs(x) == 1), 1.0, size)
    whole = tl.floor(y) == y
    odd = whole & (2 * tl.floor(y / 2) != y)
    return tl.where(x < 0, tl.where(odd, -size, tl.where(whole, size, float("nan"))), size)


@triton.jit
def tanh(x):
    """By its series near 0, where the quotient would lose digits."""
    e = tl.exp(-2 * tl.abs(x))
    size = (1 - e) / (1 + e)
    square = x * x
    near = x * (1 - square / 3 * (1 - square * 0.4 * (1 - square * 17 / 42)))
    return tl.where(tl.abs(x) < 0.01, near, tl.where(x < 0, -size, size))
