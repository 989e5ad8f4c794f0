"""Selection in rows of tensors on any device, without sorting and without reading any number."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def reaching(z: Tensor, weigh: Callable[[Tensor], Tensor], goal: Tensor) -> Tensor:
    """The largest number x of each row at which `weigh(z >= x)` is at least `goal`, [rows]: an entry of the row.

    The bits of floats, as whole numbers, have the order of the floats but for the sign, so x is found bit by bit from
    the highest: as many passes as a number has bits, whatever the row, and no sorting.

    Args:
        z: [rows, n], without NaN and -0.0.
        weigh: Entries, bool [rows, n] -> their weight, [rows], which no added entry lowers.
        goal: At most the weight of all.
    """
    whole, bits = (torch.int64, 64) if z.dtype == torch.float64 else (torch.int32, 32)
    low, high = torch.iinfo(whole).min, torch.iinfo(whole).max
    keys = _mirrored(z.view(whole), high)
    found = torch.full_like(keys[:, 0], low)
    for bit in reversed(range(bits)):
        further = found ^ (low if bit == bits - 1 else 1 << bit)
        found = torch.where(weigh(keys >= further[:, None]) >= goal, further, found)
    return _mirrored(found, high).view(z.dtype)


def _mirrored(bits: Tensor, high: int) -> Tensor:
    """The bits of negative floats in the order of the floats; twice gives them back."""
    return torch.where(bits < 0, bits ^ high, bits)
