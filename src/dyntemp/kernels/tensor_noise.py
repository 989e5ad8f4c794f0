"""The noise of draws for tensors on any device; `dyntemp.distribution.noise` has the formulas."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from dyntemp.distribution.noise import MASK, MULTIPLIERS, ROUNDS, WEYL, Purpose
from dyntemp.kernels.job import Job
from dyntemp.kernels.tensors import numbers, wide_of
from dyntemp.language.signals import MAX_POSITION


def coins_of(job: Job, rows: int, device: torch.device) -> Tensor:
    """The number that each step of the filters draws, [rows, steps]; see `dyntemp.distribution.noise.coins`."""
    return noise_numbers(job, rows, device, Purpose.COIN, 1, len(job.filters.steps))[0]


def noise_numbers(job: Job, rows: int, device: torch.device, first: int, purposes: int, draws: int) -> Tensor:
    """The numbers of some purposes, counted from `first`, for each row's key and draw, [purposes, rows, draws]."""
    seed = numbers("seed", job.seed, rows, device, 2**64)
    request = numbers("request", job.request, rows, device, 2**32)
    position = numbers("position", job.position, rows, device, MAX_POSITION + 1)
    noise = _opaque_noise if torch.compiler.is_compiling() else _noise
    return noise(seed, request, position, int(first), purposes, draws)


def _noise(seed: Tensor, request: Tensor, position: Tensor, first: int, purposes: int, draws: int) -> Tensor:
    draw = torch.arange(draws, dtype=torch.int64, device=seed.device)
    purpose = torch.arange(first, first + purposes, dtype=torch.int64, device=seed.device)[:, None, None]
    return uniform(seed[:, None], request[:, None], position[:, None], draw, purpose)


_opaque_noise = torch.library.custom_op("dyntemp::noise", _noise, mutates_args=())
"""`_noise` as one operation; to compile its ten rounds would take minutes."""


@_opaque_noise.register_fake  # type: ignore[untyped-decorator]
def _shape(seed: Tensor, request: Tensor, position: Tensor, first: int, purposes: int, draws: int) -> Tensor:  # noqa: ARG001
    return seed.new_empty(purposes, seed.shape[0], draws, dtype=wide_of(seed.device))


def uniform(seed: Tensor, request: Tensor, position: Tensor, draw: Tensor, purpose: Tensor) -> Tensor:
    """The numbers of `dyntemp.distribution.noise.uniform`, in the shape of the int64 arguments together."""
    counter = torch.broadcast_tensors(request & MASK, position & MASK, draw, purpose)
    high, low, _, _ = philox(counter, (seed & MASK, seed >> 32 & MASK))
    return ((high << 21) + (low >> 11)).to(wide_of(seed.device)) * 2.0**-53 + 2.0**-54


def philox(counter: Any, key: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Philox4x32-10 of words of 32 bits, each in an int64."""
    a, b, c, d = counter
    left, right = key
    for _ in range(ROUNDS):
        (high_a, low_a), (high_c, low_c) = _product(a, MULTIPLIERS[0]), _product(c, MULTIPLIERS[1])
        a, b, c, d = high_c ^ b ^ left, low_c, high_a ^ d ^ right, low_a
        left, right = left + WEYL[0] & MASK, right + WEYL[1] & MASK
    return a, b, c, d


def _product(word: Tensor, factor: int) -> tuple[Tensor, Tensor]:
    """The high and the low 32 bits of a product of 32-bit words, from halves of 16 bits that no int64 overflows."""
    low = (word & 0xFFFF) * factor
    high = (word >> 16) * factor + (low >> 16)
    return high >> 16, (high & 0xFFFF) << 16 | low & 0xFFFF
