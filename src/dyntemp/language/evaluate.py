"""Expression and signals -> values, in float64, one per row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dyntemp.errors import PolicyError, StateError
from dyntemp.language.bounds import unbound
from dyntemp.language.functions import FUNCTIONS
from dyntemp.language.nodes import Binary, Call, Comparison, Const, Negate, Node, Parameter, Signal
from dyntemp.language.operators import COMPARISONS, OPERATORS
from dyntemp.language.state import State

Values = NDArray[np.float64]


class Evaluation:
    """One step of a policy: the values of its signals and parameters, and its state.

    Args:
        signals: Value per row of each signal, by its text (`entropy`, `quantile(0.9)`).
        parameters: Values of free parameters, by name.
        state: The policy's memory, or None where it has none.
        slots: Slot of each row.
        positions: Position of each row.
        cells: The nodes that remember, in the order of their cells.
    """

    def __init__(
        self,
        signals: Mapping[str, Values],
        parameters: Mapping[str, float],
        state: State | None,
        slots: NDArray[Any],
        positions: NDArray[Any],
        cells: tuple[Node, ...] = (),
    ) -> None:
        self.signals = signals
        self.parameters = parameters
        self.state = state
        self.slots = slots
        self.positions = positions
        self.cells = cells
        self.lost = np.zeros(len(positions), bool)

    def value(self, node: Node) -> Any:
        """The value of `node`: a float64 per row, or one for all."""
        match node:
            case Const(value):
                return np.float64(value)
            case Parameter(name):
                if name not in self.parameters:
                    raise PolicyError(unbound(node, node))
                return np.float64(self.parameters[name])
            case Signal("surprisal"):
                return self.remembered(node, self.signals["entropy"])
            case Signal():
                return self.signals[str(node)]
            case Negate(operand):
                return np.negative(self.value(operand))
            case Binary(operator, left, right):
                return OPERATORS[operator].value(self.value(left), self.value(right))
            case Comparison(operator, left, right):
                return COMPARISONS[operator](self.value(left), self.value(right))
            case Call("ema", (x, decay)):
                return self.average(node, self.value(x), self.value(decay))
            case Call("prev", (x,)):
                now = self.value(x)
                before = self.remembered(node, now)
                self.remember(node, now)
                return before
            case Call("integral", (x, low, high)):
                total = self.remembered(node, 0.0) + self.value(x)
                total = np.minimum(np.maximum(total, self.value(low)), self.value(high))
                self.remember(node, total)
                return total
            case Call(function, arguments):
                compute = FUNCTIONS[function].value
                assert compute is not None, f"{function} remembers, and needs a case of its own"
                return compute(*(self.value(argument) for argument in arguments))
            case _:
                raise TypeError(f"no value for {type(node).__name__}")

    def average(self, node: Node, x: Any, decay: Any) -> Any:
        """decay*old + (1 - decay)*x, clipped to the range from `old` to `x` against rounding errors."""
        old = self.remembered(node, x)
        mean = np.clip(decay * old + (1 - decay) * x, np.minimum(old, x), np.maximum(old, x))
        self.remember(node, mean)
        return mean

    def remembered(self, node: Node, at_first: Any) -> Any:
        """The value that `node` kept at the position before; `at_first` where it kept none."""
        if self.state is None:
            raise StateError(
                f"`{node}` remembers earlier positions: pass state=policy.state(slots) and the position of each row"
            )
        old = self.state.read(self.cells.index(node), self.slots, self.positions)
        unknown = np.isnan(old)
        self.lost |= unknown & (self.positions > 0)
        return np.where(unknown, at_first, old)

    def remember(self, node: Node, values: Any) -> None:
        """Keep `values` of `node` for the next position."""
        assert self.state is not None
        values = np.broadcast_to(values, self.slots.shape)
        self.state.write(self.cells.index(node), self.slots, self.positions, values)
