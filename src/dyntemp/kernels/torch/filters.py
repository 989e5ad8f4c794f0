"""The truncation filters of `filters.Filters.mask` for all rows at once, without sorting and without a look."""

from __future__ import annotations

import torch
from torch import Tensor

from dyntemp.distribution.filters import GREEDY_AT, Filters
from dyntemp.distribution.truncation import SLACK
from dyntemp.kernels.torch.signals import reaching


def mask(z: Tensor, temperature: Tensor, filters: Filters) -> Tensor:
    """The entries of each row that stay, bool [rows, n].

    Args:
        z: [rows, n], as wide as sums; -inf where masked.
        temperature: [rows].
        filters: The filters to apply.
    """
    kept = z > -torch.inf
    if filters.top_k > 0:
        kept = keep_top_k(z, filters.top_k)
    if filters.top_p < 1 or filters.min_p > 0:
        p = (z - z.amax(-1, keepdim=True)) if filters.at == "model" else _relative(z, temperature)
        p = torch.where(kept, p.exp(), 0.0)
        if filters.top_p < 1:
            kept = kept & keep_top_p(z, p, filters.top_p)
        if filters.min_p > 0:
            kept = kept & (p >= filters.min_p)
    if filters.at == "temperature":
        first = torch.arange(z.shape[-1], device=z.device) == z.argmax(-1, keepdim=True)
        kept = torch.where((temperature <= GREEDY_AT)[:, None], first, kept)
    return kept


def _relative(z: Tensor, temperature: Tensor) -> Tensor:
    """(z - max)/T; 0 at infinity, where all are equally likely."""
    t = temperature.clamp(min=GREEDY_AT)[:, None]
    return torch.where(t.isinf() & (z > -torch.inf), 0.0, (z - z.amax(-1, keepdim=True)) / t)


def keep_top_k(z: Tensor, k: int) -> Tensor:
    """The k largest above -inf of each row, exactly; ties by lower index."""
    if k >= z.shape[-1]:
        return z > -torch.inf
    smallest = z.topk(k).values[:, -1:]
    above = z > smallest
    return (above | _first(z == smallest, k - above.sum(-1, keepdim=True))) & (z > -torch.inf)


def keep_top_p(z: Tensor, p: Tensor, share: float) -> Tensor:
    """The likeliest up to and with the one that brings the sum of `p` to `share` of the whole; ties by lower index."""
    goal = share * (1 - SLACK) * p.sum(-1)
    cut = reaching(z + 0.0, lambda entries: torch.where(entries, p, 0.0).sum(-1), goal)[:, None]
    above, ties = z > cut, z == cut
    missing = goal[:, None] - torch.where(above, p, 0.0).sum(-1, keepdim=True)
    each = torch.where(ties, p, 0.0).amax(-1, keepdim=True)
    return above | _first(ties, (missing / each).ceil().clamp(min=1))


def _first(entries: Tensor, count: Tensor) -> Tensor:
    """The first `count` of the entries of each row."""
    return entries & (entries.cumsum(-1) <= count)


def end(z: Tensor, kept: Tensor) -> tuple[Tensor, Tensor]:
    """The lowest logit that stays in each row and the highest index that stays among its equals; all stay at -inf."""
    rest = torch.where(kept, z, torch.inf)
    cut = rest.amin(-1)
    n = z.shape[-1]
    last = n - 1 - (rest == cut[:, None]).flip(-1).int().argmax(-1)
    everything = (kept | (z == -torch.inf)).all(-1)
    return torch.where(everything, -torch.inf, cut), torch.where(everything, n - 1, last)
