"""Rows of logits of any array library in blocks, and their sums per block as NumPy arrays on the host."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import array_api_compat
import numpy as np
from numpy.typing import NDArray

from dyntemp.errors import InvalidLogitsError
from dyntemp.kernels.blocks import BLOCK
from dyntemp.kernels.rows import LOWEST, check_row
from dyntemp.language.signals import MAX_SUPPORT

FLOAT32_MAX = float(np.finfo(np.float32).max)
PARTS = (32, BLOCK // 32)
"""A block is summed in 32 parts and then across them, which keeps rounding to a few 1e-7 however a library sums."""

Table = NDArray[np.float64]


def namespace(array: Any) -> Any:
    """The module with the functions for an array; MLX names those of the standard in `mlx.core`."""
    if type(array).__module__.split(".", maxsplit=1)[0] == "mlx":
        import mlx.core

        return mlx.core
    return array_api_compat.array_namespace(array)


def to_host(array: Any) -> NDArray[Any]:
    """An array of any library as a NumPy array."""
    if array_api_compat.is_cupy_array(array):
        return array.get()
    try:
        return np.asarray(array)
    except TypeError:
        return np.from_dlpack(array)


@dataclass(eq=False)
class BlockedRows:
    """Logits in float32, cut into blocks.

    Attributes:
        xp: The module with the array library's functions.
        z: [rows, blocks, 2048], -inf where masked and beyond the end.
        dtype: The name of the dtype that was given.
        width: How many logits a row has.
        single: Whether one row of shape [n] was given, whose results are 0-d.
    """

    xp: Any
    z: Any
    dtype: str
    width: int
    single: bool

    def __len__(self) -> int:
        return int(self.z.shape[0])

    def wrap(self, values: NDArray[Any]) -> Any:
        """A NumPy array in the library of the logits, in float32 where that has nothing wider."""
        return self.xp.asarray(values)

    def shown(self, values: Any) -> Any:
        """[rows] values as the caller sees them."""
        return values[0] if self.single else values

    def per_row(self, values: Any) -> Any:
        """Numbers of the rows, or one for all, as float32 that broadcasts against `z`."""
        numbers = np.broadcast_to(np.asarray(values, np.float64), (len(self),))
        with np.errstate(over="ignore"):
            return self.xp.asarray(numbers.astype(np.float32).reshape(-1, 1, 1))

    def block_sums(self, values: Any) -> Table:
        """The sum of [rows, blocks, 2048] float32 values over each block."""
        rows, blocks, _ = values.shape
        parts = self.xp.sum(self.xp.reshape(values, (rows, blocks, *PARTS)), axis=-1)
        return to_host(self.xp.sum(parts, axis=-1)).astype(np.float64)

    def sums(self, values: Any) -> Table:
        """The sum of [rows, blocks, 2048] float32 values over each row."""
        return self.block_sums(values).sum(axis=1)

    def counts(self, where: Any) -> Table:
        """The number of entries of each row where `where` is true."""
        return self.sums(self.xp.astype(where, self.xp.float32))

    def highest(self, values: Any) -> Table:
        """The largest value of each block, [rows, blocks]."""
        return to_host(self.xp.max(values, axis=-1)).astype(np.float64)

    @cached_property
    def tops(self) -> Table:
        """The largest logit of each block, [rows, blocks]."""
        return self.highest(self.z)

    @cached_property
    def top(self) -> Table:
        """The largest logit of each row."""
        return self.tops.max(axis=1)

    @cached_property
    def support(self) -> Table:
        """The number of unmasked entries of each row."""
        return self.counts(self.z > -np.inf)

    @cached_property
    def half_below(self) -> Any:
        """Half of z - top: halves of float32 are never infinitely far apart."""
        return self.z * 0.5 - self.per_row(self.top / 2)

    def weights(self, inverse: Any) -> Any:
        """e^((z - top)/T) for 1/T of each row or for all: 1 at T = infinity, 0 where masked."""
        steps = self.per_row(np.minimum(np.asarray(inverse, np.float64) * 2, FLOAT32_MAX))
        exponent = self.xp.where(self.half_below > -np.inf, self.half_below, 0.0) * steps
        return self.xp.where(self.z > -np.inf, self.xp.exp(exponent), 0.0)

    def block_of(self, rows: NDArray[Any], blocks: NDArray[Any]) -> Table:
        """One block of each of some rows on the host, [len(rows), 2048]."""
        flat = self.xp.reshape(self.z, (-1, BLOCK))
        at = self.xp.asarray((rows * self.z.shape[1] + blocks).astype(np.int32))
        return to_host(self.xp.take(flat, at, axis=0)).astype(np.float64)

    def row(self, number: int) -> Table:
        """A whole row on the host."""
        return to_host(self.z[number, :, :]).astype(np.float64).reshape(-1)[: self.width]


def flat(logits: Any) -> tuple[Any, Any, str]:
    """The namespace of logits, the logits as [rows, n], and the name of their dtype.

    Raises:
        InvalidLogitsError: For another dtype or shape, no columns or too many.
    """
    xp = namespace(logits)
    dtype = str(logits.dtype).rsplit(".", maxsplit=1)[-1]
    if dtype == "float64":
        raise InvalidLogitsError(
            "logits of dtype float64 were given; the array_api backend computes in float32: cast them, or pass them as "
            'NumPy arrays to backend="cpu" or "reference"'
        )
    if dtype not in LOWEST:
        raise InvalidLogitsError(f"logits of dtype {dtype} were given; float32, float16 and bfloat16 are allowed")
    if logits.ndim not in (1, 2):
        raise InvalidLogitsError(f"logits of shape {tuple(logits.shape)} were given; [rows, n] or [n] are allowed")
    if not 1 <= logits.shape[-1] <= MAX_SUPPORT:
        raise InvalidLogitsError(f"rows of {logits.shape[-1]} logits were given; 1 to {MAX_SUPPORT} are allowed")
    return xp, logits if logits.ndim == 2 else xp.reshape(logits, (1, -1)), dtype


def as_rows(logits: Any, position: Any) -> BlockedRows:
    """`logits` as rows.

    Raises:
        InvalidLogitsError: As `flat`, and for a row with NaN, +inf, or no unmasked entry.
    """
    xp, z, dtype = flat(logits)
    z = xp.astype(z, xp.float32)
    count, width = z.shape
    if lacking := -width % BLOCK:
        z = xp.concat([z, xp.full((count, lacking), -np.inf, dtype=xp.float32)], axis=1)
    z = xp.reshape(z, (count, -1, BLOCK)) if count else xp.reshape(z, (0, z.shape[1] // BLOCK, BLOCK))
    rows = BlockedRows(xp, xp.where(z <= LOWEST[dtype] / 2, -np.inf, z), dtype, width, logits.ndim == 1)
    if count:
        nan = rows.counts(rows.z != rows.z)
        above = rows.counts(rows.z == np.inf)
        for row in np.flatnonzero((nan > 0) | (above > 0) | (rows.support == 0)).tolist():
            check_row(row, position, bool(nan[row]), np.inf if above[row] else -np.inf)
    return rows
