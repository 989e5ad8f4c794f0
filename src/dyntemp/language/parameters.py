"""Parameters of a policy: making them, and finding those of an expression."""

from __future__ import annotations

import re

from dyntemp.errors import PolicyError
from dyntemp.language.nodes import Const, Node, Parameter, lift, walk

PARAMETER_NAME = re.compile(r"[A-Za-z][0-9]*\Z")
"""Names that are parameters without being declared: one letter and digits. Longer ones need `param(...)`."""


def param(name: str, low: float | None = None, high: float | None = None) -> Parameter:
    """A parameter of a policy, with the range in which tuning and learning may move it.

    Args:
        name: One letter and digits (`a`, `k1`, `T0`) may stand alone; any other identifier needs a range.
        low: Smallest value allowed, or None together with `high` for no range.
        high: Largest value allowed.

    Raises:
        PolicyError: For a name that is no identifier, a longer name without a range, or `low >= high`.

    >>> str(param("theta", 0.1, 2) * 0.5)
    'param("theta", 0.1, 2)*0.5'
    """
    if not isinstance(name, str) or not name.isascii() or not name.isidentifier():
        given = f"`{name}`" if isinstance(name, Node) else repr(name)
        raise PolicyError(f"a parameter's name is letters, digits and _, but {given} was given")
    if low is None and high is None:
        if not PARAMETER_NAME.match(name):
            raise PolicyError(f'parameter {name!r} needs a range: write param("{name}", low, high)')
        return Parameter(name)
    if low is None or high is None:
        raise PolicyError(f'parameter {name!r} has one end of a range: write param("{name}", low, high)')
    low, high = lift(low), lift(high)  # type: ignore[assignment]
    if not isinstance(low, Const) or not isinstance(high, Const):
        raise PolicyError(f"the range of parameter {name!r} must be two numbers")
    if not low.value < high.value:
        raise PolicyError(f"parameter {name!r} has the empty range {low} to {high}: low must be below high")
    return Parameter(name, low.value, high.value)


def parameters_of(node: Node) -> dict[str, Parameter]:
    """The parameters that occur in `node`, by name, in order of appearance.

    Raises:
        PolicyError: If one name occurs with two ranges.
    """
    found: dict[str, Parameter] = {}
    for part in walk(node):
        if isinstance(part, Parameter) and found.setdefault(part.name, part) != part:
            raise PolicyError(f"parameter {part.name!r} occurs with two ranges: give it one")
    return found
