"""Expression -> a postfix program of a few numbered steps, which compiled kernels interpret row by row.

A new policy therefore needs no compilation, and every row of a batch may carry its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum, auto
from typing import Any, NamedTuple

from dyntemp.language.nodes import Binary, Call, Comparison, Const, Expression, Negate, Node, Parameter, Signal
from dyntemp.language.rewriting import rebuild
from dyntemp.language.signals import cells_of, signals_of


class Op(IntEnum):
    """The operation of a step on the stack. Functions have the names of the language."""

    NUMBER = 0
    PARAMETER = auto()
    SIGNAL = auto()
    SURPRISAL = auto()
    NEGATE = auto()
    ADD = auto()
    SUBTRACT = auto()
    MULTIPLY = auto()
    DIVIDE = auto()
    POWER = auto()
    LESS = auto()
    LESS_EQUAL = auto()
    GREATER = auto()
    GREATER_EQUAL = auto()
    EXP = auto()
    LOG = auto()
    SQRT = auto()
    ABS = auto()
    HALFCOS = auto()
    TANH = auto()
    SIGMOID = auto()
    MIN = auto()
    MAX = auto()
    CLIP = auto()
    LERP = auto()
    WHERE = auto()
    EMA = auto()
    PREV = auto()
    INTEGRAL = auto()


ENTROPY = Signal("entropy")

SYMBOLS = {
    "+": Op.ADD, "-": Op.SUBTRACT, "*": Op.MULTIPLY, "/": Op.DIVIDE, "**": Op.POWER,
    "<": Op.LESS, "<=": Op.LESS_EQUAL, ">": Op.GREATER, ">=": Op.GREATER_EQUAL,
}  # fmt: skip


class Step(NamedTuple):
    """One step of a program.

    Attributes:
        op: What it does.
        operand: The index of its number, parameter, signal or cell of memory; 0 where it takes all from the stack.
    """

    op: Op
    operand: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """A policy as the kernels run it, float64 throughout.

    Steps take their arguments from a stack and leave their result there. `min` and `max` take two; a comparison
    leaves 1 or 0, and `where` takes such a number, x and y; `ema`, `prev` and `integral` read the cell `operand` at
    the position before and write it; `surprisal` takes what to start with from the stack and reads its cell.

    Attributes:
        steps: From the signals to the temperature.
        signals: What has to be known first, inner ones before those that contain them.
        targets: For each signal the steps of its argument where it has one that is computed
            (`temperature_for_entropy`), else none.
        numbers: The constants.
        parameters: The names of free parameters.
        cells: The nodes that keep a number from one position to the next; `surprisal` is always the first of them.
        depth: How many numbers the stack holds at most.
    """

    steps: tuple[Step, ...]
    signals: tuple[Signal, ...]
    targets: tuple[tuple[Step, ...], ...]
    numbers: tuple[float, ...]
    parameters: tuple[str, ...]
    cells: tuple[Node, ...]
    depth: int


def simplified(expression: Expression) -> Expression:
    """`expression` with `entropy` in place of `log(perplexity)`, which has the same value."""

    def change(node: Expression) -> Expression | None:
        return ENTROPY if node == Call("log", (Signal("perplexity"),)) else None

    result: Expression = rebuild(expression, change)
    return result


def read_by(expression: Expression) -> tuple[Signal, ...]:
    """The signals that have to be known to compute `expression`, inner ones first."""
    found = signals_of(expression)
    if any(signal.name == "surprisal" for signal in found) and ENTROPY not in found:
        found.insert(0, ENTROPY)  # surprisal starts at the row's entropy
    return tuple(found)


def lower(expression: Expression) -> Program:
    """The program of an expression that `simplified` returned.

    >>> from dyntemp.language.parse import parse
    >>> [f"{step.op.name} {step.operand}" for step in lower(parse("0.1 + 0.8*entropy")).steps]
    ['NUMBER 0', 'NUMBER 1', 'SIGNAL 0', 'MULTIPLY 0', 'ADD 0']
    """
    tables = _Tables(
        tuple(signal for signal in read_by(expression) if signal.name != "surprisal"),
        cells_of(expression),
        {},
        {},
    )
    steps = tuple(tables.steps(expression))
    targets = tuple(
        tuple(tables.steps(signal.arguments[0])) if signal.name == "temperature_for_entropy" else ()  # type: ignore[arg-type]
        for signal in tables.signals
    )
    depth = max(_depth(part) for part in (steps, *targets))
    return Program(steps, tables.signals, targets, tuple(tables.numbers), tuple(tables.parameters), tables.cells, depth)


@dataclass(slots=True)
class _Tables:
    """Indices of constants, parameters, signals and cells, which the operands of steps refer to."""

    signals: tuple[Signal, ...]
    cells: tuple[Node, ...]
    numbers: dict[float, int]
    parameters: dict[str, int]

    def steps(self, node: Node) -> Iterator[Step]:
        """`node` after its arguments."""
        match node:
            case Const(value):
                yield Step(Op.NUMBER, self.numbers.setdefault(value, len(self.numbers)))
            case Parameter(name):
                yield Step(Op.PARAMETER, self.parameters.setdefault(name, len(self.parameters)))
            case Signal("surprisal"):
                yield Step(Op.SIGNAL, self.signals.index(ENTROPY))
                yield Step(Op.SURPRISAL, self.cells.index(node))
            case Signal():
                yield Step(Op.SIGNAL, self.signals.index(node))
            case Negate(operand):
                yield from self.steps(operand)
                yield Step(Op.NEGATE)
            case Binary(symbol, left, right) | Comparison(symbol, left, right):
                yield from self.steps(left)
                yield from self.steps(right)
                yield Step(SYMBOLS[symbol])
            case Call("min" | "max" as function, (first, *others)):
                yield from self.steps(first)
                for other in others:
                    yield from self.steps(other)
                    yield Step(Op[function.upper()])
            case Call(function, arguments):
                for argument in arguments:
                    yield from self.steps(argument)
                yield Step(Op[function.upper()], self.cells.index(node) if node in self.cells else 0)
            case _:
                raise TypeError(f"no steps for {type(node).__name__}")


TAKES: dict[Op, int] = {
    **dict.fromkeys((Op.NUMBER, Op.PARAMETER, Op.SIGNAL), 0),
    **dict.fromkeys((Op.SURPRISAL, Op.NEGATE, Op.PREV), 1),
    **dict.fromkeys((Op.EXP, Op.LOG, Op.SQRT, Op.ABS, Op.HALFCOS, Op.TANH, Op.SIGMOID), 1),
    **dict.fromkeys((*SYMBOLS.values(), Op.MIN, Op.MAX, Op.EMA), 2),
    **dict.fromkeys((Op.CLIP, Op.LERP, Op.WHERE, Op.INTEGRAL), 3),
}
"""How many numbers a step takes from the stack; each leaves one."""


def _depth(steps: tuple[Step, ...]) -> int:
    held = most = 0
    for step in steps:
        held += 1 - TAKES[step.op]
        most = max(most, held)
    return most


def run(steps: tuple[Step, ...], compute: Callable[..., Any]) -> Any:
    """The result of `steps`: for backends that compute each step for all rows at once.

    Args:
        steps: `Program.steps`, or one of its targets.
        compute: `compute(step, *arguments)` gives the value of one step, its arguments oldest first.
    """
    stack: list[Any] = []
    for step in steps:
        first = len(stack) - TAKES[step.op]
        arguments = stack[first:]
        del stack[first:]
        stack.append(compute(step, *arguments))
    (result,) = stack
    return result
