"""Programs of policies as tables on a device, and the stack machine that runs one of them for a row."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import torch
import triton
import triton.language as tl

from dyntemp.errors import PolicyError
from dyntemp.kernels.triton.blocks import MOMENTS, READY
from dyntemp.language.bounds import unbound
from dyntemp.language.nodes import Const, Parameter, Signal
from dyntemp.language.policy import Policy
from dyntemp.language.program import TAKES, Op, Program, Step, lower
from dyntemp.language.signals import SIGNALS
from dyntemp.language.state import SURPRISAL_CELL as CELL_OF_SURPRISAL

(
    NUMBER, PARAMETER, SIGNAL, SURPRISAL, NEGATE, ADD, SUBTRACT, MULTIPLY, DIVIDE, POWER, LESS, LESS_EQUAL, GREATER,
    GREATER_EQUAL, EXP, LOG, SQRT, ABS, TANH, SIGMOID, MIN, MAX, CLIP, LERP, WHERE, EMA, PREV, INTEGRAL,
) = (tl.constexpr(int(op)) for op in Op)  # fmt: skip

QUANTILE, MARGIN, TOP_MASS = map(tl.constexpr, range(8, 11))
"""Kinds of the columns that a selection fills."""


OP, OPERAND, TAKES_NUMBERS = map(tl.constexpr, range(3))
"""The columns of a step."""

FIRST, COUNT, SURPRISAL_CELL = map(tl.constexpr, range(3))
"""The columns of a span of steps: its first step, their number, and for a policy the cell of its surprisal or -1."""

READ = SURPRISAL_CELL
"""The same column of the span of a signal's target: whether the policy reads the signal."""

COLUMNS = tl.constexpr(3)
"""The number of columns of both."""


class Programs(NamedTuple):
    """Several policies in one table, and the columns of signals that they read; tensors are on the device.

    Attributes:
        steps: Every step of every program: what it does, its operand, how many numbers it takes; int32 [steps, 3].
        numbers: The constants and the parameters' values, float64.
        spans: For each policy its first step, their number and the cell of its surprisal or -1; then for each column
            the first step and the number of the signal's target, and whether the policy reads it;
            int32 [policies, 1 + columns, 3].
        kinds: What each column holds, int32 [columns].
        arguments: The number that the signal of each column takes, float64 [columns].
        selected: The columns that need a selection, int32.
        solved: The columns that need an equation solved, int32.
        depth: How many numbers the stack holds at most.
    """

    steps: Any
    numbers: Any
    spans: Any
    kinds: Any
    arguments: Any
    selected: Any
    solved: Any
    depth: int


@lru_cache(maxsize=256)
def packed(
    policies: tuple[Policy, ...],
    bound: tuple[tuple[tuple[str, float], ...], ...],
    also: tuple[Signal, ...],
    columns: tuple[Signal, ...],
    device: Any,
) -> Programs:
    """The tables of these policies, the same object for the same ones.

    Args:
        policies: Distinct policies; none where signals alone are wanted.
        bound: The values of each policy's parameters.
        also: Signals that count as read by every row.
        columns: The signal of each column, inner ones first.
        device: Where the tables are to lie.
    """
    table = _Table(columns)
    shared = [table.add(lower(signal), dict(pair for pairs in bound for pair in pairs)) for signal in also]
    targets = {signal: span for _, spans in shared for signal, span in spans.items()}
    spans = []
    for policy, values in zip(policies, bound, strict=True):
        main, own = table.add(policy.program, dict(values))
        surprisal = CELL_OF_SURPRISAL if policy.reads_surprisal else -1
        rows = [(*(own.get(signal) or targets.get(signal, (0, 0))), int(signal in own or signal in also))
                for signal in columns]  # fmt: skip
        spans.append([(*main, surprisal), *rows])
    if not policies:
        spans.append([(0, 0, -1), *((*targets[signal], 1) for signal in columns)])
    kinds = [_kind(signal).value for signal in columns]
    chosen = [at for at, signal in enumerate(columns) if SIGNALS[signal.name].source == "order"]
    solved = [at for at, signal in enumerate(columns) if SIGNALS[signal.name].source == "solve"]

    def whole(values: Any) -> Any:
        return torch.tensor(values, dtype=torch.int32).to(device)

    def real(values: list[float]) -> Any:
        return torch.tensor(values or [0.0], dtype=torch.float64).to(device)

    arguments = [_argument(signal) for signal in columns]
    return Programs(
        whole(table.steps or [(0, 0, 0)]), real(table.numbers), whole(spans), whole(kinds or [0]), real(arguments),
        whole(chosen), whole(solved), table.depth,
    )  # fmt: skip


class _Table:
    """Steps and numbers of several programs in a row, their operands counted across all."""

    def __init__(self, columns: tuple[Signal, ...]) -> None:
        self.columns = {signal: column for column, signal in enumerate(columns)}
        self.steps: list[tuple[int, int, int]] = []
        self.numbers: list[float] = []
        self.depth = 1

    def add(
        self, program: Program, values: Mapping[str, float]
    ) -> tuple[tuple[int, int], dict[Signal, tuple[int, int]]]:
        """The span of a program's steps, and that of the target of each signal it reads."""
        first = len(self.numbers)
        self.numbers.extend(program.numbers)
        for name in program.parameters:
            if name not in values:
                raise PolicyError(unbound(Parameter(name), Parameter(name)))
            self.numbers.append(values[name])
        self.depth = max(self.depth, program.depth)
        main = self._span(program, program.steps, first)
        targets = zip(program.signals, program.targets, strict=True)
        return main, {signal: self._span(program, steps, first) for signal, steps in targets}

    def _span(self, program: Program, steps: tuple[Step, ...], first: int) -> tuple[int, int]:
        start = len(self.steps)
        for op, operand in steps:
            match op:
                case Op.NUMBER:
                    row = (Op.NUMBER, first + operand)
                case Op.PARAMETER:
                    row = (Op.NUMBER, first + len(program.numbers) + operand)
                case Op.SIGNAL:
                    row = (op, self.columns[program.signals[operand]])
                case Op.SURPRISAL | Op.EMA | Op.PREV | Op.INTEGRAL:
                    row = (op, operand)
                case _:
                    row = (op, 0)
            self.steps.append((int(row[0]), row[1], TAKES[op]))
        return start, len(steps)


def _kind(signal: Signal) -> Any:
    selections = {"quantile": QUANTILE, "median_prob": QUANTILE, "margin": MARGIN, "top_mass": TOP_MASS}
    return {**MOMENTS, **selections}.get(signal.name, READY)


def _argument(signal: Signal) -> float:
    if signal.name == "median_prob":
        return 0.5
    return next((argument.value for argument in signal.arguments if isinstance(argument, Const)), 0.0)


@triton.jit
def at_index(vector, index, position):
    """The number of `vector` at `position`, whatever the others are."""
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
    """What `count` steps from `first` leave on the stack, in float64; then `after` with what they remember.

    `before` holds what each cell held at the position before, [CELLS], NaN where nothing is known. The third result
    is whether a cell was written, the fourth whether a position above 0 found one empty.
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
