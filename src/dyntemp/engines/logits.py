"""Rows of logits on the host: the check for broken rows, and the normalisation of log-probabilities."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dyntemp.kernels.rows import as_rows


def sound(logits: Any) -> NDArray[np.bool_]:
    """True for rows whose largest logit is finite, [rows]; the others hold NaN, +inf or nothing unmasked."""
    return np.array([bool(np.isfinite(as_rows(row).unmasked(0).max())) for row in logits], bool)


def normalised(scaled: Any, divisor: Any, out: Any) -> Any:
    """Log-probabilities of scaled rows, which sum to 1 again as probabilities.

    Args:
        scaled: [rows, n].
        divisor: Divisor of each row, [rows]; rows where it is NaN stay as they are.
        out: Where to write them; None for a new array.
    """
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(scaled, torch.Tensor):
        total = scaled.double().logsumexp(-1, keepdim=True)
        divided = torch.as_tensor(divisor, device=scaled.device).isnan().logical_not()[:, None]
        result = torch.where(divided, scaled - total, scaled).to(scaled.dtype)
    else:
        z = np.asarray(scaled).astype(np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            high = z.max(-1, keepdims=True)
            total = np.log(np.exp(z - high).sum(-1, keepdims=True)) + high
            result = np.where(np.isnan(divisor)[:, None], z, z - total).astype(scaled.dtype)
    if out is None:
        return result
    out[...] = result
    return out
