"""One door to the backends that read rows of logits: the caller names one or gets a documented default."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from dyntemp.kernels.rows import Rows, as_rows

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dyntemp.expr import Signal

BACKENDS = ("reference", "cpu")


class Kernel(Protocol):
    """What a backend offers for a set of rows; see `reference.Kernel`."""

    name: str
    rows: Rows

    def signal(self, signal: Signal) -> NDArray[np.float64]:
        """The value of a measured signal in each row, [rows]."""

    def temperature_for_entropy(self, target: NDArray[np.float64]) -> NDArray[np.float64]:
        """The temperature at which each row has the entropy `target`, [rows] in nats."""

    def draw(
        self,
        temperature: NDArray[np.float64],
        seed: NDArray[np.uint64],
        request: NDArray[np.int64],
        position: NDArray[np.int64],
    ) -> NDArray[np.int64]:
        """A token of each row at its temperature, [rows]."""


def open_kernel(logits: Any, backend: str | None = None, position: Any = 0) -> Kernel:
    """A backend's view of rows of logits.

    Args:
        logits: [rows, n] or [n]; what `as_rows` takes, or `Rows`.
        backend: `reference` or `cpu`; None takes `cpu`.
        position: Position of each row, for the messages of broken rows.

    Raises:
        ValueError: For a backend that does not exist.
        InvalidLogitsError: For logits that cannot be read, and for broken rows.
    """
    rows = logits if isinstance(logits, Rows) else as_rows(logits)
    match backend or "cpu":
        case "cpu":
            from dyntemp.kernels import cpu

            return cpu.Kernel(rows, position)
        case "reference":
            from dyntemp.kernels import reference

            return reference.Kernel(rows, position)
        case _:
            raise ValueError(f"backend {backend!r} was given; there are {', '.join(BACKENDS)}")
