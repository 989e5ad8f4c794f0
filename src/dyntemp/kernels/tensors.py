"""Logits, and numbers beside them, as tensors on any device that are never read back to the host."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from dyntemp.errors import InvalidLogitsError
from dyntemp.kernels.job import Job, per_row, said
from dyntemp.kernels.rows import LOWEST, as_rows
from dyntemp.language.nodes import Signal
from dyntemp.language.policy import Policy
from dyntemp.language.signals import ANY_SUPPORT, MAX_SUPPORT, SIGNALS
from dyntemp.language.state import whole

DTYPES = {getattr(torch, name): lowest for name, lowest in LOWEST.items()}
"""The dtypes that rows may have, and the lowest number of each."""


def can_read(device: torch.device) -> bool:
    """Return True where numbers can be read without waiting: on the CPU, unless `torch.compile` traces."""
    return device.type == "cpu" and not torch.compiler.is_compiling()


def wide_of(device: torch.device) -> torch.dtype:
    """The dtype of sums and of everything that decides a temperature: float64 where the device has it."""
    return torch.float32 if device.type == "mps" else torch.float64


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
    """Return True where all values can be read on the host without waiting."""
    return not torch.compiler.is_compiling() and all(
        not isinstance(value, Tensor) or can_read(value.device) for value in values
    )


def context(job: Job, rows: int, entries: int, device: torch.device) -> tuple[dict[str, Tensor], Tensor | None]:
    """The numbers of each signal that is not measured, [rows], by its text, and the rows where one is out of range.

    Numbers that the host can read are checked as in `job.context`. A tensor on a device is not read: rows outside the
    range count as broken.

    Raises:
        PolicyError: For a number that a policy reads and nobody gave, or one outside its range.
        ValueError: For a wrong number of numbers.
    """
    values: dict[str, Tensor] = {}
    outside = None
    for policy in distinct(job.policies):
        for signal in policy.program.signals:
            if SIGNALS[signal.name].measured or str(signal) in values:
                continue
            value = said(job, policy, signal, entries)
            if isinstance(value, Tensor):
                numbers_ = _expanded(signal, value.to(device, wide_of(device)), rows)
                if can_read(value.device):
                    policy.within(signal, value.detach().numpy())
                else:
                    low, high = SIGNALS[signal.name].bounds(ANY_SUPPORT, *signal.arguments)
                    wrong = ~((numbers_ >= low) & (numbers_ <= high))
                    numbers_ = torch.where(wrong, low, numbers_)
                    outside = wrong if outside is None else outside | wrong
            elif isinstance(value, int | float):
                low, high = SIGNALS[signal.name].bounds(ANY_SUPPORT, *signal.arguments)
                if not low <= value <= high:
                    policy.within(signal, per_row(signal, value, rows))
                numbers_ = torch.full((rows,), float(value), dtype=wide_of(device), device=device)
            else:
                numbers_ = to_device(policy.within(signal, per_row(signal, value, rows)), device).to(wide_of(device))
            values[str(signal)] = numbers_
    return values, outside


def _expanded(signal: Signal, value: Tensor, rows: int) -> Tensor:
    if value.ndim > 1 or (value.ndim == 1 and value.shape[0] not in (1, rows)):
        per_row(signal, np.empty(tuple(value.shape)), rows)  # says what is wrong
    return value.expand(rows)


def distinct(policies: tuple[Policy, ...]) -> list[Policy]:
    """Each policy object once."""
    found: list[Policy] = []
    for policy in policies:
        if not any(policy is other for other in found):
            found.append(policy)
    return found
