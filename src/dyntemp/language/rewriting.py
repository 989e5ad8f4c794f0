"""Copies of an expression with some parts replaced."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dyntemp.language.functions import call
from dyntemp.language.nodes import Binary, Call, Comparison, Expression, Negate, Node, Signal, binary, negate


def rebuild(node: Node, change: Callable[[Expression], Expression | None]) -> Any:
    """A copy of `node` with each part replaced by what `change` returns for it; None keeps the part."""
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
            return call(function, *(rebuild(argument, change) for argument in arguments))
        case Signal(name, arguments):
            return Signal(name, tuple(rebuild(a, change) if isinstance(a, Node) else a for a in arguments))
        case _:
            return node
