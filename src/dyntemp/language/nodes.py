"""The nodes that a policy is made of, and Python's operators on them.

The grammar is closed (seven kinds of node); what grows is the vocabulary (`functions`, `signals`) and the
operations, each in a module of its own: `parse`, `rewriting`, `bounds`, `direction`, `evaluate`, `program`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from numbers import Real
from typing import Any, NoReturn

import numpy as np

from dyntemp.errors import PolicyError
from dyntemp.language.operators import NEGATION_PRECEDENCE, OPERATORS

MAX_DEPTH = 100
"""Levels of operations in one expression. The limit lets every walk over a policy recurse."""

MAX_SIZE = 1_000
"""Nodes in one expression; a repeated node counts each time. The limit bounds the time of every operation."""

ATOM = 5
"""The precedence of numbers, names and calls, which never need parentheses."""


class Node:
    """A part of a policy: frozen and hashable. Nodes of the same structure are equal."""

    __slots__ = ("depth", "size")
    __array_ufunc__ = None  # NumPy arrays and scalars hand `array * entropy` to us instead of making object arrays

    depth: int
    size: int

    def __post_init__(self) -> None:
        below = list(children(self))
        depth = 1 + max((child.depth for child in below), default=0)
        size = 1 + sum(child.size for child in below)
        if depth > MAX_DEPTH or size > MAX_SIZE:
            raise PolicyError(
                f"this expression has {size} parts nested {depth} deep; at most {MAX_SIZE} parts and a depth of "
                f"{MAX_DEPTH} are allowed: write it with fewer operations"
            )
        object.__setattr__(self, "depth", depth)
        object.__setattr__(self, "size", size)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), tuple(getattr(self, part.name) for part in fields(self))  # type: ignore[arg-type]

    def __bool__(self) -> bool:
        raise PolicyError(
            f"`{self}` has no truth value until there is a row of logits. Write `where(entropy < 1, x, y)` for "
            "a choice, dyntemp.functions.min and max for Python's own min and max, and nested where(...) for "
            "and, or, not and chains such as 0 < x < 1"
        )

    def __str__(self) -> str:
        return to_text(self)


class Expression(Node):
    """A node that has a number as its value: operators apply to it.

    >>> from dyntemp.signals import entropy
    >>> str(0.1 + 0.8 * entropy)
    '0.1 + 0.8*entropy'
    """

    __slots__ = ()

    def __add__(self, other: object) -> Expression:
        return binary("+", self, lift(other))

    def __radd__(self, other: object) -> Expression:
        return binary("+", lift(other), self)

    def __sub__(self, other: object) -> Expression:
        return binary("-", self, lift(other))

    def __rsub__(self, other: object) -> Expression:
        return binary("-", lift(other), self)

    def __mul__(self, other: object) -> Expression:
        return binary("*", self, lift(other))

    def __rmul__(self, other: object) -> Expression:
        return binary("*", lift(other), self)

    def __truediv__(self, other: object) -> Expression:
        return binary("/", self, lift(other))

    def __rtruediv__(self, other: object) -> Expression:
        return binary("/", lift(other), self)

    def __pow__(self, other: object) -> Expression:
        return binary("**", self, lift(other))

    def __rpow__(self, other: object) -> Expression:
        return binary("**", lift(other), self)

    def __neg__(self) -> Expression:
        return negate(self)

    def __pos__(self) -> Expression:
        return self

    def __abs__(self) -> Expression:
        return Call("abs", (self,))

    def __lt__(self, other: object) -> Comparison:
        return Comparison("<", self, lift(other))

    def __le__(self, other: object) -> Comparison:
        return Comparison("<=", self, lift(other))

    def __gt__(self, other: object) -> Comparison:
        return Comparison(">", self, lift(other))

    def __ge__(self, other: object) -> Comparison:
        return Comparison(">=", self, lift(other))

    def __xor__(self, other: object) -> NoReturn:
        raise PolicyError("`^` is not a power in Python: write `**`")

    __rxor__ = __xor__


@dataclass(frozen=True, slots=True)
class Const(Expression):
    """A number: `Const(0.8)`. Finite; -0.0 is kept as 0.0, so that equal numbers print the same."""

    value: float

    def __post_init__(self) -> None:
        value = float(self.value)
        if not np.isfinite(value):
            raise PolicyError(f"the number {value} was given; a policy is written with finite numbers")
        object.__setattr__(self, "value", value + 0.0)
        Node.__post_init__(self)

    def __abs__(self) -> Const:
        return Const(abs(self.value))


@dataclass(frozen=True, slots=True)
class Parameter(Expression):
    """A free name, bound by hand, by tuning or by learning: `Parameter("a", 0.1, 2.0)`.

    Make one with `param`, which checks it.
    """

    name: str
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Signal(Expression):
    """A measure of the model's confidence: `Signal("quantile", (Const(0.5),))`. `dyntemp.signals` makes them."""

    name: str
    arguments: tuple[Expression | str, ...] = ()


@dataclass(frozen=True, slots=True)
class Negate(Expression):
    """`-x` of something that is not a number; a number's sign is part of `Const`."""

    operand: Expression


@dataclass(frozen=True, slots=True)
class Binary(Expression):
    """One of `+ - * / **` between two expressions."""

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Call(Expression):
    """A function of the table in `dyntemp.functions`: `Call("exp", (entropy,))`."""

    function: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Comparison(Node):
    """One of `< <= > >=`: the first argument of `where`, and nothing else."""

    operator: str
    left: Expression
    right: Expression


def to_text(node: Node) -> str:
    """The one-line text of `node`, with no more parentheses than it needs.

    >>> from dyntemp.signals import entropy
    >>> to_text((0.1 + entropy) * 2)
    '(0.1 + entropy)*2'
    """
    return _text(node)[0]


def _text(node: Node) -> tuple[str, int]:
    """The text of `node` and how tightly its outermost operation binds."""
    match node:
        case Const(value):
            return number(value), NEGATION_PRECEDENCE if value < 0 else ATOM
        case Parameter(name, low, high):
            if low is None or high is None:
                return name, ATOM
            return f'param("{name}", {number(low)}, {number(high)})', ATOM
        case Signal(name, arguments):
            inside = ", ".join(f'"{a}"' if isinstance(a, str) else to_text(a) for a in arguments)
            return (f"{name}({inside})" if arguments else name), ATOM
        case Call(function, arguments):
            return f"{function}({', '.join(map(to_text, arguments))})", ATOM
        case Negate(operand):
            return f"-{_wrapped(operand, NEGATION_PRECEDENCE)}", NEGATION_PRECEDENCE
        case Binary("**", left, right):
            # `a**b**c` is `a**(b**c)`, and `-a**b` is `-(a**b)`
            return f"{_wrapped(left, ATOM)}**{_wrapped(right, NEGATION_PRECEDENCE)}", OPERATORS["**"].precedence
        case Binary(operator, left, right):
            own = OPERATORS[operator].precedence
            space = " " if own == 1 else ""
            return f"{_wrapped(left, own)}{space}{operator}{space}{_wrapped(right, own + 1)}", own
        case Comparison(operator, left, right):
            return f"{to_text(left)} {operator} {to_text(right)}", 0
        case _:
            raise TypeError(f"no text for {type(node).__name__}")


def _wrapped(node: Node, at_least: int) -> str:
    text, precedence = _text(node)
    return text if precedence >= at_least else f"({text})"


def number(value: float) -> str:
    """The shortest text that reads back as `value`, without a needless `.0`."""
    return repr(float(value)).removesuffix(".0")


def children(node: Node) -> Iterator[Node]:
    """The nodes directly below `node`, left to right."""
    match node:
        case Negate(operand):
            yield operand
        case Binary(_, left, right) | Comparison(_, left, right):
            yield left
            yield right
        case Call(_, arguments):
            yield from arguments
        case Signal(_, arguments):
            yield from (argument for argument in arguments if isinstance(argument, Node))


def walk(node: Node) -> Iterator[Node]:
    """`node` and everything below it, each node before its children."""
    yield node
    for child in children(node):
        yield from walk(child)


def lift(value: object) -> Expression:
    """`value` as an expression: a real number becomes a `Const`.

    Raises:
        PolicyError: For anything that is neither (arrays, tensors, text, booleans, comparisons).
    """
    if isinstance(value, Expression):
        return value
    if isinstance(value, Real) and not isinstance(value, bool):
        try:
            return Const(float(value))
        except OverflowError:
            raise PolicyError("a number beyond the range of float64 was given; write one below 1.8e308") from None
    if isinstance(value, Comparison):
        raise PolicyError(f"`{value}` is a comparison, not a number: write `where({value}, 1, 0)`")
    raise PolicyError(
        f"a policy is made of signals and real numbers, but {type(value).__name__} was given. Arrays and tensors "
        "have no place in a policy: use a parameter, and bind it"
    )


def binary(symbol: str, left: Expression, right: Expression) -> Expression:
    """`left <symbol> right`, computed at once where both are numbers and the result is finite."""
    if isinstance(left, Const) and isinstance(right, Const):
        with np.errstate(all="ignore"):
            value = float(OPERATORS[symbol].value(left.value, right.value))
        if np.isfinite(value):
            return Const(value)
    return Binary(symbol, left, right)


def negate(operand: Expression) -> Expression:
    """`-operand`; the negative of a number is a number."""
    return Const(-operand.value) if isinstance(operand, Const) else Negate(operand)
