"""The totals of the curves of draws, from rows of logits that are tensors; see `dyntemp.distribution.draw_curve`."""

from __future__ import annotations

import torch
from torch import Tensor

from dyntemp.distribution.draw_curve import TEMPERATURES

AT_ONCE = 2**24
"""Logits that are read at a time: 64 MiB of float32 beside the rows."""


def draw_totals(logits: Tensor) -> Tensor:
    """L at `TEMPERATURES`, float32 [rows, 49]: ln of the sum of exp((z - max z)/T) over the entries that are not -inf.

    Each row is read once for each temperature. Sums are of float32, off by less than 1e-6.

    Args:
        logits: The rows at temperature 1, [rows, n], of any floating type; -inf where an entry is masked.
    """
    return torch.cat([_of_some(part) for part in logits.split(max(1, AT_ONCE // logits.shape[-1]))])


def _of_some(logits: Tensor) -> Tensor:
    below = logits.float()
    below = below - below.amax(dim=-1, keepdim=True)
    weight = torch.empty_like(below)
    sums = [torch.mul(below, 1 / t, out=weight).exp_().sum(dim=-1) for t in TEMPERATURES.tolist()]
    return torch.stack(sums, dim=-1).log()
