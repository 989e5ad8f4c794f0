"""Rows of logits from NumPy or PyTorch in one form that every CPU backend reads without copying."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dyntemp.errors import InvalidLogitsError
from dyntemp.language.signals import MAX_SUPPORT

LOWEST = {"float64": -1.7976931348623157e308, "float32": -3.4028234663852886e38, "float16": -65504.0,
          "bfloat16": -3.3895313892515355e38}  # fmt: skip


FLOAT32 = np.dtype("float32")
DTYPES = {np.dtype(kind): kind for kind in ("float64", "float32", "float16")}
"""Names of dtypes in the native byte order, which NumPy itself takes a microsecond to spell."""


@dataclass(slots=True, eq=False)
class Rows:
    """Logits as [rows, n], where they came from, and how to hand results back.

    Attributes:
        data: [rows, n], each row contiguous; bfloat16 as the int16 that holds its bits.
        dtype: `float64`, `float32`, `float16` or `bfloat16`.
        single: Whether one row of shape [n] was given, whose results are 0-d.
        torch: Whether a tensor was given, whose results are tensors.
    """

    data: NDArray[Any]
    dtype: str
    single: bool = False
    torch: bool = False

    @property
    def masked_at(self) -> float:
        """Entries at or below this, and -inf, are masked: half of the lowest number of the dtype."""
        return LOWEST[self.dtype] / 2

    def __len__(self) -> int:
        return len(self.data)

    def widened(self, row: int) -> NDArray[Any]:
        """One row as float64 if it was float64, else as float32, which holds the half precisions exactly."""
        data = self.data[row]
        if self.dtype == "bfloat16":
            return (data.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
        return data if self.dtype in ("float64", "float32") else data.astype(np.float32)

    def value(self, row: int, entry: int) -> float:
        """One logit."""
        return float(Rows(self.data[row : row + 1, entry : entry + 1], self.dtype).widened(0)[0])

    def unmasked(self, row: int) -> NDArray[np.float64]:
        """One row as float64, masked entries at -inf."""
        z = self.widened(row).astype(np.float64)
        return np.where(z <= self.masked_at, -np.inf, z)

    def kept(self, row: int, cut: NDArray[Any] | None, last: NDArray[Any] | None, mask: Any = None) -> NDArray[Any]:
        """One row as `widened`, -inf where filters removed an entry.

        `cut`, `last` and `mask` are those of `dyntemp.kernels.job.Outcome`, whose `kept` is the mask.
        """
        z = self.widened(row)
        stays = z > self.masked_at
        if mask is not None:
            stays &= np.asarray(mask[row])
        elif cut is not None and last is not None:
            stays &= (z > cut[row]) | ((z == cut[row]) & (np.arange(len(z)) <= last[row]))
        return np.where(stays, z, z.dtype.type(-np.inf))

    @property
    def shown(self) -> Callable[[NDArray[Any]], Any]:
        """Brings [rows] values into the library of the input, 0-d where one row was given."""
        if self.torch:
            return lambda values: self.wrap(values[0] if self.single else values)
        return _first if self.single else _same

    def like(self, rows: NDArray[Any], logits: Any) -> Any:
        """[rows, n] in the shape, dtype and library of `logits`, which these rows came from."""
        shaped = rows[0] if self.single else rows
        if self.torch:
            return self.wrap(shaped).to(logits.dtype)
        with np.errstate(over="ignore"):
            return shaped.astype(np.asarray(logits).dtype, copy=False)

    def wrap(self, array: Any) -> Any:
        """A NumPy array in the library of the input."""
        return sys.modules["torch"].from_numpy(np.array(array)) if self.torch else np.asarray(array)


def as_rows(logits: Any) -> Rows:
    """`logits` as rows.

    Args:
        logits: [rows, n] or [n], float64, float32, float16 or bfloat16; a NumPy array, a tensor on the CPU, or
            anything that NumPy reads as an array of floats.

    Raises:
        InvalidLogitsError: For another dtype, shape or device, no columns, or more than 2**20 of them.
    """
    if (
        type(logits) is np.ndarray  # what most callers have, in every step of a loop
        and logits.dtype is FLOAT32
        and logits.ndim == 2
        and logits.flags.c_contiguous
        and 1 <= logits.shape[1] <= MAX_SUPPORT
    ):
        return Rows(logits, "float32")
    torch = sys.modules.get("torch")  # a tensor can only come from a process that has imported it
    if torch is not None and isinstance(logits, torch.Tensor):
        return _from_tensor(torch, logits)
    array = logits if isinstance(logits, np.ndarray) else np.asarray(logits)
    if isinstance(array, np.ma.MaskedArray):
        raise InvalidLogitsError("a masked array was given, whose mask means nothing here: pass logits.filled(-np.inf)")
    kind = DTYPES.get(array.dtype) or array.dtype.name
    if kind == "bfloat16":  # from ml_dtypes
        return _checked(array.view(np.int16), kind, False)
    if kind not in LOWEST:
        raise InvalidLogitsError(
            f"logits of dtype {array.dtype} were given; float64, float32, float16 and bfloat16 are allowed"
        )
    return _checked(array, kind, False)


def _from_tensor(torch: Any, logits: Any) -> Rows:
    if logits.device.type != "cpu":
        raise InvalidLogitsError(f"logits on {logits.device} were given; this backend reads the CPU: pass logits.cpu()")
    tensor = logits.detach()
    if tensor.dtype == torch.bfloat16:
        return _checked(tensor.view(torch.int16).numpy(), "bfloat16", True)
    if tensor.dtype not in (torch.float64, torch.float32, torch.float16):
        raise InvalidLogitsError(
            f"logits of dtype {tensor.dtype} were given; float64, float32, float16 and bfloat16 are allowed"
        )
    return _checked(tensor.numpy(), str(tensor.dtype).removeprefix("torch."), True)


def _checked(array: NDArray[Any], dtype: str, torch: bool) -> Rows:
    shape = array.shape
    if len(shape) not in (1, 2):
        raise InvalidLogitsError(f"logits of shape {shape} were given; [rows, n] or [n] are allowed")
    if not 1 <= shape[-1] <= MAX_SUPPORT:
        raise InvalidLogitsError(f"rows of {shape[-1]} logits were given; 1 to {MAX_SUPPORT} are allowed")
    data = array.reshape(1, -1) if len(shape) == 1 else array
    if (not data.flags.c_contiguous and data.strides[1] != data.itemsize) or not data.dtype.isnative:
        data = np.ascontiguousarray(data, data.dtype.newbyteorder("="))
    return Rows(data, dtype, len(shape) == 1, torch)


def check_row(row: int, position: Any, has_nan: bool, highest: float) -> None:
    """Raise for a row that has no distribution.

    Args:
        row: The number of the row.
        position: The position of each row, or one for all.
        has_nan: Whether an entry is NaN.
        highest: The largest logit, masked entries at -inf.

    Raises:
        InvalidLogitsError: For a row with NaN, +inf, or no unmasked entry.
    """
    fault = "NaN" if has_nan else "+inf" if highest == np.inf else "no unmasked entry" if highest == -np.inf else None
    if fault:
        at = np.asarray(position).reshape(-1)
        where = f"row {row}, position {at[min(row, at.size - 1)]}"
        raise InvalidLogitsError(f"the logits of {where} hold {fault}; a row needs finite logits, -inf where masked")


def _first(values: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(values[0])


def _same(values: NDArray[Any]) -> NDArray[Any]:
    return values
