"""The functions of the policy language as Python callables, which build expressions.

`min`, `max` and `abs` shadow Python's own for whoever imports them.
"""

from __future__ import annotations

from collections.abc import Callable

from dyntemp.language.functions import FUNCTIONS, call
from dyntemp.language.nodes import Expression
from dyntemp.language.parameters import param

__all__ = [
    "abs", "clip", "ema", "exp", "halfcos", "integral", "lerp", "log", "max", "min", "param", "prev", "sigmoid", "sqrt",
    "tanh", "where",
]  # fmt: skip


def _door(name: str) -> Callable[..., Expression]:
    """The Python callable that builds calls of the function `name`."""

    def build(*arguments: object) -> Expression:
        return call(name, *arguments)

    record = FUNCTIONS[name]
    build.__name__ = build.__qualname__ = name
    build.__doc__ = f"`{name}({', '.join(record.arguments)})`: {record.meaning}."
    return build


exp, log, sqrt, abs, tanh, sigmoid = map(_door, ("exp", "log", "sqrt", "abs", "tanh", "sigmoid"))  # noqa: A001
min, max, clip, lerp, where = map(_door, ("min", "max", "clip", "lerp", "where"))  # noqa: A001
halfcos = _door("halfcos")
ema, prev, integral = map(_door, ("ema", "prev", "integral"))
