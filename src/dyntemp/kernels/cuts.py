"""The filters that kernels run, as arrays: the cuts, which keep the likeliest entries up to some place."""

from __future__ import annotations

from enum import IntEnum
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from dyntemp.distribution.filters import Filters


class Cut(IntEnum):
    """The number of each cut in the arrays of `steps_of`; the names are those of `FILTERS`, in capitals."""

    TOP_K = 0
    TOP_P = 1
    MIN_P = 2
    TOP_N_SIGMA = 3
    ETA = 4
    EPSILON = 5
    TOP_A = 6
    TFS = 7
    P_LESS = 8
    TOP_H = 9


KIND, ARGUMENT, AFTER = range(3)
"""The columns of the array of `steps_of`."""


@lru_cache(maxsize=256)
def steps_of(filters: Filters) -> NDArray[np.float64]:
    """A chain of cuts, [steps, 3]: the number of the cut, its argument, and 1 where it reads the draw's temperature."""
    steps = [
        (Cut[step.name.upper()], step.arguments[0] if step.arguments else 0.0, step.after) for step in filters.steps
    ]
    return np.array(steps, np.float64).reshape(-1, 3)
