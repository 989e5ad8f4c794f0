"""Shared by the tests of the converter: rows, numbers, and the distribution that `sample` draws from."""

from functools import partial

import numpy as np
from hypothesis import strategies as st

from dyntemp import scale, temperatures

WHOLE = {"top_k": 0, "top_p": 1.0, "min_p": 0.0}
temperatures_of = partial(temperatures, backend="reference")


def softmax(z):
    e = np.exp(z - z.max())
    return e / e.sum()


def drawn(row, found):
    """The distribution that `sample` draws from, by the formulas."""
    temperature = float(temperatures_of(row, found.policy))
    kept = np.where(found.filters.mask(row, temperature), row, -np.inf)
    return softmax(scale(kept, temperature, backend="reference"))


rows = st.lists(st.integers(-1200, 1200), min_size=2, max_size=40, unique=True).map(lambda x: np.array(x) / 100)
"""Rows without ties, which programs break in different ways."""

warm = st.floats(0.02, 3).map(lambda x: round(x, 3))
exponents = st.floats(0.1, 4).map(lambda x: round(x, 2))
