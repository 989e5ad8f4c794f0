"""How a policy's temperature answers one signal over time, where it is linear in it: a ratio of two polynomials.

The polynomials are in 1/z, the delay by one token, lowest power first: `ema(x, d)` is (1 - d)/(1 - d/z), `prev(x)` is
1/z, and `integral(x, low, high)` is 1/(1 - 1/z). Limits are taken as not reached. See `docs/theory/loop.md`.
"""

from __future__ import annotations

from math import inf
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dyntemp.language.nodes import Binary, Call, Const, Negate, Node, Signal

Polynomial = NDArray[np.float64]

ONE = np.ones(1)

LEAST, MOST = 1e-6, 1e6
"""Factors on a gain between which the boundary of convergence is looked for."""

STEP = 1.05
"""The ratio of one factor that is tried to the one before."""

HALVINGS = 60
"""Halvings of the last step."""

LIMITS = ("clip", "min", "max")


class Response(NamedTuple):
    """numerator(1/z)/denominator(1/z), coefficients by rising power of 1/z.

    Attributes:
        numerator: The coefficients of the numerator.
        denominator: The coefficients of the denominator; the first is 1.
        constant: The value of the node where the signal has always been 0; None where a sum makes it grow.
    """

    numerator: Polynomial
    denominator: Polynomial
    constant: float | None = None

    @property
    def gain(self) -> float:
        """The settled answer to a signal that stays 1 higher; infinite for a sum."""
        top, bottom = float(self.numerator.sum()), float(self.denominator.sum())
        return top / bottom if bottom else inf

    def scaled(self, factor: float) -> Response:
        """The response of the node multiplied by a number."""
        return Response(
            factor * self.numerator, self.denominator, None if self.constant is None else factor * self.constant
        )

    def plus(self, other: Response) -> Response:
        """The response of the sum of two nodes."""
        if np.array_equal(self.denominator, other.denominator):
            top, bottom = _sum(self.numerator, other.numerator), self.denominator
        else:
            crossed = (np.convolve(self.numerator, other.denominator), np.convolve(other.numerator, self.denominator))
            top, bottom = _sum(*crossed), np.convolve(self.denominator, other.denominator)
        known = self.constant is not None and other.constant is not None
        return Response(top, bottom, self.constant + other.constant if known else None)  # type: ignore[operator]

    def through(self, numerator: list[float], denominator: list[float], constant: float | None) -> Response:
        """The response behind a memory with these polynomials."""
        return Response(np.convolve(self.numerator, numerator), np.convolve(self.denominator, denominator), constant)


def response(node: Node, signal: Signal) -> Response | None:
    """How `node` answers `signal`, other signals held constant; None where it is not linear in it.

    >>> from dyntemp.language.policy import Policy
    >>> from dyntemp.signals import surprisal
    >>> response(Policy("0.7 + integral(0.1*(2.5 - surprisal), -0.5, 0.8)").expression, surprisal)[:2]
    (array([-0.1,  0. ]), array([ 1., -1.]))
    """
    match node:
        case Const(value):
            return Response(np.zeros(1), ONE, value)
        case Signal() if node == signal:
            return Response(ONE, ONE, 0.0)
        case Negate(operand):
            inner = response(operand, signal)
            return inner and inner.scaled(-1.0)
        case Binary(operator, left, right):
            return _binary(operator, response(left, signal), response(right, signal))
        case Call("ema", (x, Const(decay))):
            inner = response(x, signal)
            return inner and inner.through([1 - decay], [1.0, -decay], inner.constant)
        case Call("prev", (x,)):
            inner = response(x, signal)
            return inner and inner.through([0.0, 1.0], [1.0], inner.constant)
        case Call("integral", (x, Const(), Const())):
            inner = response(x, signal)
            return inner and inner.through([1.0], [1.0, -1.0], None)
        case Call(function, arguments) if function in LIMITS:
            moving = [argument for argument in arguments if not isinstance(argument, Const)]
            if len(moving) == 1 and (function != "clip" or moving[0] is arguments[0]):
                return response(moving[0], signal)
    return None


def _binary(operator: str, left: Response | None, right: Response | None) -> Response | None:
    if left is None or right is None:
        return None
    match operator:
        case "+":
            return left.plus(right)
        case "-":
            return left.plus(right.scaled(-1.0))
        case "*" if _is_number(left):
            return right.scaled(left.constant or 0.0)
        case "*" if _is_number(right):
            return left.scaled(right.constant or 0.0)
        case "/" if _is_number(right) and right.constant:
            return left.scaled(1 / right.constant)
    return None


def _is_number(answer: Response) -> bool:
    """True for the response of a number, or of a formula of numbers."""
    return answer.constant is not None and not answer.numerator.any()


def _sum(a: Polynomial, b: Polynomial) -> Polynomial:
    total = np.zeros(max(len(a), len(b)))
    total[: len(a)] += a
    total[: len(b)] += b
    return total


def closed(controller: Response, plant: Response) -> Polynomial:
    """D*E - N*M/z of the loop, for the controller N/D and the plant M/E: its roots in z are the loop's poles.

    The plant says how the signal answers the temperatures before, from 1/z on: the token that a step draws is the
    first whose signal it moves.
    """
    behind = np.append(0.0, np.convolve(controller.numerator, plant.numerator))
    return _sum(np.convolve(controller.denominator, plant.denominator), -behind)


def poles(controller: Response, plant: Response) -> NDArray[np.complex128]:
    """The factors by which the parts of a disturbance are multiplied with each token, the largest modulus first.

    The loop converges where all moduli are below 1, without oscillation where the first is real and positive.
    """
    roots = np.roots(np.trim_zeros(closed(controller, plant), "b")).astype(np.complex128)
    return roots[np.argsort(-np.abs(roots), kind="stable")]


def converges(controller: Response, plant: Response) -> bool:
    """True if every disturbance of the loop dies out."""
    return bool(np.abs(poles(controller, plant)).max(initial=0.0) < 1)


def noise_gain(controller: Response, plant: Response, tokens: int = 4096) -> float:
    """The variance of the temperature per unit of variance of the signal's noise, white, in a loop that converges.

    It is the sum of squares of the temperature's answer to one unit of noise, N*E/(D*E - N*M/z), over `tokens`.
    """
    top = np.convolve(controller.numerator, plant.denominator)
    bottom = closed(controller, plant)
    answer = np.zeros(tokens)
    for t in range(tokens):
        past = answer[max(t - len(bottom) + 1, 0) : t][::-1]
        answer[t] = (top[t] if t < len(top) else 0.0) - bottom[1 : 1 + len(past)] @ past
    return float(answer @ answer)


def largest_factor(controller: Response, plant: Response) -> float:
    """The factor on the controller's gain up to which the loop converges; 0 if it does not with a small gain either.

    It is the first at which a pole reaches the unit circle, infinite if no factor up to `MOST` does that.
    """
    if not converges(controller.scaled(LEAST), plant):
        return 0.0
    low, high = LEAST, 2 * LEAST
    while converges(controller.scaled(high), plant):
        low, high = high, high * STEP
        if high > MOST:
            return inf
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if converges(controller.scaled(middle), plant) else (low, middle)
    return low
