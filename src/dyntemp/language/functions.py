"""The functions of the policy language, one record each: arguments, meaning, value, bounds and directions."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf, ulp
from typing import Any

import numpy as np

from dyntemp.errors import PolicyError
from dyntemp.language.interval import (
    DomainError,
    IndeterminateError,
    Interval,
    add,
    corners,
    multiply,
    subtract,
    union,
    widened,
)
from dyntemp.language.nodes import Call, Comparison, Const, Expression, Node, lift

Direction = int | None
"""+1 rises with its argument, -1 falls, 0 does not move, None may do either."""


@dataclass(frozen=True, slots=True)
class Function:
    """One function of the language.

    Attributes:
        name: As it is written in a policy.
        arguments: Names of the arguments, as the help shows them; a last name of `...` allows any number.
        meaning: One sentence, with the formula.
        value: The function on float64 arrays and extended reals; None where it remembers.
        bounds: Encloses the result, given an interval for each argument.
        directions: Which way the result moves with each argument, given an interval for each.
        remembers: True where the result depends on earlier positions of the same request.
    """

    name: str
    arguments: tuple[str, ...]
    meaning: str
    value: Callable[..., Any] | None = field(repr=False)
    bounds: Callable[..., Interval] = field(repr=False)
    directions: Callable[..., tuple[Direction, ...]] = field(repr=False)
    remembers: bool = False


def _increasing(
    value: Callable[[Any], Any], within: Interval, domain: Interval = Interval(-inf, inf)
) -> dict[str, Any]:
    """The fields of a function of one argument that is increasing on `domain` with values in `within`."""

    def bounds(x: Interval) -> Interval:
        if x.low < domain.low:
            raise DomainError(
                f"its argument may be {x.low:g}, below {domain.low:g}",
                f"keep it from going below, as in `max(..., {domain.low:g})`",
            )
        return widened(corners(value, x), within)

    return {"value": value, "bounds": bounds, "directions": lambda x: (1,)}


def _halfcos(x: Any) -> Any:
    return np.sin(np.pi / 2 * np.clip(x, 0.0, 1.0)) ** 2  # (1 - cos(pi*x))/2


def _sigmoid(x: Any) -> Any:
    return np.exp(-np.logaddexp(0.0, np.negative(x)))


def _abs_bounds(x: Interval) -> Interval:
    ends = corners(np.abs, x)
    return Interval(0.0, ends.high) if 0 in x else ends


def _abs_direction(x: Interval) -> tuple[Direction, ...]:
    return (1 if x.low >= 0 else -1 if x.high <= 0 else None,)


def _smallest(*values: Any) -> Any:
    return np.minimum.reduce(np.broadcast_arrays(*values))


def _largest(*values: Any) -> Any:
    return np.maximum.reduce(np.broadcast_arrays(*values))


def _clip(x: Any, low: Any, high: Any) -> Any:
    return np.minimum(np.maximum(x, low), high)


def _clip_bounds(x: Interval, low: Interval, high: Interval) -> Interval:
    if low.high > high.low:
        raise DomainError(f"its low end may be {low.high:g}, above its high end of {high.low:g}", "keep low below high")
    return corners(_clip, x, low, high)


def _lerp(low: Any, high: Any, t: Any) -> Any:
    return np.add(low, np.multiply(np.subtract(high, low), t))


def _lerp_bounds(low: Interval, high: Interval, t: Interval) -> Interval:
    composed = add(low, multiply(subtract(high, low), t))  # finds the forms without a value
    if composed.unbounded:
        return composed
    # linear in each argument by itself, so its extremes are at the corners; rounding is monotone in t alone
    ends = corners(_lerp, low, high, t)
    if low.is_point and high.is_point:
        return ends
    largest = builtins.max(builtins.abs(end) for part in (low, high, composed) for end in part)
    slack = 4 * ulp(largest)
    floor = 0.0 if low.low >= 0 and high.low >= 0 and t.low >= 0 and t.high <= 1 else -inf
    # low + (high - low)*t >= low - low = 0 holds in floating point too, for numbers that are not negative
    return Interval(builtins.max(ends.low - slack, composed.low, floor), builtins.min(ends.high + slack, composed.high))


def _lerp_directions(low: Interval, high: Interval, t: Interval) -> tuple[Direction, ...]:
    rise = 1 if high.low >= low.high else -1 if high.high <= low.low else None
    return (1 if t.high <= 1 else None, 1 if t.low >= 0 else None, rise)


def _ema_bounds(x: Interval, decay: Interval) -> Interval:
    if decay.low < 0 or decay.high > 1:
        raise DomainError(
            f"its decay may be {decay.low if decay.low < 0 else decay.high:g}", "write a decay from 0 to 1, such as 0.9"
        )
    if x.unbounded and (0 in decay or 1 in decay):
        raise IndeterminateError("0 * inf")
    if -inf in x and inf in x:
        raise IndeterminateError("inf - inf")
    return x  # an average of values in x


def _integral_bounds(x: Interval, low: Interval, high: Interval) -> Interval:
    if low.high > high.low:
        raise DomainError(f"its low end may be {low.high:g}, above its high end of {high.low:g}", "keep low below high")
    if x.unbounded:
        raise DomainError("it sums what may be infinite", "limit what it sums, with `clip(..., low, high)`")
    return Interval(low.low, high.high)  # clipped at every step


def _all_rising(*arguments: Interval) -> tuple[Direction, ...]:
    return (1,) * len(arguments)


FUNCTIONS: dict[str, Function] = {
    record.name: record
    for record in (
        Function("exp", ("x",), "e to the power x", **_increasing(np.exp, Interval(0.0, inf))),
        Function("log", ("x",), "natural logarithm of x >= 0; log(0) is -inf",
                 **_increasing(np.log, Interval(-inf, inf), Interval(0.0, inf))),
        Function("sqrt", ("x",), "square root of x >= 0",
                 **_increasing(np.sqrt, Interval(0.0, inf), Interval(0.0, inf))),
        Function("abs", ("x",), "x without its sign", np.abs, _abs_bounds, _abs_direction),
        Function("halfcos", ("x",), "from 0 at x = 0 to 1 at x = 1 along half a cosine, and level on both sides",
                 **_increasing(_halfcos, Interval(0.0, 1.0))),
        Function("tanh", ("x",), "hyperbolic tangent, from -1 to 1", **_increasing(np.tanh, Interval(-1.0, 1.0))),
        Function("sigmoid", ("x",), "1/(1 + exp(-x)), from 0 to 1", **_increasing(_sigmoid, Interval(0.0, 1.0))),
        Function("min", ("x", "y", "..."), "the smallest argument", _smallest,
                 lambda *xs: Interval(builtins.min(x.low for x in xs), builtins.min(x.high for x in xs)), _all_rising),
        Function("max", ("x", "y", "..."), "the largest argument", _largest,
                 lambda *xs: Interval(builtins.max(x.low for x in xs), builtins.max(x.high for x in xs)), _all_rising),
        Function("clip", ("x", "low", "high"), "x, but at least low and at most high", _clip, _clip_bounds,
                 _all_rising),
        Function("lerp", ("low", "high", "t"), "low + (high - low)*t: from low at t = 0 to high at t = 1", _lerp,
                 _lerp_bounds, _lerp_directions),
        Function("where", ("condition", "x", "y"), "x where the comparison holds, else y", np.where,
                 lambda condition, x, y: union((x, y)), lambda condition, x, y: (None, 1, 1)),
        Function("ema", ("x", "decay"), "moving average: decay*old + (1 - decay)*x, starting at the first x", None,
                 _ema_bounds, lambda x, decay: (1, None), remembers=True),
        Function("prev", ("x",), "x at the previous position; at the first one, x", None,
                 lambda x: x, lambda x: (1,), remembers=True),
        Function("integral", ("x", "low", "high"), "running sum of x with the present one, clipped at every step",
                 None, _integral_bounds, _all_rising, remembers=True),
    )
}  # fmt: skip


def call(name: str, *arguments: object) -> Expression:
    """The function `name` of the language applied to `arguments`, computed at once where all are numbers.

    Raises:
        PolicyError: For a wrong number of arguments, or a `where` whose first argument is no comparison.
    """
    record = FUNCTIONS[name]
    shown = f"{name}({', '.join(record.arguments)})"
    wanted = len(record.arguments)
    if record.arguments[-1] == "...":
        if len(arguments) < wanted - 1:
            raise PolicyError(f"`{shown}` takes at least {wanted - 1} arguments, but {len(arguments)} were given")
    elif len(arguments) != wanted:
        raise PolicyError(
            f"`{shown}` takes {wanted} argument{'' if wanted == 1 else 's'}, but {len(arguments)} were given"
        )
    if name == "where":
        return Call(name, (_condition(arguments[0]), *(lift(argument) for argument in arguments[1:])))
    lifted = tuple(lift(argument) for argument in arguments)
    if name in ("clip", "integral"):
        _, low, high = lifted
        if isinstance(low, Const) and isinstance(high, Const) and low.value > high.value:
            raise PolicyError(f"`{shown}` was given low = {low} above high = {high}: swap them")
    if record.value is not None and all(isinstance(argument, Const) for argument in lifted):
        with np.errstate(all="ignore"):
            value = float(record.value(*(argument.value for argument in lifted)))  # type: ignore[attr-defined]
        if np.isfinite(value):
            return Const(value)
    return Call(name, lifted)


def _condition(argument: object) -> Node:
    if isinstance(argument, Comparison):
        return argument
    raise PolicyError(
        "the first argument of `where` is a comparison by `<`, `<=`, `>` or `>=`, such as `max_prob < 0.3`; "
        f"{argument!s} was given. For `==` and `!=` write a narrow range: where(abs(x - y) < 1e-9, ...)"
    )
