"""Rows of logits on a device, as the kernels read them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from dyntemp.errors import InvalidLogitsError
from dyntemp.kernels.blocks import BLOCK
from dyntemp.kernels.rows import LOWEST
from dyntemp.kernels.tensors import tensor_of
from dyntemp.kernels.triton.blocks import summarise

INTERPRETED = not isinstance(summarise, triton.JITFunction)
"""True where Triton was imported with TRITON_INTERPRET=1."""


@dataclass(frozen=True, slots=True, eq=False)
class StridedRows:
    """Logits as a tensor whose rows are contiguous, and how to hand results back.

    Attributes:
        data: [rows, n].
        single: Whether one row of shape [n] was given, whose results are 0-d.
        numpy: Whether an array was given, so that the caller gets arrays back.
    """

    data: Tensor
    single: bool
    numpy: bool

    @property
    def count(self) -> int:
        """How many there are."""
        return int(self.data.shape[0])

    @property
    def blocks(self) -> int:
        """How many blocks of 2,048 each has."""
        return -(-int(self.data.shape[1]) // BLOCK)

    @property
    def place(self) -> dict[str, Any]:
        """Where the logits lie, as arguments of a kernel."""
        return {"logits": self.data, "stride": self.data.stride(0), "columns": int(self.data.shape[1])}

    @property
    def compute(self) -> torch.dtype:
        """The dtype to compute in."""
        return torch.float64 if self.data.dtype == torch.float64 else torch.float32

    @property
    def kind(self) -> dict[str, Any]:
        """The dtype to compute in and where masked entries begin, as constants of a kernel."""
        lowest = LOWEST[str(self.data.dtype).removeprefix("torch.")]
        return {"MASKED_AT": lowest / 2, "COMPUTE": tl.float64 if self.compute == torch.float64 else tl.float32}

    def handed(self, values: Any) -> Any:
        """A tensor in the library of the input."""
        return values.numpy() if self.numpy and isinstance(values, Tensor) else values

    def shown(self, values: Any) -> Any:
        """[rows] values as the caller sees them."""
        return values[0] if self.single else values


def as_rows(logits: Any) -> StridedRows:
    """`logits` as the kernels read them, without a gradient.

    Raises:
        InvalidLogitsError: For what is no row of logits, and for rows that no kernel can read.
    """
    tensor = tensor_of(logits).detach()
    if tensor.device.type != "cuda" and not (INTERPRETED and tensor.device.type == "cpu"):
        raise InvalidLogitsError(
            f"logits on {tensor.device} were given; the triton backend reads CUDA devices: leave `backend` out, or set "
            "TRITON_INTERPRET=1 before Triton is imported to try it on the CPU"
        )
    data = tensor if tensor.ndim == 2 else tensor[None]
    data = data if data.stride(1) == 1 else data.contiguous()
    return StridedRows(data, tensor.ndim == 1, not isinstance(logits, Tensor))
