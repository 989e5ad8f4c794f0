"""Expression -> text that parses back to an equal expression."""

from __future__ import annotations

from dyntemp.expr import (
    NEGATION_PRECEDENCE,
    OPERATORS,
    Binary,
    Call,
    Comparison,
    Const,
    Negate,
    Node,
    Parameter,
    Signal,
)

ATOM = 5


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
            # groups to the right, and a sign on the left would be read as outside the power
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
