"""What an adapter hands over and is told: one step's rows, what was decided, and how often."""

from __future__ import annotations

import sys
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray


@dataclass(slots=True, eq=False)
class Batch:
    """One step's rows, as a host hands them over.

    Attributes:
        logits: [rows, n], in a library that `dyntemp.sample` takes.
        slot: Slot of each row: whole numbers on the host, None for the rows' numbers; or a tensor on a device where
            only that knows, and then no policy may remember.
        position: Index in its sequence, prompt included, of the token that each row decides; one for all or one each.
        live: Whether each row is to be changed, bool [rows]; None for all. Rows of a prompt that is not all read, and
            finished ones, are not.
        space: What the rows hold; `"log-probabilities"` are handed back normalised.
        drawn: The token at `position - 1` of each row, [rows], where a policy may read `surprisal`; -1 where unknown.
    """

    logits: Any
    slot: Any = None
    position: Any = 0
    live: Any = None
    space: Literal["logits", "log-probabilities"] = "logits"
    drawn: Any = None


@dataclass(slots=True, repr=False)
class Counts:
    """What a host's calls came to, since the adapter was made; on a device, numbers that are read when asked for.

    Attributes:
        calls: Calls with rows.
        seen: Rows in them.
        changed: Rows that were given a temperature.
        greedy: Rows of greedy requests, left as they were.
        declined: Rows that had no policy, or were not live.
        broken: Rows with NaN, +inf or nothing unmasked, left as they were.
        restarts: Times that a policy found its memory of the position before gone.
    """

    calls: Any = 0
    seen: Any = 0
    changed: Any = 0
    greedy: Any = 0
    declined: Any = 0
    broken: Any = 0
    restarts: Any = 0

    def __repr__(self) -> str:
        return f"Counts({', '.join(f'{name}={number}' for name, number in self.as_dict().items())})"

    def as_dict(self) -> dict[str, int]:
        """The numbers by name; waits for a device."""
        return {field.name: int(getattr(self, field.name)) for field in fields(self)}


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """What was decided in one call, for whoever wants to see it; arrays are [rows], on the host.

    Attributes:
        slot: Slot of each row.
        position: Number of tokens generated before it, or below 0 inside a prompt.
        temperature: float64; NaN for a row that was left as it was.
        signals: What was measured, by name; NaN where a row's policy does not read it.
    """

    slot: NDArray[np.int64]
    position: NDArray[np.int64]
    temperature: NDArray[np.float64]
    signals: dict[str, NDArray[np.float64]]


def beside(values: NDArray[Any], other: Any) -> Any:
    """An array in the library, and on the device, of another."""
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(other, torch.Tensor):
        return torch.from_numpy(values).to(other.device, non_blocking=True)
    return values


def on_host(values: Any) -> NDArray[Any]:
    """An array in the host's memory; bfloat16 as float32."""
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(values, torch.Tensor):
        values = values.detach().cpu()
        return np.asarray(values.float() if values.dtype == torch.bfloat16 else values)
    return np.asarray(values)
