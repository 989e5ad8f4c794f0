"""The draw of all rows at once: the noise, bounds and picks of `reference.draw`, without reading any number.

Where the reference stops at the try that is accepted, here all tries are judged, since the exact masses of all blocks
are known; the first accepted one counts. Nothing of this is differentiable.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from dyntemp.distribution.filters import GREEDY_AT
from dyntemp.distribution.noise import OF_A_DRAW
from dyntemp.kernels.blocks import BLOCK, BOUND_SLACK, TRIES
from dyntemp.kernels.job import Job, Keys
from dyntemp.kernels.tensor_noise import noise_numbers
from dyntemp.kernels.tensors import known


class Noise(NamedTuple):
    """Uniform numbers in (0, 1) for each try of each row, [rows, TRIES + 1]; the last is of the full pass."""

    block: Tensor
    accept: Tensor
    pick: Tensor


def noise_of(job: Job, rows: int, device: torch.device) -> Noise:
    """The noise of each row's key; see `dyntemp.distribution.noise.uniform`.

    Keys that the host knows are checked. Tensors elsewhere are taken as they are, a seed's 64 bits as int64: that no
    two rows share a key is then the caller's to see to.

    Raises:
        ValueError: As `Keys.of`.
    """
    if known(job.seed, job.request, job.position):
        Keys.of(rows, job.seed, job.request, job.position)
    return Noise(*noise_numbers(job, rows, device, 0, len(OF_A_DRAW), TRIES + 1))


def draw(z: Tensor, temperature: Tensor, noise: Noise) -> Tensor:
    """A token of softmax(z/T) per row, int64 [rows]; see `reference.draw`, which this follows step by step.

    Args:
        z: [rows, n], as wide as sums; -inf where masked or filtered out.
        temperature: [rows], at least 0.
        noise: As many rows.
    """
    rows, n = z.shape
    uniform_row = temperature.isinf()[:, None]
    likeliest = z.argmax(-1)
    z = torch.where(uniform_row & (z > -torch.inf), 0.0, z)
    highest = z.amax(-1)[:, None]
    a = (1 / temperature.clamp(min=GREEDY_AT))[:, None]
    width = min(BLOCK, n)
    blocks = torch.nn.functional.pad(z, (0, -n % width), value=-torch.inf).view(rows, (n + width - 1) // width, width)

    masses = _weights(blocks, highest[..., None], a[..., None]).sum(-1)  # [rows, blocks]
    bounds = _bounds(blocks, n, highest, a).cumsum(-1)
    chosen = first_above(bounds, noise.block[:, :TRIES] * bounds[:, -1:])  # [rows, TRIES]
    before = torch.where(chosen > 0, bounds.gather(-1, (chosen - 1).clamp(min=0)), 0.0)
    accepted = noise.accept[:, :TRIES] * (bounds.gather(-1, chosen) - before) < masses.gather(-1, chosen)

    summed = masses.cumsum(-1)
    last = first_above(summed, noise.block[:, TRIES:] * summed[:, -1:])  # the full pass, where all tries fail
    accepted = torch.cat([accepted, torch.ones_like(accepted[:, :1])], -1)
    attempt = accepted.int().argmax(-1, keepdim=True)  # the first
    block = torch.cat([chosen, last], -1).gather(-1, attempt)

    entries = blocks.gather(1, block[..., None].expand(-1, 1, width))[:, 0]
    mass = _weights(entries, highest, a).cumsum(-1)
    picked = first_above(mass, noise.pick.gather(-1, attempt) * mass[:, -1:])
    return torch.where(temperature <= GREEDY_AT, likeliest, (block * width + picked)[:, 0])


def _weights(z: Tensor, highest: Tensor, a: Tensor) -> Tensor:
    """exp(a*(z - highest)), and 0 where z is -inf."""
    kept = z > -torch.inf
    return torch.where(kept, (a * (torch.where(kept, z, highest) - highest)).exp(), 0.0)


def _bounds(blocks: Tensor, n: int, highest: Tensor, a: Tensor) -> Tensor:
    """An upper bound of the mass of each block, [rows, blocks]; see `reference.block_bound`."""
    count, width = blocks.shape[1:]
    top = blocks.amax(-1)
    empty = top == -torch.inf
    top = torch.where(empty, highest, top)
    total = (blocks - top[..., None]).exp().sum(-1)
    size = (n - torch.arange(count, device=blocks.device) * width).clamp(max=width).to(blocks.dtype)
    mass = torch.where(a < 1, size ** (1 - a) * total**a, total)
    return torch.where(empty, 0.0, (a * (top - highest)).exp() * mass * BOUND_SLACK)


def first_above(cumulative: Tensor, target: Tensor) -> Tensor:
    """The first index of each row whose cumulative sum exceeds each target, never beyond the last that adds mass."""
    cumulative = cumulative.contiguous()
    index = torch.searchsorted(cumulative, target.contiguous(), right=True)
    return torch.minimum(index, torch.searchsorted(cumulative, cumulative[:, -1:].contiguous()))
