"""The nodes that a policy is made of, and Python's operators on them.

The grammar is closed (seven kinds of node); what grows is the vocabulary (`functions`, `signals`) and the
operations, each in a module of its own: `parse`, `text`, `bounds`, `direction`, `evaluate`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from numbers import Real
from typing import Any, NoReturn

import numpy as np

from dyntemp.errors import PolicyError

MAX_DEPTH = 100
"""Operations inside one another. Deeper ones are refused, so that every walk over a policy can recurse."""

MAX_SIZE = 1_000
"""Nodes in one expression, counted with repetition, so that every operation on a policy takes bounded time."""

PARAMETER_NAME = re.compile(r"[A-Za-z][0-9]*\Z")
"""Names that are parameters without being declared: one letter and digits. Longer ones need `param(...)`."""


class Node:
    """What every part of a policy is: frozen, hashable, equal to whatever has the same structure."""

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
        from dyntemp.text import to_text

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
        from dyntemp.functions import call

        return call("abs", self)

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


@dataclass(frozen=True, slots=True)
class Operator:
    """How an operator computes and how tightly it binds. Values are float64 and extended reals."""

    symbol: str
    precedence: int
    value: Callable[[Any, Any], Any] = field(repr=False)


def divide(left: Any, right: Any) -> Any:
    """`left / right` where a zero below the line is +0.0, whatever its sign bit: 1/0 is +inf."""
    return np.divide(left, np.add(right, 0.0))


def raised(base: Any, exponent: Any) -> Any:
    """`base ** exponent` where a zero base is +0.0, whatever its sign bit: 0**-1 is +inf."""
    return np.power(np.add(base, 0.0), exponent)


OPERATORS = {
    operator.symbol: operator
    for operator in (
        Operator("+", 1, np.add),
        Operator("-", 1, np.subtract),
        Operator("*", 2, np.multiply),
        Operator("/", 2, divide),
        Operator("**", 4, raised),
    )
}
NEGATION_PRECEDENCE = 3

COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
}


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


def rebuild(node: Node, change: Callable[[Expression], Expression | None]) -> Any:
    """A copy of `node` in which each part for which `change` returns an expression is that expression instead."""
    if isinstance(node, Expression) and (changed := change(node)) is not None:
        return changed
    match node:
        case Negate(operand):
            return negate(rebuild(operand, change))
        case Binary(operator, left, right):
            return binary(operator, rebuild(left, change), rebuild(right, change))
        case Comparison(operator, left, right):
            return Comparison(operator, rebuild(left, change), rebuild(right, change))
        case Call(function, arguments):
            from dyntemp.functions import call

            return call(function, *(rebuild(argument, change) for argument in arguments))
        case Signal(name, arguments):
            return Signal(name, tuple(rebuild(a, change) if isinstance(a, Node) else a for a in arguments))
        case _:
            return node


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
    """`-operand`, folded into a number's sign so that there is one spelling of it."""
    return Const(-operand.value) if isinstance(operand, Const) else Negate(operand)


def param(name: str, low: float | None = None, high: float | None = None) -> Parameter:
    """A parameter of a policy, with the range in which tuning and learning may move it.

    Args:
        name: One letter and digits (`a`, `k1`, `T0`) may stand alone; any other identifier needs a range.
        low: Smallest value allowed, or None together with `high` for no range.
        high: Largest value allowed.

    Raises:
        PolicyError: For a name that is no identifier, a longer name without a range, or `low >= high`.

    >>> str(param("theta", 0.1, 2) * 0.5)
    'param("theta", 0.1, 2)*0.5'
    """
    if not isinstance(name, str) or not name.isascii() or not name.isidentifier():
        given = f"`{name}`" if isinstance(name, Node) else repr(name)
        raise PolicyError(f"a parameter's name is letters, digits and _, but {given} was given")
    if low is None and high is None:
        if not PARAMETER_NAME.match(name):
            raise PolicyError(f'parameter {name!r} needs a range: write param("{name}", low, high)')
        return Parameter(name)
    if low is None or high is None:
        raise PolicyError(f'parameter {name!r} has one end of a range: write param("{name}", low, high)')
    low, high = lift(low), lift(high)  # type: ignore[assignment]
    if not isinstance(low, Const) or not isinstance(high, Const):
        raise PolicyError(f"the range of parameter {name!r} must be two numbers")
    if not low.value < high.value:
        raise PolicyError(f"parameter {name!r} has the empty range {low} to {high}: low must be below high")
    return Parameter(name, low.value, high.value)


def parameters_of(node: Node) -> dict[str, Parameter]:
    """The parameters that occur in `node`, by name, in order of appearance.

    Raises:
        PolicyError: If one name occurs with two ranges.
    """
    found: dict[str, Parameter] = {}
    for part in walk(node):
        if isinstance(part, Parameter) and found.setdefault(part.name, part) != part:
            raise PolicyError(f"parameter {part.name!r} occurs with two ranges: give it one")
    return found
