"""Rows of logits on any device, and plain numbers beside them, as tensors that are never read back to the host."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dyntemp.errors import InvalidLogitsError
from dyntemp.kernels.rows import LOWEST, as_rows, check_row
from dyntemp.language.signals import MAX_SUPPORT
from dyntemp.language.state import whole

DTYPES = {getattr(torch, name): lowest for name, lowest in LOWEST.items()}
"""What rows may hold, and the lowest number of each."""


def on_host(device: torch.device) -> bool:
    """Whether numbers there can be looked at without waiting: on the CPU, unless `torch.compile` traces."""
    return device.type == "cpu" and not torch.compiler.is_compiling()


def wide_of(device: torch.device) -> torch.dtype:
    """The dtype of sums and of everything that decides a temperature: float64 where the device has it."""
    return torch.float32 if device.type == "mps" else torch.float64


@dataclass(slots=True, eq=False)
class Rows:
    """Rows that can be computed with, whatever was given: a broken row is all zeros here.

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
        """What turns [rows] values into what the caller sees: 0-d where one row was given."""
        return _first if self.single else _all

    def handed(self, values: Tensor | None) -> Any:
        """A tensor in the library of the input."""
        return values.detach().numpy() if self.numpy and values is not None else values


def _first(values: Any) -> Any:
    return values[0]


def _all(values: Any) -> Any:
    return values


def tensor_of(logits: Any) -> Tensor:
    """`logits` as a tensor of one of the dtypes that rows may have: itself, or one that shares an array's memory.

    Raises:
        InvalidLogitsError: For another dtype or shape, no columns or too many of them, or a tensor without numbers.
    """
    if not isinstance(logits, Tensor):
        rows = as_rows(logits)
        data = rows.data if rows.data.flags.writeable and min(rows.data.strides) >= 0 else rows.data.copy()
        tensor = torch.from_numpy(data)
        tensor = tensor.view(torch.bfloat16) if rows.dtype == "bfloat16" else tensor
        return tensor[0] if rows.single else tensor
    if logits.dtype not in DTYPES or logits.device.type == "meta":
        what = f"on {logits.device}" if logits.dtype in DTYPES else f"of dtype {logits.dtype}"
        raise InvalidLogitsError(
            f"logits {what} were given; float64, float32, float16 and bfloat16 are allowed, on a device that computes"
        )
    if logits.ndim not in (1, 2):
        raise InvalidLogitsError(f"logits of shape {tuple(logits.shape)} were given; [rows, n] or [n] are allowed")
    if not 1 <= logits.shape[-1] <= MAX_SUPPORT:
        raise InvalidLogitsError(f"rows of {logits.shape[-1]} logits were given; 1 to {MAX_SUPPORT} are allowed")
    return logits


def read(logits: Any, position: Any) -> Rows:
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
    if on_host(z.device):
        if bool(broken.any()):
            row = int(broken.int().argmax())
            found = float(highest[row])
            check_row(row, position, np.isnan(found), found if found > masked_at else -np.inf)
        broken = None
    else:
        z = torch.where(broken[:, None], 0.0, z)
        highest = torch.where(broken, 0.0, highest)
    return Rows(z, z > masked_at, highest, broken, tensor.ndim == 1, not isinstance(logits, Tensor))


def numbers(name: str, value: Any, rows: int, device: torch.device, limit: int) -> Tensor:
    """`value` as one whole number per row, int64 [rows]; of numbers above 2**63 the bits. None is the rows' numbers.

    A tensor is taken as it is. Numbers and arrays are checked, and never waited for on their way to the device.

    Raises:
        ValueError: For numbers that are not whole or not from 0 to `limit` - 1, or for a wrong number of them.
    """
    if value is None:
        return torch.arange(rows, dtype=torch.int64, device=device)
    if isinstance(value, Tensor):
        return value.to(device, torch.int64).expand(rows)
    if type(value) is int and 0 <= value < limit:
        return torch.full((rows,), value if value < 2**63 else value - 2**64, dtype=torch.int64, device=device)
    return to_device(whole(name, value, rows, np.uint64, limit).view(np.int64), device)


def to_device(array: Any, device: torch.device) -> Tensor:
    """A copy of a NumPy array there, without waiting for it."""
    return torch.from_numpy(np.array(array)).to(device, non_blocking=device.type == "cuda")


def known(*values: Any) -> bool:
    """Whether all of these can be looked at on the host."""
    return not torch.compiler.is_compiling() and all(
        not isinstance(value, Tensor) or on_host(value.device) for value in values
    )
