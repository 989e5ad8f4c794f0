"""Signals of rows of logits in torch, differentiable in the logits; the sums are float64 where the device has it.

A masked entry adds nothing to any sum and gets a gradient of 0. A signal that selects entries by order (the likeliest,
a quantile) passes its gradient to the selected entries.
"""

# ruff: noqa: D103 (the table of signals says what each is)
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from dyntemp.kernels.tensor_select import reaching
from dyntemp.kernels.tensors import can_read
from dyntemp.kernels.torch.rows import TensorRows

LOWEST_EXPONENT = -1000.0
"""exp(-1000) is 0 in every dtype, and its products with other terms of a sum stay finite."""

NEWTON_STEPS = 80
"""Steps of `solve_entropy` on a device; on the host it stops when no temperature moves."""


class Softmax:
    """The parts of every signal of a row.

    Attributes:
        z: The logits, [rows, n], without a gradient; -inf where masked.
        d: How far each lies below the highest, as exact as the row; 0 where masked.
        e: exp(d), and 0 where masked.
        support: Number of unmasked entries, [rows].
        total: Sum of e, so that p = e/total.
    """

    def __init__(self, rows: TensorRows) -> None:
        z, kept, highest = rows.z, rows.kept, rows.highest[:, None]
        self.wide = rows.wide
        self.z = torch.where(kept, z.detach(), -torch.inf) + 0.0  # +0.0 alone, so that equal logits have equal bits
        self.d = (torch.where(kept, z, highest) - highest).clamp(min=LOWEST_EXPONENT)
        self.e = torch.where(kept, self.d.exp(), 0.0)
        self.support = self.sum(kept)
        self.total = self.sum(self.e)

    def sum(self, values: Tensor) -> Tensor:
        """[rows] sums."""
        return values.sum(-1, dtype=self.wide)

    def share(self, e: Tensor) -> Tensor:
        """The probabilities of some of `e`, [rows]."""
        return e.to(self.wide) / self.total

    def mean_d(self) -> Tensor:
        """The mean of d under p, [rows]."""
        return self.sum(self.e * self.d) / self.total


def within(values: Tensor, low: Any, high: Any) -> Tensor:
    """`values` moved into the range that rounding may have left, at full gradient; never -0.0."""
    found = values.detach()
    return values + (found.clamp(min=low).clamp(max=high) - found)


def max_prob(s: Softmax) -> Tensor:
    return within(s.share(s.e.amax(-1)), 1 / s.support, 1.0)


def entropy(s: Softmax) -> Tensor:
    return within(s.total.log() - s.mean_d(), 0.0, s.support.log())


def normalized_entropy(s: Softmax) -> Tensor:
    return entropy(s) / torch.where(s.support > 1, s.support, torch.e).log()


def perplexity(s: Softmax) -> Tensor:
    return within(entropy(s).exp(), 1.0, s.support)


def collision(s: Softmax) -> Tensor:
    return within(s.sum(s.e * s.e) / s.total**2, 1 / s.support, 1.0)


def varentropy(s: Softmax) -> Tensor:
    apart = s.d - s.mean_d().to(s.d.dtype)[:, None]
    return s.sum(s.e * apart * apart) / s.total


def margin(s: Softmax) -> Tensor:
    largest = s.e.topk(min(2, s.e.shape[-1])).values
    second = largest[:, 1] if largest.shape[-1] > 1 else torch.zeros_like(largest[:, 0])
    return within(s.share(largest[:, 0]) - s.share(second), 0.0, 1.0)


def top_mass(s: Softmax, k: float) -> Tensor:
    if k >= s.e.shape[-1]:
        return torch.ones_like(s.total)
    largest = s.e.topk(int(k)).values
    return torch.where(k < s.support, within(s.sum(largest) / s.total, k / s.support, 1.0), 1.0)


def quantile(s: Softmax, q: float) -> Tensor:
    at = q * (s.support - 1)
    from_top = s.support - at.floor(), s.support - at.ceil()  # ranks among the unmasked, the highest has 1
    low = reaching(s.z, lambda entries: entries.sum(-1), from_top[0])[:, None]
    above = s.z > low
    higher = torch.where(above, s.z, torch.inf).amin(-1, keepdim=True)
    high = torch.where((above.sum(-1) >= from_top[1])[:, None], higher, low)
    # the entries themselves, through which the gradient flows
    first, second = (s.share(s.e.gather(-1, (s.z == end).int().argmax(-1, keepdim=True))[:, 0]) for end in (low, high))
    return within(first + (second - first) * (at - at.floor()), 0.0, 1 / from_top[1])


MEASURES: dict[str, Callable[..., Tensor]] = {
    "max_prob": max_prob,
    "entropy": entropy,
    "normalized_entropy": normalized_entropy,
    "perplexity": perplexity,
    "quantile": quantile,
    "median_prob": lambda s: quantile(s, 0.5),
    "margin": margin,
    "collision": collision,
    "varentropy": varentropy,
    "top_mass": top_mass,
    "support": lambda s: s.support,
}


def solve_entropy(rows: TensorRows, target: Tensor) -> Tensor:
    """T with entropy(softmax(z/T)) = target, per row, by Newton on ln T inside a bracket; see the reference.

    It is differentiated implicitly. With q = softmax(z/T), dH/d(ln T) is the varentropy V of q; so dT/dtarget = T/V,
    and a change of the row that moves H at this T by dH moves T by -T/V*dH. Both are the gradient of one more Newton
    step from the root, whose length is 0. At the ends, 0 and infinity, the gradient is 0.
    """
    d = rows.below()
    with torch.no_grad():
        support = rows.kept.sum(-1).to(rows.wide)
        ties = (rows.kept & (d == 0)).sum(-1).to(rows.wide)
        hottest, coldest = target >= support.log(), target <= ties.log()
        solved = ~(hottest | coldest)
        goal = torch.where(solved, target, 0.0)
        log_t = _root(d, rows.kept, goal, solved)
        root = torch.where(solved, log_t.exp(), 1.0)
    if torch.is_grad_enabled() and (d.requires_grad or target.requires_grad):
        reached, slope = _entropy_at(d, rows.kept, root)
        missing = target - reached
        rate = torch.where(slope > 0, root / slope, 0.0).detach()
        root = root + torch.where(solved, rate * (missing - missing.detach()), 0.0)
    return torch.where(hottest, torch.inf, torch.where(coldest, 0.0, root))


def _entropy_at(d: Tensor, kept: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """Entropy and varentropy of softmax(d/t), [rows]."""
    x = (d / t[:, None]).clamp(min=LOWEST_EXPONENT)
    e = torch.where(kept, x.exp(), 0.0)
    total = e.sum(-1)
    mean = (e * x).sum(-1) / total
    apart = x - mean[:, None]
    return total.log() - mean, (e * apart * apart).sum(-1) / total


def _root(d: Tensor, kept: Tensor, target: Tensor, solved: Tensor) -> Tensor:
    """ln T: by Newton where its step stays in the bracket and is no longer than a stride, which doubles.

    Elsewhere it strides outward while that end is unknown, and else halves the bracket.
    """
    low, high = torch.full_like(target, -torch.inf), torch.full_like(target, torch.inf)
    log_t, stride = torch.zeros_like(target), 1.0
    for _ in range(NEWTON_STEPS):
        found, slope = _entropy_at(d, kept, log_t.exp())
        under = found < target
        low, high = torch.where(under, log_t, low), torch.where(under, high, log_t)
        newton = log_t + (target - found) / slope
        stride = min(2 * stride, 128.0)
        middle = torch.where(low.isinf(), high - stride, torch.where(high.isinf(), low + stride, (low + high) / 2))
        near = (newton > low) & (newton < high) & ((newton - log_t).abs() <= stride)
        step = torch.where(near, newton, middle)
        moved = solved & (found != target) & ((step - log_t).abs() > 1e-15 * log_t.abs().clamp(min=1.0))
        log_t = torch.where(moved, step, log_t)
        if can_read(d.device) and not bool(moved.any()):
            break
    return log_t
