"""The range of a policy's temperature: interval analysis over the ranges of its signals and parameters.

The result encloses every temperature, and may be wider than needed. Signals count as independent of one another, and
`where` as the union of both branches. The range of a signal that occurs more than once is split into pieces, so that
`entropy*(1 - entropy)` gets close bounds; `inside` is 0 or 1. All is computed in float64, as every backend evaluates a
policy.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise, product
from math import isfinite
from numbers import Integral
from typing import NoReturn

from dyntemp.errors import PolicyError
from dyntemp.language import interval
from dyntemp.language.functions import FUNCTIONS
from dyntemp.language.interval import DomainError, IndeterminateError, Interval
from dyntemp.language.nodes import Binary, Call, Comparison, Const, Negate, Node, Parameter, Signal, walk
from dyntemp.language.parameters import parameters_of
from dyntemp.language.signals import MAX_SUPPORT, SIGNALS

MAX_PIECES = 64
"""Pieces into which the range of one repeated signal is split."""

MAX_WORK = 20_000
"""Nodes visited at most, which limits the pieces of large expressions and of several repeated signals."""

ZERO_OR_ONE = (Interval(0.0, 0.0), Interval(1.0, 1.0))
"""The values of `inside`."""

Ranges = Mapping[Node, Interval]


def bounds(expression: Node, support: int | None = None) -> Interval:
    """An interval that encloses every value of `expression`.

    Args:
        expression: What to bound; its parameters need ranges.
        support: The number of unmasked entries of every row (a vocabulary's size), or None for any row of 1 to
            2**20 entries.

    Raises:
        PolicyError: If a value may be undefined (0/0, 0*inf, inf-inf, 1**inf, inf**0, the logarithm of a negative
            number), or if a parameter has no range.
    """
    ranges = ranges_of(expression, support)
    return interval.union(_enclose(expression, {**ranges, **piece}, ranges) for piece in _pieces(expression, ranges))


def ranges_of(expression: Node, support: int | None = None) -> dict[Node, Interval]:
    """The range of each signal and parameter that occurs in `expression`.

    Raises:
        PolicyError: For a support that is no whole number from 1 to 2**20, or a parameter without a range.
    """
    if support is not None and not (isinstance(support, Integral) and 1 <= support <= MAX_SUPPORT):
        raise PolicyError(f"a support of {support} was given; rows have 1 to {MAX_SUPPORT} unmasked entries")
    size = Interval(1.0, float(MAX_SUPPORT)) if support is None else Interval(float(support), float(support))
    ranges: dict[Node, Interval] = {}
    for parameter in parameters_of(expression).values():
        if parameter.low is None or parameter.high is None:
            raise PolicyError(unbound(expression, parameter))
        ranges[parameter] = Interval(parameter.low, parameter.high)
    for node in walk(expression):
        if isinstance(node, Signal):
            ranges[node] = SIGNALS[node.name].bounds(size, *node.arguments)
    return ranges


def unbound(expression: Node, parameter: Parameter) -> str:
    """The message about a parameter that has no value, and perhaps no range."""
    name = parameter.name
    if parameter.low is not None:
        return f"parameter `{name}` of `{expression}` has no value: bind it, or pass parameters={{{name!r}: ...}}"
    meant = {"H": "entropy", "h": "entropy", "p": "max_prob", "P": "max_prob", "T": "requested", "n": "support"}
    hint = f"; if you meant the signal, write `{meant[name]}`" if name in meant else ""
    return (
        f"`{expression}` is a template: its parameter `{name}` has no value. "
        f'Bind it, policy.bind({name}=0.5), or give it a range, param("{name}", low, high){hint}'
    )


def _pieces(expression: Node, ranges: Ranges) -> Iterator[dict[Node, Interval]]:
    """Every combination of pieces of the ranges of signals and parameters.

    The range of `inside` is its two values. Others that occur more than once are cut evenly.
    """
    count = Counter(node for node in walk(expression) if isinstance(node, Signal | Parameter))
    inside = [leaf for leaf in count if isinstance(leaf, Signal) and leaf.name == "inside"]
    split = [leaf for leaf, times in count.items() if times > 1 and isfinite(ranges[leaf].high - ranges[leaf].low)]
    split = [leaf for leaf in split if not ranges[leaf].is_point and leaf not in inside]
    cells = max(MAX_WORK // expression.size, 1)
    pieces: dict[Node, Sequence[Interval]] = dict.fromkeys(inside[: cells.bit_length() - 1], ZERO_OR_ONE)
    cells >>= len(pieces)
    each = min(MAX_PIECES, int(cells ** (1 / max(len(split), 1))))
    for leaf in split[: cells.bit_length() - 1] if each < 2 else split:
        pieces[leaf] = _halves(ranges[leaf], max(each, 2))
    for combination in product(*pieces.values()):
        yield dict(zip(pieces, combination, strict=True))


def _halves(whole: Interval, pieces: int) -> list[Interval]:
    ends = [whole.low + (whole.high - whole.low) * (i / pieces) for i in range(pieces)] + [whole.high]
    return [Interval(low, high) for low, high in pairwise(ends)]


def enclose(node: Node, ranges: Ranges, always: Ranges | None = None) -> Interval:
    """The interval of `node`, with its signals and parameters in `ranges`, which are not split.

    At other positions, whose values `ema` and the like remember, they are in `always`, by default the same.
    """
    return _enclose(node, ranges, ranges if always is None else always)


def _enclose(node: Node, ranges: Ranges, always: Ranges) -> Interval:
    """The interval of `node`, with its signals and parameters in `ranges` now and in `always` at other positions."""
    try:
        match node:
            case Const(value):
                return Interval(value, value)
            case Signal("temperature_for_entropy", (Node() as target,)):
                _enclose(target, ranges, always)  # the target itself must have a value
                return ranges[node]
            case Signal() | Parameter():
                return ranges[node]
            case Negate(operand):
                return interval.negative(_enclose(operand, ranges, always))
            case Binary(operator, left, right):
                return ARITHMETIC[operator](_enclose(left, ranges, always), _enclose(right, ranges, always))
            case Comparison(_, left, right):
                _enclose(left, ranges, always)
                _enclose(right, ranges, always)
                return Interval(0.0, 1.0)
            case Call(function, arguments):
                record = FUNCTIONS[function]
                now = always if record.remembers else ranges  # what is remembered was measured on other rows
                return record.bounds(*(_enclose(argument, now, always) for argument in arguments))
            case _:
                raise TypeError(f"no bounds for {type(node).__name__}")
    except DomainError as error:
        raise PolicyError(f"`{node}` has no value where {error}: {error.instead}") from None
    except IndeterminateError as form:
        _refuse(node, form)


ARITHMETIC = {
    "+": interval.add,
    "-": interval.subtract,
    "*": interval.multiply,
    "/": interval.quotient,
    "**": interval.power,
}


def _refuse(node: Node, form: IndeterminateError) -> NoReturn:
    match node:
        case Binary("/", Signal("entropy"), Call("log", (Signal("support"),))):
            instead = "write `normalized_entropy`, which is 0 where the support is 1"
        case Binary("/", _, divisor) if str(form) != "inf/inf":
            instead = f"keep the divisor away from zero, such as `max({divisor}, 1e-3)`"
        case Binary("**", base, _):
            instead = f"limit the base or the exponent, such as `clip({base}, 1e-3, 10)`"
        case _:
            instead = "limit what grows without end, with `clip(..., low, high)`"
    raise PolicyError(f"`{node}` can reach {form}, which has no value: {instead}")
