"""The direction in which a policy moves with each of its signals, the other signals held constant."""

from __future__ import annotations

from dyntemp.language.bounds import Ranges, enclose, ranges_of
from dyntemp.language.functions import FUNCTIONS, Direction
from dyntemp.language.interval import Interval
from dyntemp.language.nodes import Binary, Call, Comparison, Expression, Negate, Node, Signal, walk
from dyntemp.language.signals import signals_of


def directions(expression: Expression, support: int | None = None) -> dict[Signal, Direction]:
    """For each signal of `expression`: +1 if the value never falls as the signal rises, -1 if it never rises.

    0 means that the value does not depend on the signal, None that it may move either way. A value remembered from
    earlier positions counts as a value of this position.

    >>> from dyntemp.signals import max_prob
    >>> list(directions(0.5 - 0.4 * max_prob).values())
    [-1]
    """
    ranges = ranges_of(expression, support)
    return {signal: _direction(expression, signal, ranges) for signal in signals_of(expression)}


def _direction(node: Node, signal: Signal, ranges: Ranges) -> Direction:
    if node == signal:
        return 1
    if not any(part == signal for part in walk(node)):
        return 0

    def along(child: Node) -> Direction:
        return _direction(child, signal, ranges)

    match node:
        case Negate(operand):
            return _times(-1, along(operand))
        case Binary("+", left, right):
            return _plus(along(left), along(right))
        case Binary("-", left, right):
            return _plus(along(left), _times(-1, along(right)))
        case Binary("*", left, right):  # d(x*y) = y*dx + x*dy
            return _plus(
                _times(_sign(enclose(right, ranges)), along(left)), _times(_sign(enclose(left, ranges)), along(right))
            )
        case Binary("/", left, right):  # d(x/y) = dx/y - x*dy/y^2
            return _plus(
                _times(_sign(enclose(right, ranges)), along(left)),
                _times(-1, _times(_sign(enclose(left, ranges)), along(right))),
            )
        case Binary("**", left, right):  # d(x**y) = y*x**(y - 1)*dx + x**y*log(x)*dy, for x >= 0
            base, exponent = enclose(left, ranges), enclose(right, ranges)
            if base.low < 0:
                return None
            above_one = Interval(base.low - 1, base.high - 1)
            return _plus(_times(_sign(exponent), along(left)), _times(_sign(above_one), along(right)))
        case Call(function, arguments):
            each = FUNCTIONS[function].directions(*(enclose(argument, ranges) for argument in arguments))
            total: Direction = 0
            for partial, argument in zip(each, arguments, strict=True):
                total = _plus(total, _times(partial, along(argument)))
            return total
        case Comparison():
            return None
        case _:  # a signal with this one inside, temperature_for_entropy(...): the row decides
            return None


def _sign(interval: Interval) -> Direction:
    return 0 if interval == (0.0, 0.0) else 1 if interval.low >= 0 else -1 if interval.high <= 0 else None


def _plus(left: Direction, right: Direction) -> Direction:
    if left in (0, right):
        return right
    return left if right == 0 else None


def _times(left: Direction, right: Direction) -> Direction:
    if left == 0 or right == 0:
        return 0
    return None if left is None or right is None else left * right
