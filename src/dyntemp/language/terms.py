"""A policy's temperature as a sum of terms, and the value of each term."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from dyntemp.language.nodes import Binary, Call, Const, Expression, Negate, Node, binary, to_text

LIMITS = ("clip", "max", "min")


@dataclass(frozen=True, slots=True)
class Part:
    """One term of a sum.

    Attributes:
        text: As it is shown, with its sign.
        node: What it is computed from.
        negative: Whether it is subtracted.
        inner: For what a limit adds to the sum inside it: that sum; then `node` is the limit with it.
    """

    text: str
    node: Node
    negative: bool = False
    inner: Node | None = None

    def value(self, compute: Callable[[Node], Any]) -> Any:
        """The value of the term; `compute` returns the value of a node."""
        value = compute(self.node)
        if self.inner is not None:
            inside = compute(self.inner)
            with np.errstate(invalid="ignore"):  # the difference of infinities, which are equal
                value = np.where(value == inside, 0.0, np.subtract(value, inside))
        return np.negative(value) if self.negative else value


def terms(expression: Expression) -> tuple[Part, ...]:
    """The parts that add up to `expression`.

    `lerp(low, high, t)` is `low + (high - low)*t`; an outermost `clip`, `max` or `min` with numbers adds what it
    changes, mostly 0.

    >>> from dyntemp.language.parse import parse
    >>> [part.text for part in terms(parse("clip(lerp(0.3, 1.3, entropy/8) - 0.4*max_prob, 0.05, 2)"))]
    ['0.3', '1*(entropy/8)', '-0.4*max_prob', 'clip(..., 0.05, 2)']
    """
    limited = _limited(expression)
    if limited is None:
        return tuple(_split(expression, negative=False))
    shown = ", ".join(
        "..." if argument is limited else to_text(argument)
        for argument in expression.arguments  # type: ignore[attr-defined]
    )
    limit = Part(f"{expression.function}({shown})", expression, inner=limited)  # type: ignore[attr-defined]
    return (*terms(limited), limit)


def _limited(expression: Expression) -> Expression | None:
    """The argument of an outermost `clip`, `min` or `max` whose other arguments are numbers; else None."""
    match expression:
        case Call(function, arguments) if function in LIMITS:
            moving = [argument for argument in arguments if not isinstance(argument, Const)]
            if (
                len(moving) == 1
                and isinstance(moving[0], Expression)
                and (function != "clip" or moving[0] is arguments[0])
            ):
                return moving[0]
    return None


def _split(node: Expression, *, negative: bool) -> Iterator[Part]:
    match node:
        case Binary("+" | "-" as sign, left, right):
            yield from _split(left, negative=negative)
            yield from _split(right, negative=negative != (sign == "-"))
        case Negate(operand):
            yield from _split(operand, negative=not negative)
        case Call("lerp", (Expression() as low, Expression() as high, Expression() as t)):
            yield from _split(low, negative=negative)
            yield from _split(binary("*", binary("-", high, low), t), negative=negative)
        case _:
            text = to_text(node)
            if negative:
                text = f"-({text})" if text.startswith("-") else f"-{text}"
            yield Part(text, node, negative)
