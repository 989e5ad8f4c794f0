"""The types between an adapter and `Requests`: one step's rows, the temperatures decided, and counts of rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray


@dataclass(slots=True, eq=False)
class Batch:
    """One step's rows, as a host hands them over.

    Attributes:
        logits: [rows, n], in a library that `dyntemp.sample` takes.
        slot: Slot of each row, integers [rows] on the host; None for the rows' numbers. A tensor on a device is
            allowed where only the device knows the slots; policies that remember are then refused.
        position: Index of the token that each row decides, counted from the start of the prompt: one for all rows, or
            one each.
        live: True for rows that may be changed, bool [rows]; None for all. Rows inside a prompt and rows of finished
            requests are not live.
        space: The unit of the rows. `"log-probabilities"` are normalised again before they are handed back.
        drawn: The token at `position - 1` of each row, [rows], for policies that read `surprisal`; -1 where unknown.
        text: For policies that read `inside(...)`: a function that returns all tokens before a row, prompt included,
            by the row's number. They are a sequence or an array of integers.
        tokens: The token of each entry, integers [rows, n], for records; None where entries have the numbers of tokens.
    """

    logits: Any
    slot: Any = None
    position: Any = 0
    live: Any = None
    space: Literal["logits", "log-probabilities"] = "logits"
    drawn: Any = None
    text: Callable[[int], Any] | None = None
    tokens: Any = None


@dataclass(slots=True, repr=False)
class Counts:
    """Numbers of calls and rows since the adapter was made. Tensors on a device are read by `as_dict`.

    Attributes:
        calls: Calls with at least one row.
        seen: Rows in these calls.
        changed: Rows that were given a temperature.
        greedy: Rows of greedy requests; they stay as they were.
        declined: Rows without a policy, and rows that were not live.
        broken: Rows with NaN, +inf or nothing unmasked; they stay as they were.
        restarts: Times that a policy did not find its memory of the position before.
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
        """The numbers by name. The call waits for a device."""
        return {field.name: int(getattr(self, field.name)) for field in fields(self)}


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """The decisions of one call, as `record=` receives them. Arrays are [rows], on the host.

    Attributes:
        slot: Slot of each row.
        position: Number of tokens that its request generated before; below 0 inside a prompt.
        temperature: Temperature of each row, float64; NaN for a row that was left as it was.
        signals: Measured signals by name; NaN where the row's policy does not read the signal.
        totals: The totals of each row's curve, float32 [rows, 49], see `dyntemp.distribution.draw_curve`; NaN where the
            request asked for none. None where no request did.
    """

    slot: NDArray[np.int64]
    position: NDArray[np.int64]
    temperature: NDArray[np.float64]
    signals: dict[str, NDArray[np.float64]]
    totals: NDArray[np.float32] | None = None
