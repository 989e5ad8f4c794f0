"""Numbers as text: float32, little-endian, in base64. 50 of them take 268 characters."""

from __future__ import annotations

from base64 import b64decode, b64encode

import numpy as np
from numpy.typing import ArrayLike, NDArray


def packed(values: ArrayLike) -> str:
    """The numbers as text; those of an array of several dimensions go row by row."""
    return b64encode(np.asarray(values, "<f4").tobytes()).decode()


def unpacked(text: str) -> NDArray[np.float32]:
    """The numbers of a text that `packed` wrote, in one dimension.

    Raises:
        ValueError: For a text that is no base64, or not of whole numbers.

    >>> unpacked(packed([0.5, -2])).tolist()
    [0.5, -2.0]
    """
    return np.frombuffer(b64decode(text, validate=True), "<f4").astype(np.float32)
