"""How fast an expression can move with the logits, from how fast its signals can: interval analysis of its derivatives.

Each value x has two bounds: |dx| <= absolute*d, and |dx| <= relative*|x|*d, where d is the distance that the logits
move. The second one survives where the first does not: `entropy**0.5` and `0.8**(1/entropy)` have finite slopes at
entropy 0, although the derivatives of a root and of a quotient are infinite there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import exp, inf, log
from typing import NamedTuple

from dyntemp.language.bounds import Ranges, enclose
from dyntemp.language.interval import Interval, corners, union
from dyntemp.language.nodes import Binary, Call, Comparison, Const, Negate, Node, Parameter, Signal, children
from dyntemp.language.operators import raised


class Slope(NamedTuple):
    """Two bounds on how far a value moves when the logits move by 1, over a set of rows.

    Attributes:
        absolute: In units of the value.
        relative: As a share of the value.
    """

    absolute: float
    relative: float


class Part(NamedTuple):
    """A value over a set of rows.

    Attributes:
        value: Its range.
        gradient: The range of its derivative by each leaf that moves it: a signal, or a node that remembers or jumps.
        slope: How fast it moves with the logits.
    """

    value: Interval
    gradient: dict[Node, Interval]
    slope: Slope


STILL = Slope(0.0, 0.0)
UNBOUNDED = Slope(inf, inf)
ZERO, ONE = Interval(0.0, 0.0), Interval(1.0, 1.0)


class Slopes:
    """The slopes of the nodes of one expression.

    Args:
        signals: The slope of a signal over the rows where its value is in an interval.
        remembered: The absolute slope of a node over all rows, for what was measured on earlier ones.
        always: The range of each signal and parameter over all rows.

    Attributes:
        leaves: The slope of each leaf that was met.
    """

    def __init__(
        self, signals: Callable[[Signal, Interval], Slope], remembered: Callable[[Node], float], always: Ranges
    ) -> None:
        self.signals = signals
        self.remembered = remembered
        self.always = always
        self.leaves: dict[Node, Slope] = {}

    def of(self, node: Node, ranges: Ranges) -> Part:
        """The slope of `node` over the rows whose signals are in `ranges`."""
        value = self._enclose(node, ranges)
        match node:
            case Const() | Parameter():
                return Part(value, {}, STILL)
            case Signal():
                return self._leaf(node, value, self.signals(node, value))
            case Call("ema" | "prev" | "integral"):
                return self._leaf(node, value, self._memory(node))
            case Call("where", (Comparison() as condition, x, y)):
                return self._choice(node, condition, [self.of(x, ranges), self.of(y, ranges)], ranges)
        parts = [self.of(child, ranges) for child in children(node)]
        if not any(part.gradient for part in parts):
            return Part(value, {}, STILL)
        match node:
            case Call("max"):
                return self._one_of(value, [part for part in parts if part.value.high >= value.low])
            case Call("min" | "clip"):
                reached = [part for part in parts if part.value.low <= value.high and part.value.high >= value.low]
                return self._one_of(value, reached)
            case _:
                return self._smooth(node, value, parts)

    def _leaf(self, node: Node, value: Interval, slope: Slope) -> Part:
        self.leaves[node] = slope
        return Part(value, {node: ONE} if slope.absolute > 0 else {}, _tightened(slope, value))

    def _smooth(self, node: Node, value: Interval, parts: Sequence[Part]) -> Part:
        """The chain rule, with the signs of the derivatives by each leaf, and without."""
        partials = _partials(node, value, [part.value for part in parts])
        gradient: dict[Node, Interval] = {}
        for partial, part in zip(partials, parts, strict=True):
            for leaf, by_leaf in part.gradient.items():
                gradient[leaf] = _sum(gradient.get(leaf, ZERO), _product(partial, by_leaf))
        signed = sum(_times(self.leaves[leaf].absolute, most(by_leaf)) for leaf, by_leaf in gradient.items())
        unsigned = sum(_times(part.slope.absolute, most(by)) for by, part in zip(partials, parts, strict=True))
        absolute = min(signed, unsigned, _through_exponent(node, value, parts))
        return Part(value, gradient, _tightened(Slope(absolute, _relative(node, value, parts)), value))

    def _one_of(self, value: Interval, parts: Sequence[Part]) -> Part:
        """One of several values, the rows decide, without a jump: it moves no faster than the fastest of them."""
        leaves = dict.fromkeys(leaf for part in parts for leaf in part.gradient)
        gradient = {leaf: union(part.gradient.get(leaf, ZERO) for part in parts) for leaf in leaves}
        slope = Slope(max(part.slope.absolute for part in parts), max(part.slope.relative for part in parts))
        return Part(value, gradient, _tightened(slope, value))

    def _choice(self, node: Node, condition: Comparison, branches: Sequence[Part], ranges: Ranges) -> Part:
        """One branch where the condition is decided; either where they meet at the threshold; else a jump."""
        decided = self._decided(condition, ranges)
        if decided is not None:
            return branches[0 if decided else 1]
        value = union(part.value for part in branches)
        if self._meet(condition, node, ranges):
            return self._one_of(value, branches)
        return self._leaf(node, value, UNBOUNDED)

    def _decided(self, condition: Comparison, ranges: Ranges) -> bool | None:
        """The value of a comparison, or None where the rows decide."""
        left, right = self._enclose(condition.left, ranges), self._enclose(condition.right, ranges)
        if condition.operator in (">", ">="):
            left, right = right, left
        strict = condition.operator in ("<", ">")
        if left.high < right.low or (left.high == right.low and not strict):
            return True
        if left.low > right.high or (left.low == right.high and strict):
            return False
        return None

    def _meet(self, condition: Comparison, node: Node, ranges: Ranges) -> bool:
        """True if both branches are known to be equal at the threshold, where the condition is on one signal."""
        match condition:
            case Comparison(_, Signal() as signal, Const(value)) | Comparison(_, Const(value), Signal() as signal):
                low, high = self._enclose(node, {**ranges, signal: Interval(value, value)})
                return high - low <= ROUNDING * max(abs(low), abs(high))
            case _:
                return False

    def _memory(self, node: Call) -> Slope:
        """An average of values moves no faster than each; a sum may add up their moves without end."""
        first, *others = map(self.remembered, node.arguments)
        if first == 0 and not any(others):
            return STILL
        return UNBOUNDED if node.function == "integral" or any(others) else Slope(first, inf)

    def _enclose(self, node: Node, ranges: Ranges) -> Interval:
        return enclose(node, ranges, self.always)


ROUNDING = 1e-12
"""The share by which two branches may differ at a threshold, as numbers with few digits do, and still meet there."""


def _partials(node: Node, value: Interval, inside: Sequence[Interval]) -> list[Interval]:
    """The derivative of an operation by each of the values inside it; the whole line where none is known."""
    match node, inside:
        case Negate(), _:
            return [_negative(ONE)]
        case Binary("+", _, _), _:
            return [ONE, ONE]
        case Binary("-", _, _), _:
            return [ONE, _negative(ONE)]
        case Binary("*", _, _), [x, y]:
            return [y, x]
        case Binary("/", _, _), [_, y]:  # x/y by y is -(x/y)/y
            return [_inverse(y), _negative(_product(value, _inverse(y)))]
        case Binary("**", _, _), [x, y]:
            return [_product(y, _power(x, y)), _product(value, _logarithm(x))]
        case Call("sqrt"), [x]:
            return [_product(HALF, _power(x, HALF))]
        case Call("exp"), _:
            return [value]
        case Call("log"), [x]:
            return [_inverse(x)]
        case Call("tanh"), _:
            return [Interval(1 - most(value) ** 2, 1 - least(value) ** 2)]
        case Call("sigmoid"), _:  # s*(1 - s), with its top at 1/2
            top = min(max(0.5, value.low), value.high)
            return [Interval(min(s * (1 - s) for s in value), top * (1 - top))]
        case Call("abs"), [x]:
            return [Interval(1.0 if x.low >= 0 else -1.0, -1.0 if x.high <= 0 else 1.0)]
        case Call("lerp"), [low, high, t]:
            return [Interval(1 - t.high, 1 - t.low), t, _sum(high, _negative(low))]
        case _:
            return [LINE for _ in inside]


HALF = Interval(0.5, 0.5)
LINE = Interval(-inf, inf)


def _relative(node: Node, value: Interval, parts: Sequence[Part]) -> float:
    """The largest share by which an operation moves, where it follows from the shares of what is inside."""
    match node, parts:
        case Negate(), [x]:
            return x.slope.relative
        case Binary("+" | "-", _, _), [x, y]:  # a sum of terms of one sign moves by no larger a share than they do
            right = y.value if node.operator == "+" else _negative(y.value)
            one_sign = (x.value.low >= 0 and right.low >= 0) or (x.value.high <= 0 and right.high <= 0)
            return max(x.slope.relative, y.slope.relative) if one_sign else inf
        case Binary("*" | "/", _, _), [x, y]:
            return x.slope.relative + y.slope.relative
        case Binary("**", _, _), [x, y]:  # d ln(x**y) = y*d ln(x) + ln(x)*dy
            return _times(x.slope.relative, most(y.value)) + _times(y.slope.absolute, most(_logarithm(x.value)))
        case Call("sqrt"), [x]:
            return x.slope.relative / 2
        case Call("exp"), [x]:
            return x.slope.absolute
        case Call("tanh" | "abs"), [x]:  # x*(1 - tanh(x)**2) is at most tanh(x) for x >= 0
            return x.slope.relative
        case Call("sigmoid"), [x]:
            return _times(x.slope.absolute, 1 - value.low)
        case _:
            return inf


def _through_exponent(node: Node, value: Interval, parts: Sequence[Part]) -> float:
    """exp(x) moves by x*exp(x) times the share by which x moves, and c**x likewise; log(x) by the share itself."""
    match node, parts:
        case (Call("exp"), [x]) | (Binary("**", _, _), [_, x]) if len(parts) == 1 or not parts[0].gradient:
            tops = (*value, exp(-1)) if exp(-1) in value else value  # y*|ln y| has a top at 1/e
            return _times(x.slope.relative, max(y * abs(log(y)) if 0 < y < inf else y for y in tops))
        case Call("log"), [x]:
            return x.slope.relative
        case _:
            return inf


def _tightened(slope: Slope, value: Interval) -> Slope:
    """Each bound by way of the other: |dx| <= relative*|x|, and |dx|/|x| <= absolute/|x|."""
    absolute = min(slope.absolute, _times(slope.relative, most(value)))
    return Slope(absolute, min(slope.relative, _times(slope.absolute, most(_inverse(value)))))


def most(interval: Interval) -> float:
    """The largest absolute value."""
    return max(abs(interval.low), abs(interval.high))


def least(interval: Interval) -> float:
    """The smallest absolute value."""
    return 0.0 if 0 in interval else min(abs(interval.low), abs(interval.high))


def _times(slope: float, factor: float) -> float:
    """A slope times a factor; what does not move stays still under any factor."""
    return 0.0 if slope == 0 else inf if inf in (slope, factor) else slope * factor


def _product(x: Interval, y: Interval) -> Interval:
    """The range of products, where 0 is exact and an infinite end stands for numbers without a limit."""
    if ZERO in (x, y):
        return ZERO
    if (0 in x and y.unbounded) or (0 in y and x.unbounded):
        return LINE
    ends = [a * b for a in x for b in y]
    return Interval(min(ends), max(ends))


def _sum(x: Interval, y: Interval) -> Interval:
    low, high = x.low + y.low, x.high + y.high
    return LINE if low != low or high != high else Interval(low, high)  # noqa: PLR0124 (NaN, of opposite infinities)


def _negative(x: Interval) -> Interval:
    return Interval(-x.high, -x.low)


def _inverse(x: Interval) -> Interval:
    if x.low < 0 < x.high:
        return LINE
    return Interval(1 / x.high if x.high else -inf, 1 / x.low if x.low else inf)


def _power(x: Interval, y: Interval) -> Interval:
    """The range of x**(y - 1), as far as x**y has values."""
    if x.low < 0:
        largest = max(abs(float(raised(end, y.low - 1))) for end in (*x, *((0.0,) if 0 in x else ())))
        return Interval(-largest, largest)
    return corners(lambda base, exponent: raised(base, exponent - 1), x, y)


def _logarithm(x: Interval) -> Interval:
    low, high = (log(end) if 0 < end < inf else -inf if end <= 0 else inf for end in x)
    return Interval(low, high)
