"""Maximal coupling: a run draws from its own distribution, and the token of another run as often as possible.

With p the other run's distribution and q ours, the other's token x is kept with probability min(1, q(x)/p(x)); else a
token is drawn from the positive part of q - p. The result is distributed by q, and no other way of drawing agrees with
the other run more often (Thorisson 2000, "Coupling, Stationarity, and Regeneration").
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dyntemp.distribution.noise import Purpose, uniform


def keeps(ours: float, theirs: float, seed: int, request: int, position: int) -> bool:
    """Return True where the other run's token is kept; its probability is `ours` here and `theirs` there."""
    return uniform(seed, request, position, 0, Purpose.KEEP) * theirs < ours


def parts(excess: NDArray[Any] | Iterable[float], seed: int, request: int, position: int) -> int:
    """The entry that is drawn instead, from the differences ours - theirs, `excess`; -1 where none is positive.

    Entries are in the order of falling probability at temperature 1, ties by lower number, so that a recorded run
    that knows only the likeliest decides as a live one does.
    """
    reached = np.cumsum(np.maximum(np.asarray(excess, np.float64), 0.0))
    if not len(reached) or not reached[-1] > 0:
        return -1
    drawn = uniform(seed, request, position, 1, Purpose.KEEP) * reached[-1]
    return int(np.searchsorted(reached, drawn, side="right").clip(0, len(reached) - 1))
