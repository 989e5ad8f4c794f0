"""The memory of policies in tensors: cells of a state, for some rows at one position each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from dyntemp.errors import StateError
from dyntemp.kernels.job import Job
from dyntemp.kernels.tensors import known, numbers
from dyntemp.language.program import Op
from dyntemp.language.signals import MAX_POSITION
from dyntemp.language.state import State, rounds


@dataclass(slots=True, eq=False)
class Memory:
    """The cells of a state for some rows, at one position each.

    Attributes:
        state: A state whose tables are tensors.
        slots: Slot of each row, int64 [rows].
        positions: Position of each row, int64 [rows].
        broken: Rows whose cells stay unknown; None for none.
        lost: Rows at a position above 0 that found nothing at the position before.
    """

    state: State
    slots: Tensor
    positions: Tensor
    broken: Tensor | None
    lost: Tensor

    def compute(self, op: Op, cell: int, arguments: tuple[Tensor, ...]) -> Tensor:
        """The value of a step that remembers, from its arguments; see `dyntemp.language.evaluate.Evaluation`."""
        x = arguments[0].expand(self.slots.shape)
        old = self.state.read(cell, self.slots, self.positions)
        unknown = old.isnan()
        self.lost = self.lost | (unknown & (self.positions > 0))
        old = torch.where(unknown, 0.0 if op is Op.INTEGRAL else x, old)
        match op:
            case Op.SURPRISAL:
                return old
            case Op.PREV:
                result, kept = old, x
            case Op.EMA:
                mean = arguments[1] * old + (1 - arguments[1]) * x
                result = kept = torch.minimum(torch.maximum(mean, torch.minimum(old, x)), torch.maximum(old, x))
            case _:
                result = kept = torch.minimum(torch.maximum(old + x, arguments[1]), arguments[2])
        self.keep(cell, kept)
        return result

    def keep(self, cell: int, values: Tensor) -> None:
        """Write the numbers of a cell at these positions; unknown for broken rows."""
        values = values.detach()
        if self.broken is not None:
            values = torch.where(self.broken, torch.nan, values)
        self.state.write(cell, self.slots, self.positions, values)

    def count(self, state: State) -> None:
        """Add the rows that lost their memory to the restarts of the state."""
        lost = self.lost.sum()
        state.restarts += int(lost) if state.device is None else lost

    def of(self, rows: Tensor) -> Memory:
        """The memory of some of the rows, given by number."""
        broken = None if self.broken is None else self.broken[rows]
        return Memory(self.state, self.slots[rows], self.positions[rows], broken, self.lost[rows])


def memory_of(job: Job, rows: int, device: torch.device, broken: Tensor | None) -> tuple[Memory | None, list[Any]]:
    """The memory of the job's policies, and rounds of rows with each slot once: arrays of rows, or None for all rows.

    Slots and positions that are tensors on a device are taken as they are: that they lie in the table, and that no
    slot occurs twice in one call, is the caller's to see to.

    Raises:
        StateError: For a state whose tables are elsewhere, and slots and positions that it does not have.
    """
    if job.state is None or not any(policy.remembers for policy in job.policies):
        return None, [None]
    state = job.state
    turns: list[Any] = []
    if known(job.slot, job.position):
        places = state.places(job.slot, job.position, rows)
        turns = list(rounds(*places)) if job.slot is not None else []
    elif job.slot is None and rows > state.slots:
        state.places(None, 0, rows)  # raises
    slots = numbers("slot", job.slot, rows, device, state.slots)
    positions = numbers("position", job.position, rows, device, MAX_POSITION + 1)
    memory = Memory(tensors_of(state, device), slots, positions, broken, torch.zeros_like(slots, dtype=torch.bool))
    return memory, turns if len(turns) > 1 else [None]


def tensors_of(state: State, device: torch.device) -> State:
    """`state` if its tables are on `device`; for NumPy tables and the CPU one that shares their memory.

    Raises:
        StateError: If they are elsewhere.
    """
    if state.device is not None and torch.device(state.device).type == device.type:
        return state
    if state.device is not None or device.type != "cpu":
        raise StateError(
            f"this state lives on {state.device or 'the host'}, the logits on {device}: make it with "
            "policy.state(slots, device=logits.device)"
        )
    return state.shared()
