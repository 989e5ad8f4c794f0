"""Programs of policies as tables on a device."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import torch

from dyntemp.errors import PolicyError
from dyntemp.kernels.triton.blocks import MOMENTS, READY
from dyntemp.kernels.triton.program import MARGIN, QUANTILE, TOP_MASS
from dyntemp.language.bounds import unbound
from dyntemp.language.nodes import Const, Parameter, Signal
from dyntemp.language.policy import Policy
from dyntemp.language.program import TAKES, Op, Program, Step, lower
from dyntemp.language.signals import SIGNALS
from dyntemp.language.state import SURPRISAL_CELL


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
        surprisal = SURPRISAL_CELL if policy.reads_surprisal else -1
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
