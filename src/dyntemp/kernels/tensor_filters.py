"""The chain of filters for all rows at once, without a look: `dyntemp.distribution.truncation` has the formulas."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from dyntemp.distribution.filters import GREEDY_AT, Filters
from dyntemp.distribution.truncation import SLACK
from dyntemp.kernels.tensor_select import reaching


class Remaining(NamedTuple):
    """The entries that a filter reads; see `dyntemp.distribution.truncation.Remaining`.

    Attributes:
        z: [rows, n], as wide as sums; -inf where masked or filtered out.
        w: exp((z - max)/T), [rows, n]; 0 there.
        coin: [rows]; None where no filter of the chain reads one.
    """

    z: Tensor
    w: Tensor
    coin: Tensor | None = None

    @property
    def total(self) -> Tensor:
        """The sum of w, [rows, 1]."""
        return self.w.sum(-1, keepdim=True)

    @property
    def entropy(self) -> Tensor:
        """In nats, [rows, 1]."""
        return self.total.log() - torch.special.xlogy(self.w, self.w).sum(-1, keepdim=True) / self.total


def mask(z: Tensor, temperature: Tensor, filters: Filters, coins: Tensor | None = None) -> Tensor:
    """The entries of each row that stay, bool [rows, n].

    Args:
        z: [rows, n], as wide as sums; -inf where masked.
        temperature: [rows].
        filters: The filters to apply.
        coins: A number in (0, 1) for each step of the filters, [rows, steps]; None where all are cuts.
    """
    kept = z > -torch.inf
    for number, step in enumerate(filters.steps):
        left = torch.where(kept, z, -torch.inf)
        below = _relative(left, temperature) if step.after else left - left.amax(-1, keepdim=True)
        w = torch.where(kept, below.exp(), 0.0)
        coin = None if coins is None else coins[:, number]
        stays = kept & KEEPS[step.name](Remaining(left, w, coin), *step.arguments)
        if step.after:
            first = torch.arange(z.shape[-1], device=z.device) == left.argmax(-1, keepdim=True)
            stays = torch.where((temperature <= GREEDY_AT)[:, None], first, stays)
        kept = stays
    return kept


def _relative(z: Tensor, temperature: Tensor) -> Tensor:
    """(z - max)/T; 0 at infinity, where all are equally likely."""
    t = temperature.clamp(min=GREEDY_AT)[:, None]
    return torch.where(t.isinf() & (z > -torch.inf), 0.0, (z - z.amax(-1, keepdim=True)) / t)


def keep_top_k(left: Remaining, k: float) -> Tensor:
    """The k largest above -inf of each row, exactly; ties by lower index."""
    z, count = left.z, int(k)
    if count >= z.shape[-1]:
        return z > -torch.inf
    smallest = z.topk(count).values[:, -1:]
    above = z > smallest
    return (above | _first(z == smallest, count - above.sum(-1, keepdim=True))) & (z > -torch.inf)


def keep_top_p(left: Remaining, share: float) -> Tensor:
    """The likeliest up to and with the one that brings the sum of w to `share` of the whole; ties by lower index."""
    z, w = left.z, left.w
    goal = share * (1 - SLACK) * w.sum(-1)
    cut = reaching(z + 0.0, lambda entries: torch.where(entries, w, 0.0).sum(-1), goal)[:, None]
    above, ties = z > cut, z == cut
    missing = goal[:, None] - torch.where(above, w, 0.0).sum(-1, keepdim=True)
    each = torch.where(ties, w, 0.0).amax(-1, keepdim=True)
    return above | _first(ties, (missing / each).ceil().clamp(min=1))


def _first(entries: Tensor, count: Tensor) -> Tensor:
    """The first `count` of the entries of each row."""
    return entries & (entries.cumsum(-1) <= count)


def keep_top_n_sigma(left: Remaining, n: float) -> Tensor:
    """The entries whose logits lie at most n standard deviations below the largest."""
    inside, highest = left.z > -torch.inf, left.z.amax(-1, keepdim=True)
    count = inside.sum(-1, keepdim=True)
    d = torch.where(inside, left.z - highest, 0.0)
    apart = torch.where(inside, d - d.sum(-1, keepdim=True) / count, 0.0)
    sigma = ((apart * apart).sum(-1, keepdim=True) / count).sqrt()
    return (left.z >= highest - n * sigma * (1 + SLACK)) | ~sigma.isfinite()


def keep_from(w: Tensor, least: Tensor) -> Tensor:
    """The entries whose weight is at least `least`, [rows, 1]; those of the largest weight, 1, where none is."""
    return w >= (least * (1 - SLACK)).clamp(max=1.0)


def keep_eta(left: Remaining, epsilon: float) -> Tensor:
    """The entries with p >= min(epsilon, sqrt(epsilon)*exp(-H))."""
    return keep_from(left.w, (epsilon**0.5 * (-left.entropy).exp()).clamp(max=epsilon) * left.total)


def _sorted(z: Tensor) -> Tensor:
    """The indices of each row in the order of falling logits, ties by lower index."""
    return z.sort(dim=-1, descending=True, stable=True).indices


def _placed(kept: Tensor, order: Tensor) -> Tensor:
    """A mask in the order of the row, from one in another order."""
    return torch.zeros_like(kept).scatter(-1, order, kept)


def keep_top_h(left: Remaining, alpha: float) -> Tensor:
    """The likeliest, as many as have together an entropy of at most alpha times that of the row."""
    order = _sorted(left.z)
    e = left.w.gather(-1, order)
    total = e.cumsum(-1)
    h = total.log() - torch.special.xlogy(e, e).cumsum(-1) / total
    within = (h <= alpha * h[:, -1:] * (1 + SLACK)) & (e > 0)
    return _placed(within.index_fill(-1, torch.zeros(1, dtype=torch.int64, device=h.device), True), order)


def keep_tfs(left: Remaining, share: float) -> Tensor:
    """The entries before the tail; see the reference."""
    order = _sorted(left.z)
    n = order.shape[-1]
    count = (left.z > -torch.inf).sum(-1, keepdim=True)
    place = torch.arange(n, device=order.device)
    if n <= 2:
        return place.expand(order.shape) < n
    bends = torch.where(place[:-2] < count - 2, left.w.gather(-1, order).diff(n=2).abs(), 0.0)
    straight = bends.sum(-1, keepdim=True) <= SLACK
    reached = torch.where(straight, (place[:-2] < count - 2).to(bends.dtype), bends).cumsum(-1)
    before = (reached <= share * reached[:, -1:] * (1 + SLACK)).sum(-1, keepdim=True)
    return _placed(place < torch.where(count <= 2, count, 1 + before), order)


def keep_typical(left: Remaining, share: float) -> Tensor:
    """The entries whose surprisal is nearest to the entropy, up to and with the one that brings them to `share`."""
    surprisal = left.total.log() - left.w.log()
    away = torch.where(left.z > -torch.inf, (surprisal - left.entropy).abs(), torch.inf)
    order = away.sort(dim=-1, stable=True).indices
    reached = left.w.gather(-1, order).cumsum(-1)
    before = reached - left.w.gather(-1, order)
    return _placed(before < share * reached[:, -1:] * (1 - SLACK), order)


def keep_xtc(left: Remaining, threshold: float, probability: float) -> Tensor:
    """With `probability`, of the entries with p >= threshold only the least likely; all others stay."""
    assert left.coin is not None, "the noise of a chain with xtc"
    inside = left.z > -torch.inf
    choices = inside & (left.w >= threshold * left.total * (1 - SLACK))
    least = torch.where(choices, left.z, torch.inf).argmin(-1, keepdim=True)
    last = torch.arange(left.z.shape[-1], device=left.z.device) == least
    drops = (left.coin < probability)[:, None] & (choices.sum(-1, keepdim=True) >= 2)
    return torch.where(drops, inside & (~choices | last), inside)


KEEPS: dict[str, Callable[..., Tensor]] = {
    "top_k": keep_top_k,
    "top_p": keep_top_p,
    "min_p": lambda left, share: left.w >= share,
    "top_n_sigma": keep_top_n_sigma,
    "typical": keep_typical,
    "eta": keep_eta,
    "epsilon": lambda left, epsilon: keep_from(left.w, epsilon * left.total),
    "top_a": lambda left, a: keep_from(left.w, a / left.total),
    "tfs": keep_tfs,
    "xtc": keep_xtc,
    "p_less": lambda left: keep_from(left.w, (left.w * left.w).sum(-1, keepdim=True) / left.total),
    "top_h": keep_top_h,
}
"""The mask of each filter, bool [rows, n]."""


def end(z: Tensor, kept: Tensor) -> tuple[Tensor, Tensor]:
    """The lowest logit that stays in each row and the highest index that stays among its equals; all stay at -inf."""
    rest = torch.where(kept, z, torch.inf)
    cut = rest.amin(-1)
    n = z.shape[-1]
    last = n - 1 - (rest == cut[:, None]).flip(-1).int().argmax(-1)
    everything = (kept | (z == -torch.inf)).all(-1)
    return torch.where(everything, -torch.inf, cut), torch.where(everything, n - 1, last)
