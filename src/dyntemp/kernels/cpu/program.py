"""The interpreter of a lowered policy, and the memory of policies that remember."""

from __future__ import annotations

import math

import numpy as np

from dyntemp.kernels.cpu.arguments import OP, OPERAND
from dyntemp.kernels.cpu.vectors import plain
from dyntemp.language.program import Op


@plain
def remembered(cells, cell):
    """The number in a cell at the position before; NaN where none was written for this request."""
    values, positions, owners, generations, _, _ = cells.memory
    slot, before = cells.slot, cells.position - 1
    at = before % values.shape[1]
    if before >= 0 and positions[slot, at] == before and owners[slot, at] == generations[slot]:
        return values[slot, at, cell]
    return np.nan


@plain
def remember(cells, cell, value):
    """Write a cell at a position; the other cells there become unknown if they are of another position or request."""
    values, positions, owners, generations, _, _ = cells.memory
    slot, position = cells.slot, cells.position
    at = position % values.shape[1]
    if positions[slot, at] != position or owners[slot, at] != generations[slot]:
        for other in range(values.shape[2]):
            values[slot, at, other] = np.nan
        positions[slot, at] = position
        owners[slot, at] = generations[slot]
    values[slot, at, cell] = value


@plain
def execute(programs, start, stop, signals, stack, cells):
    """Run the steps of a program for one row.

    Args:
        programs: `Programs`.
        start: The first line of the steps.
        stop: The line after the last.
        signals: The column of `known` of the row.
        stack: Space, float64 [depth].
        cells: `Cells`; None for the target of a signal.

    Returns:
        The result, and whether the memory of an earlier position is missing.
    """
    code, numbers = programs.code, programs.numbers
    held = 0
    lost = False
    for step in range(start, stop):
        op, operand = code[step, OP], code[step, OPERAND]
        if op == Op.NUMBER:
            stack[held] = numbers[operand]
            held += 1
            continue
        if op == Op.SIGNAL:
            stack[held] = signals[operand]
            held += 1
            continue
        x = stack[held - 1]
        if op == Op.NEGATE or Op.EXP <= op <= Op.SIGMOID:
            if op == Op.NEGATE:
                x = -x
            elif op == Op.EXP:
                x = math.exp(x)
            elif op == Op.LOG:
                x = math.log(x)
            elif op == Op.SQRT:
                x = math.sqrt(x)
            elif op == Op.ABS:
                x = abs(x)
            elif op == Op.HALFCOS:
                x = math.sin(math.pi / 2 * min(max(x, 0.0), 1.0)) ** 2
            elif op == Op.TANH:
                x = math.tanh(x)
            else:
                x = 1.0 / (1.0 + math.exp(-x)) if x > -700.0 else math.exp(x)
            stack[held - 1] = x
            continue
        if Op.ADD <= op <= Op.GREATER_EQUAL or op == Op.MIN or op == Op.MAX:
            held -= 1
            y, x = x, stack[held - 1]
            if op == Op.ADD:
                x += y
            elif op == Op.SUBTRACT:
                x -= y
            elif op == Op.MULTIPLY:
                x *= y
            elif op == Op.DIVIDE:
                x /= y + 0.0  # a zero below the line is +0.0: 1/0 is +inf
            elif op == Op.POWER:
                x = math.pow(x + 0.0, y)
            elif op == Op.LESS:
                x = 1.0 if x < y else 0.0
            elif op == Op.LESS_EQUAL:
                x = 1.0 if x <= y else 0.0
            elif op == Op.GREATER:
                x = 1.0 if x > y else 0.0
            elif op == Op.GREATER_EQUAL:
                x = 1.0 if x >= y else 0.0
            elif op == Op.MIN:
                x = min(x, y)
            else:
                x = max(x, y)
            stack[held - 1] = x
            continue
        if op == Op.CLIP or op == Op.LERP or op == Op.WHERE:
            held -= 2
            z, y, x = x, stack[held], stack[held - 1]
            if op == Op.CLIP:
                x = min(max(x, y), z)
            elif op == Op.LERP:
                x += (y - x) * z
            else:
                x = y if x != 0.0 else z
            stack[held - 1] = x
            continue
        if cells is not None:
            old = remembered(cells, operand)
            unknown = old != old
            lost |= unknown and cells.position > 0
            if op == Op.SURPRISAL:
                x = x if unknown else old
            elif op == Op.PREV:
                remember(cells, operand, x)
                x = x if unknown else old
            elif op == Op.EMA:
                held -= 1
                decay, x = x, stack[held - 1]
                old = x if unknown else old
                # between the two, which rounding alone could leave
                x = min(max(decay * old + (1.0 - decay) * x, min(old, x)), max(old, x))
                remember(cells, operand, x)
            elif op == Op.INTEGRAL:
                held -= 2
                high, low, x = x, stack[held], stack[held - 1]
                x = min(max((0.0 if unknown else old) + x, low), high)
                remember(cells, operand, x)
            stack[held - 1] = x
    return stack[0] + 0.0, lost
