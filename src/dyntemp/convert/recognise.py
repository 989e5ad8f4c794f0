"""Policies that other programs can compute: low + (high - low)*normalized_entropy**exponent, however written."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import reduce
from math import inf, ulp
from typing import NamedTuple

from dyntemp.convert.curve import ConversionError, Curve, decimal
from dyntemp.language.functions import FUNCTIONS
from dyntemp.language.interval import Interval
from dyntemp.language.nodes import Binary, Call, Const, Expression, Negate, Node, Parameter, Signal
from dyntemp.language.policy import Policy
from dyntemp.language.signals import remembers


def curve_of(policy: Policy | str | float, floor: float = 0.0) -> Curve:
    """The curve of a policy that equals low + (high - low)*normalized_entropy**exponent, however it is written.

    The policy is recognised by its structure, never by trying values. Allowed are constants, sums, multiples, powers,
    `lerp`, `sqrt`, and a `clip`, `min` or `max` that cuts nothing off.

    Args:
        policy: The policy, or its text.
        floor: The lowest temperature that the program uses by itself. A `max(..., floor)` around the policy is then
            allowed.

    Raises:
        ConversionError: If the policy has another shape; the message names the part that differs.

    >>> curve_of("clip(0.2 + normalized_entropy/2, 0.05, 2)")
    Curve(low=0.2, high=0.7, exponent=1.0)
    """
    policy = policy if isinstance(policy, Policy) else Policy(policy)
    try:
        if remembers(policy.expression):
            raise _OtherShapeError("remembers earlier tokens")
        term = _term(_unfloored(policy.expression, floor))
        low, high = float(term.constant), float(term.constant + term.factor)
    except ArithmeticError:
        raise ConversionError(f"`{policy}` has temperatures beyond what a number can hold") from None
    except _OtherShapeError as error:
        raise ConversionError(
            f"`{policy}` {error}: an engine's own dynamic temperature is low + (high - low)*"
            "normalized_entropy**exponent and nothing else; run the policy with dyntemp itself"
        ) from None
    return Curve(low, high, float(term.exponent) if low != high else 1.0)


class _OtherShapeError(Exception):
    """A part of a policy that other programs do not compute; the message names it."""


class _Term(NamedTuple):
    """constant + factor*normalized_entropy**exponent, in exact arithmetic."""

    constant: Fraction
    factor: Fraction = Fraction(0)
    exponent: Fraction = Fraction(1)

    @property
    def span(self) -> Interval:
        """The interval of its values for normalized entropies from 0 to 1."""
        at_one = float(self.constant + self.factor)
        at_zero = float(self.constant)
        if self.exponent < 0 and self.factor:
            at_zero = inf if self.factor > 0 else -inf
        return Interval(*sorted((at_zero, at_one)))

    def times(self, number: Fraction) -> _Term:
        """The term multiplied by a number."""
        return _Term(self.constant * number, self.factor * number, self.exponent)


def _unfloored(node: Expression, floor: float) -> Expression:
    """The inner part of `max(..., floor)`; any other node as it is."""
    match node:
        case Call("max", (Expression() as inside, Const(value)) | (Const(value), Expression() as inside)) if (
            floor > 0 and value == floor
        ):
            return inside
        case _:
            return node


def _term(node: Node) -> _Term:
    """A node as a term.

    Raises:
        _OtherShapeError: If it is none.
    """
    match node:
        case Const(value):
            return _Term(_written(value))
        case Signal("normalized_entropy"):
            return _Term(Fraction(0), Fraction(1))
        case Signal():
            raise _OtherShapeError(f"reads `{node}`")
        case Parameter(name):
            raise _OtherShapeError(f"has the free parameter `{name}`")
        case Negate(operand):
            return _term(operand).times(Fraction(-1))
        case Binary(symbol, left, right):
            return _OPERATIONS[symbol](_term(left), _term(right))
        case Call("lerp", (low, high, share)):
            start = _term(low)
            return _added(start, _multiplied(_added(_term(high), start.times(Fraction(-1))), _term(share)))
        case Call("sqrt", (inside,)):
            return _powered(_term(inside), _Term(Fraction(1, 2)))
        case Call("clip", (inside, low, high)):
            return _lesser(_greater(_term(inside), _term(low)), _term(high))
        case Call("max", arguments):
            return reduce(_greater, map(_term, arguments))
        case Call("min", arguments):
            return reduce(_lesser, map(_term, arguments))
        case Call(function, _) if function in FUNCTIONS:
            raise _OtherShapeError(f"computes `{node}`")
        case _:
            raise _OtherShapeError(f"has `{node}`")


def _greater(one: _Term, other: _Term) -> _Term:
    """The larger of two terms, if one is larger everywhere."""
    return _outer(one, other, lambda a, b: a.low >= b.high, "below")


def _lesser(one: _Term, other: _Term) -> _Term:
    """The smaller of two terms, if one is smaller everywhere."""
    return _outer(one, other, lambda a, b: a.high <= b.low, "above")


def _outer(one: _Term, other: _Term, beyond: Callable[[Interval, Interval], bool], side: str) -> _Term:
    if beyond(one.span, other.span):
        return one
    if beyond(other.span, one.span):
        return other
    raise _OtherShapeError(f"is cut off {side}")


def _added(one: _Term, other: _Term) -> _Term:
    if one.factor and other.factor and one.exponent != other.exponent:
        raise _OtherShapeError("adds different powers of the entropy")
    exponent = one.exponent if one.factor else other.exponent
    return _Term(one.constant + other.constant, one.factor + other.factor, exponent)


def _subtracted(one: _Term, other: _Term) -> _Term:
    return _added(one, other.times(Fraction(-1)))


def _multiplied(one: _Term, other: _Term) -> _Term:
    if not one.factor or not other.factor:
        return one.times(other.constant) if not other.factor else other.times(one.constant)
    if one.constant or other.constant or one.exponent < 0 or other.exponent < 0:
        raise _OtherShapeError("multiplies the entropy with itself")
    return _Term(Fraction(0), one.factor * other.factor, one.exponent + other.exponent)


def _divided(one: _Term, other: _Term) -> _Term:
    if other.factor or not other.constant:
        raise _OtherShapeError("divides by the entropy")
    return one.times(1 / other.constant)


def _powered(base: _Term, exponent: _Term) -> _Term:
    if exponent.factor:
        raise _OtherShapeError("has the entropy in an exponent")
    if not exponent.constant:
        return _Term(Fraction(1))  # 0**0 is 1
    if exponent.constant == 1:
        return base
    if not base.factor:
        return _Term(_power(base.constant, exponent.constant))
    if base.constant or base.factor < 0:
        raise _OtherShapeError("raises a sum to a power")
    return _Term(Fraction(0), _power(base.factor, exponent.constant), base.exponent * exponent.constant)


def _power(base: Fraction, exponent: Fraction) -> Fraction:
    """`base` to a power, in decimals.

    Raises:
        ArithmeticError: If the result is larger than any float.
    """
    return _written(float(base) ** float(exponent))


_OPERATIONS: dict[str, Callable[[_Term, _Term], _Term]] = {
    "+": _added, "-": _subtracted, "*": _multiplied, "/": _divided, "**": _powered,
}  # fmt: skip


def _written(number: float) -> Fraction:
    """The exact decimals that a person would write for a constant of a policy.

    A policy folds its constants, so 0.1*0.7 becomes 0.06999999999999999. If a number of 12 digits lies within 4 units
    in the last place, that is the result, here 0.07. Otherwise the result is the shortest decimals.
    """
    short = float(f"{number:.12g}")
    return decimal(short if abs(short - number) <= 4 * ulp(number) else number)
