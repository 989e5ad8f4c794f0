"""Arrays of NumPy, PyTorch and MLX: to the host's memory, and back beside another array.

A library is looked up among those that are loaded: nothing is imported here.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray


def on_host(values: Any) -> NDArray[Any]:
    """An array as NumPy's, in the host's memory; bfloat16, which NumPy lacks, as float32.

    The call waits for a device. Arrays that are in the host's memory already are not copied.
    """
    if (torch := _torch(values)) is not None:
        values = values.detach().cpu()
        return np.asarray(values.float() if values.dtype == torch.bfloat16 else values)
    if (mlx := _mlx(values)) is not None:
        return np.asarray(values.astype(mlx.float32) if values.dtype == mlx.bfloat16 else values)
    return np.asarray(values)


def beside(values: NDArray[Any], other: Any) -> Any:
    """A NumPy array in the library, and on the device, of another array."""
    if (torch := _torch(other)) is not None:
        return torch.from_numpy(values).to(other.device, non_blocking=True)
    if (mlx := _mlx(other)) is not None:
        return mlx.array(values)
    return values


def _torch(values: Any) -> Any:
    """The module `torch`, if the array is a tensor of it; else None."""
    torch = sys.modules.get("torch")
    return torch if torch is not None and isinstance(values, torch.Tensor) else None


def _mlx(values: Any) -> Any:
    """The module `mlx.core`, if the array is one of it; else None."""
    mlx = sys.modules.get("mlx.core")
    return mlx if mlx is not None and isinstance(values, mlx.array) else None
