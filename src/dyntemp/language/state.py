"""The numbers that a policy keeps of each request: a table over slots and positions.

One rule covers chunked prefill, rejected draft tokens, look-ahead calls and padding: a step at position p reads what
was written at p - 1 and writes at p, so running a position again writes the same value again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import copy
from importlib import import_module
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dyntemp.errors import StateError
from dyntemp.language.nodes import Node
from dyntemp.language.signals import MAX_POSITION, MAX_SURPRISAL, cells_of

FEW = 32
"""Python finds the extremes of at most so many numbers faster than NumPy does."""

SURPRISAL_CELL = 0
"""The cell of `surprisal`."""


class State:
    """The memory of a policy, or of several, for a number of slots, made by `policy.state(slots)`.

    A slot is a host's place for one request. `begin(slot)` hands it to a new request; whatever an earlier request
    wrote there is then never read.

    Args:
        expressions: The policies' expressions; rows of one slot all have the same one. None where requests bring
            policies of their own, for which `grow` makes room.
        slots: How many requests run at a time.
        window: How many positions back a request may be run again.
        device: Where PyTorch keeps the tables, for logits that live there; None for the host's memory.

    Attributes:
        width: How many numbers are kept of each position.
        restarts: How many times a request at a position above 0 found nothing at the position before, and so began
            afresh: after a preemption, or a jump back further than `window`. On a device it is a 0-d tensor.
    """

    def __init__(self, *expressions: Node, slots: int = 1, window: int = 1024, device: Any = None) -> None:
        if slots < 1 or window < 2:
            raise StateError(f"slots = {slots} and window = {window} were given; at least 1 and 2 are needed")
        kept = [cells_of(expression) for expression in expressions]
        self.width = max(map(len, kept), default=0)
        self._made_for = frozenset(kept)
        self.slots = slots
        self.window = window
        self.device = device
        self.restarts: Any = 0
        self._where: Callable[..., Any] = np.where
        self._make_tables()
        if device is not None:
            self._count_there()

    def _make_tables(self) -> None:
        """Make empty tables, in the host's memory or on the device."""
        self._values: Any = np.full((self.slots, self.window, self.width), np.nan)
        self._position: Any = np.full((self.slots, self.window), -1, np.int64)
        self._owner: Any = np.zeros((self.slots, self.window), np.int64)
        self._generation: Any = np.zeros(self.slots, np.int64)
        if self.device is not None:
            self._become_tensors()

    def _become_tensors(self) -> None:
        torch: Any = import_module("torch")  # only where a device was named
        wide = torch.float32 if torch.device(self.device).type == "mps" else torch.float64
        self._values = torch.from_numpy(self._values).to(self.device, wide)
        self._position, self._owner, self._generation = (
            torch.from_numpy(table).to(self.device) for table in (self._position, self._owner, self._generation)
        )
        self._where = torch.where

    def _count_there(self) -> None:
        """Keep the count of restarts as a tensor on the device."""
        torch: Any = import_module("torch")
        self.restarts = torch.zeros((), dtype=torch.int64, device=self.device)

    def shared(self) -> State:
        """This state as PyTorch tensors that share its memory on the host."""
        twin = copy(self)
        twin.device = "cpu"
        twin._become_tensors()  # noqa: SLF001
        twin._count_there()  # noqa: SLF001
        return twin

    def in_host_memory(self) -> State:
        """This state, if its tables are NumPy arrays.

        Raises:
            StateError: If they are on a device.
        """
        if self.device is not None:
            raise StateError(f"this state lives on {self.device}, the logits do not: make it with policy.state(slots)")
        return self

    @property
    def tables(self) -> tuple[Any, Any, Any, Any]:
        """Values [slots, window, cells], their positions and owners [slots, window], and the owner of each slot."""
        return self._values, self._position, self._owner, self._generation

    def holds(self, cells: tuple[Node, ...]) -> bool:
        """True if a policy that keeps these nodes can use this state."""
        return cells in self._made_for if self._made_for else len(cells) <= self.width

    def grow(self, slots: int = 0, width: int = 0) -> None:
        """Grow to at least `slots` slots and `width` numbers per position; the contents stay.

        Slots double at least, so that growing one by one copies each cell about twice.
        """
        if slots > self.slots or width > self.width:
            kept = self.tables
            self.slots = max(slots, 2 * self.slots) if slots > self.slots else self.slots
            self.width = max(width, self.width)
            self._make_tables()
            for table, old in zip(self.tables, kept, strict=True):
                table[tuple(map(slice, old.shape))] = old

    def begin(self, slot: int) -> None:
        """Hand `slot` to a new request."""
        self.places(slot, 0, 1)
        self._generation[slot] += 1

    def observe(self, slot: ArrayLike, position: ArrayLike, surprisal: ArrayLike) -> None:
        """Record the surprisal, in nats before temperature, of the tokens drawn at `position`, for the next one.

        It is kept within 0 to 50.
        """
        if not self.width:
            return
        if self.device is None:
            slots, positions = self.places(slot, position, np.size(surprisal))
            values = np.clip(np.broadcast_to(surprisal, slots.shape), 0.0, MAX_SURPRISAL)
            self.write(SURPRISAL_CELL, slots, positions, values)
        else:
            self.write(SURPRISAL_CELL, *self._as_tensors(slot, position, surprisal))

    def _as_tensors(self, slot: Any, position: Any, surprisal: Any) -> tuple[Any, Any, Any]:
        torch: Any = import_module("torch")
        values = torch.as_tensor(surprisal, dtype=self._values.dtype, device=self.device).view(-1)
        slots, positions = (
            torch.as_tensor(number, device=self.device).expand(len(values)) for number in (slot, position)
        )
        return slots, positions, values.clamp(0.0, MAX_SURPRISAL)

    def places(self, slot: ArrayLike | None, position: ArrayLike, rows: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """`slot` and `position` as one whole number per row; slots default to the rows' numbers.

        Raises:
            StateError: For slots outside the table, negative positions, or a number of them that is not `rows`.
        """
        try:
            slots = whole("slot", np.arange(rows) if slot is None else slot, rows, np.int64, self.slots)
        except ValueError as error:
            made = "make it with policy.state(slots=...)"
            raise StateError(f"{error}; this state has {self.slots}: {made}") from None
        try:
            return slots, whole("position", position, rows, np.int64, MAX_POSITION + 1)
        except ValueError as error:
            raise StateError(str(error)) from None

    def read(self, cell: int, slots: Any, positions: Any) -> Any:
        """The value of `cell` at the position before, per row; NaN where none was written."""
        before = positions - 1
        at = before % self.window
        found = (
            (before >= 0) & (self._position[slots, at] == before) & (self._owner[slots, at] == self._generation[slots])
        )
        return self._where(found, self._values[slots, at, cell], np.nan)

    def write(self, cell: int, slots: Any, positions: Any, values: Any) -> None:
        """Set `cell` at `positions`."""
        at = positions % self.window
        stale = (self._position[slots, at] != positions) | (self._owner[slots, at] != self._generation[slots])
        self._values[slots, at] = self._where(stale[:, None], np.nan, self._values[slots, at])
        self._position[slots, at] = positions
        self._owner[slots, at] = self._generation[slots]
        self._values[slots, at, cell] = values


def whole(name: str, value: ArrayLike, rows: int, dtype: type[np.integer[Any]], limit: int) -> NDArray[Any]:
    """`value` as one whole number from 0 to `limit` - 1 for each row, from one for all or one each.

    Raises:
        ValueError: For anything else.
    """
    numbers = np.asarray(value)
    if numbers.dtype.kind not in "iu":
        numbers = np.asarray(value, object)
        if not all(isinstance(number, Integral) and not isinstance(number, bool) for number in numbers.flat):
            raise ValueError(f"{name} = {value!r} was given; whole numbers are allowed")
    few = numbers.ravel().tolist() if numbers.size <= FEW else [int(numbers.min()), int(numbers.max())]
    if few and (min(few) < 0 or max(few) >= limit):
        raise ValueError(f"{name} = {value!r} was given; whole numbers from 0 to {limit - 1} are allowed")
    numbers = numbers.astype(dtype)
    if numbers.shape == (rows,):
        return numbers
    try:
        return np.broadcast_to(numbers, (rows,))
    except ValueError:
        raise ValueError(f"{name}: {numbers.shape} was given for {rows} rows; pass one, or one per row") from None


def rounds(slots: NDArray[Any], positions: NDArray[Any]) -> Iterable[NDArray[Any]]:
    """Groups of rows in which no slot occurs twice; the lower positions of a slot come in earlier groups."""
    if len(np.unique(slots)) == len(slots):
        return [np.arange(len(slots))]
    order = np.lexsort((positions, slots))
    starts = np.flatnonzero(np.r_[True, np.diff(slots[order]) != 0])
    rank = np.arange(len(slots)) - np.repeat(starts, np.diff(np.r_[starts, len(slots)]))
    return [np.sort(order[rank == turn]) for turn in range(rank.max() + 1)]
