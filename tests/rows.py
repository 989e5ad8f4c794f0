"""Makers of awkward rows that several tests share."""

from math import inf

import numpy as np


def masked(row, where, with_=-inf):
    """`row` as float64, with another number at some places."""
    row = np.array(row, np.float64)
    row[where] = with_
    return row
