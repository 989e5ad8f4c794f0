"""Rows of logits on any device, as tensors that can be computed with whether or not a row is broken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dyntemp.kernels.rows import check_row
from dyntemp.kernels.tensors import DTYPES, can_read, tensor_of, wide_of


@dataclass(slots=True, eq=False)
class TensorRows:
    """Rows that can be computed with: a broken row is all zeros here.

    Attributes:
        z: [rows, n], float64 where the rows were, else float32; masked entries hold what they held.
        kept: Which entries are unmasked, bool [rows, n].
        highest: The largest logit of each row, [rows], without a gradient.
        broken: Which rows have no distribution, bool [rows]; None where such rows have raised.
        single: Whether one row of shape [n] was given.
        numpy: Whether a NumPy array was given, so that the caller gets arrays back.
    """

    z: Tensor
    kept: Tensor
    highest: Tensor
    broken: Tensor | None
    single: bool
    numpy: bool

    @property
    def count(self) -> int:
        """How many there are."""
        return self.z.shape[0]

    @property
    def wide(self) -> torch.dtype:
        """The dtype of sums and temperatures."""
        return wide_of(self.z.device)

    def below(self) -> Tensor:
        """How far each entry lies below the highest, [rows, n], as wide as sums; 0, without gradient, where masked."""
        highest = self.highest.to(self.wide)[:, None]
        return torch.where(self.kept, self.z.to(self.wide), highest) - highest

    def where_sound(self, values: Tensor, otherwise: float) -> Tensor:
        """[rows] values, but `otherwise` in broken rows."""
        return values if self.broken is None else torch.where(self.broken, otherwise, values)

    def shown(self) -> Callable[[Any], Any]:
        """A function from [rows] values to the values that the caller sees, which are 0-d where one row was given."""
        return _first if self.single else _all

    def handed(self, values: Tensor | None) -> Any:
        """A tensor in the library of the input."""
        return values.detach().numpy() if self.numpy and values is not None else values


def _first(values: Any) -> Any:
    return values[0]


def _all(values: Any) -> Any:
    return values


def read(logits: Any, position: Any) -> TensorRows:
    """`logits` as rows.

    Raises:
        InvalidLogitsError: As `tensor_of`; and on the host for a row with NaN, +inf or no unmasked entry.
    """
    tensor = tensor_of(logits)
    rows = tensor if tensor.ndim == 2 else tensor[None]
    z = rows if rows.dtype == torch.float64 else rows.to(torch.float32)
    masked_at = DTYPES[rows.dtype] / 2
    highest = z.detach().amax(-1)  # NaN where any entry is
    broken = ~(highest > masked_at) | (highest == torch.inf)
    if can_read(z.device):
        if bool(broken.any()):
            row = int(broken.int().argmax())
            found = float(highest[row])
            check_row(row, position, np.isnan(found), found if found > masked_at else -np.inf)
        broken = None
    else:
        z = torch.where(broken[:, None], 0.0, z)
        highest = torch.where(broken, 0.0, highest)
    return TensorRows(z, z > masked_at, highest, broken, tensor.ndim == 1, not isinstance(logits, Tensor))
