"""Programs of policies as the arrays that the compiled code reads."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from dyntemp.kernels.cpu.arguments import KNOWN
from dyntemp.kernels.cpu.signals import KINDS, ORDERED, SOLVED
from dyntemp.kernels.job import UNNAMED
from dyntemp.language.nodes import Const, Signal
from dyntemp.language.program import Op, Program, Step, lower
from dyntemp.language.state import SURPRISAL_CELL


@dataclass(frozen=True, slots=True, eq=False)
class Packed:
    """Programs as the compiled code reads them; `arguments` names the columns of `code`.

    Attributes:
        code: int64 [lines, 5]. The first line: 0 and the depth of the stack. One line per program: its steps and the
            signals to measure as ranges of lines, and the cell of `surprisal` or -1. One per signal to measure: the
            row of `known` it goes to, its kind, its argument among the numbers, and the steps of its target as a
            range. One per step: what it does, and its operand.
        numbers: The constants; a policy's parameters follow them at run time.
        parameters: The names of the parameters, in order.
        names: The text of each signal; its row in `known` is its place here plus `len(KNOWN)`.
        given: The text of each signal that the caller gives.
        shown: (row of `known`, text) of each signal that a result names.
        read: For each program, the texts of the signals that it reads.
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
"""The program of a job without a policy."""


@lru_cache(maxsize=1024)
def pack(programs: tuple[Program, ...], also: tuple[Signal, ...]) -> Packed:
    """The programs, and signals to measure in every row, as the compiled code reads them.

    Args:
        programs: Programs, none twice.
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
                    line = (Op.SIGNAL, len(KNOWN) + signals.index(program.signals[number]))
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
            measures.append((len(KNOWN) + signals.index(signal), KINDS[signal.name], argument, *target))
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
        tuple((at, name) for at, name in enumerate(map(str, signals), len(KNOWN)) if name not in UNNAMED),
        tuple(frozenset(map(str, one)) for one in read),
        bool(kinds & {KINDS["collision"], KINDS["varentropy"]}),
        bool(kinds & {*ORDERED, SOLVED}),
    )
