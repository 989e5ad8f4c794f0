"""Programs that models write: read by Python, and run once each in the sandbox."""

from __future__ import annotations

import ast
import warnings
from functools import lru_cache
from typing import Final

from dyntemp.evaluation.sandbox import Outcome, run_code

SECONDS: Final = 5.0
"""Most time for one program. Right ones take a hundredth, so that a busy machine changes no score."""


def normal(source: str) -> str | None:
    """A program as `ast.unparse` writes it, without comments; None if Python cannot read it.

    >>> normal("x=max( a,b )  # the larger")
    'x = max(a, b)'
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes such as "\d"
            return ast.unparse(ast.parse(source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


@lru_cache(maxsize=65536)
def outcome_of(source: str) -> Outcome:
    """The outcome of a program; equal ones run once."""
    return run_code(source, seconds=SECONDS)
