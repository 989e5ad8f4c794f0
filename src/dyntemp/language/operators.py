"""The operators of the policy language: how each computes, and how tightly it binds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class Operator:
    """How an operator computes and how tightly it binds. Values are float64 and extended reals."""

    symbol: str
    precedence: int
    value: Callable[[Any, Any], Any] = field(repr=False)


def divide(left: Any, right: Any) -> Any:
    """`left / right`; a zero divisor counts as +0.0, so that 1/0 and 1/-0.0 are +inf."""
    return np.divide(left, np.add(right, 0.0))


def raised(base: Any, exponent: Any) -> Any:
    """`base ** exponent`; a zero base counts as +0.0, so that 0**-1 is +inf."""
    return np.power(np.add(base, 0.0), exponent)


OPERATORS = {
    operator.symbol: operator
    for operator in (
        Operator("+", 1, np.add),
        Operator("-", 1, np.subtract),
        Operator("*", 2, np.multiply),
        Operator("/", 2, divide),
        Operator("**", 4, raised),
    )
}
NEGATION_PRECEDENCE = 3

COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
}
