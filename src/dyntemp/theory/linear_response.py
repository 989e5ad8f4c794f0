"""How a policy's temperature answers one signal over time, where it is linear in it: a ratio of two polynomials.

The polynomials are in 1/z, the delay by one token, lowest power first: `ema(x, d)` is (1 - d)/(1 - d/z), `prev(x)` is
1/z, and `integral(x, low, high)` is 1/(1 - 1/z). Limits are taken as not reached. See `docs/theory/loop.md`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dyntemp.language.nodes import Binary, Call, Const, Negate, Node, Signal

Polynomial = NDArray[np.float64]

ONE = np.ones(1)
LIMITS = ("clip", "min", "max")


class Response(NamedTuple):
    """numerator(1/z)/denominator(1/z), coefficients by rising power of 1/z.

    Attributes:
        numerator: The coefficients of the numerator.
        denominator: The coefficients of the denominator; the first is 1.
        constant: The value of the node where the signal is 0; None where a memory mixes it with earlier values.
    """

    numerator: Polynomial
    denominator: Polynomial
    constant: float | None = None

    @property
    def gain(self) -> float:
        """The sum of the numerator: the coefficient of the signal where nothing remembers."""
        return float(self.numerator.sum())

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

    def through(self, numerator: list[float], denominator: list[float]) -> Response:
        """The response behind a memory with these polynomials."""
        return Response(np.convolve(self.numerator, numerator), np.convolve(self.denominator, denominator))


def response(node: Node, signal: Signal) -> Response | None:
    """How `node` answers `signal`, other signals held constant; None where it is not linear in it.

    >>> from dyntemp.language.policy import Policy
    >>> from dyntemp.signals import surprisal
    >>> response(Policy("0.7 + integral(0.1*(2.5 - surprisal), -0.5, 0.8)").expression, surprisal)[:2]
    (array([-0.1]), array([ 1., -1.]))
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
            return inner and inner.through([1 - decay], [1.0, -decay])
        case Call("prev", (x,)):
            inner = response(x, signal)
            return inner and inner.through([0.0, 1.0], [1.0])
        case Call("integral", (x, Const(), Const())):
            inner = response(x, signal)
            return inner and inner.through([1.0], [1.0, -1.0])
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


def poles(answer: Response, slope: float) -> NDArray[np.complex128]:
    """The poles of the loop that closes where the signal moves by `slope` per unit of the temperature before.

    They are the roots in z of D(1/z) - slope*N(1/z)/z; each one's share of a disturbance is multiplied by it with
    every token, so the loop converges where all have a modulus below 1.
    """
    closed = _sum(answer.denominator, -slope * np.append(0.0, answer.numerator))
    return np.roots(closed).astype(np.complex128)


def radius(answer: Response, slope: float) -> float:
    """The largest modulus of the loop's poles: the factor by which a disturbance shrinks or grows with each token."""
    return float(np.abs(poles(answer, slope)).max(initial=0.0))


def noise_gain(answer: Response, slope: float, tokens: int = 4096) -> float:
    """The variance of the temperature per unit of variance of the signal's noise, white, where the loop converges.

    It is the sum of squares of the closed loop's impulse response, N/(D - slope*N/z), taken over `tokens`.
    """
    closed = _sum(answer.denominator, -slope * np.append(0.0, answer.numerator))
    impulse = np.zeros(tokens)
    for t in range(tokens):
        value = answer.numerator[t] if t < len(answer.numerator) else 0.0
        past = impulse[max(t - len(closed) + 1, 0) : t][::-1]
        impulse[t] = (value - closed[1 : 1 + len(past)] @ past) / closed[0]
    return float(impulse @ impulse)


def stable_slopes(answer: Response, at_most: float = 1e6) -> tuple[float, float] | None:
    """The range of slopes, from 0 up, with which the loop converges; None if it does not with a small slope.

    The upper end is the first slope that puts a pole on the unit circle: where D(1/z)*z/N(1/z) is real and positive
    for z = exp(i*w). It is infinite if that lies above `at_most`.
    """
    step = 1e-6
    if not radius(answer, step) < 1:
        return None
    low, high = step, step
    while radius(answer, high) < 1:
        low, high = high, high * 1.05
        if high > at_most:
            return 0.0, float("inf")
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if radius(answer, middle) < 1 else (low, middle)
    return 0.0, low
