"""Numbers that policies read beside the row: its divergence from a second prompt's row, and of the hidden state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dyntemp.distribution.divergence import divergence
from dyntemp.errors import ModelError
from dyntemp.generation.prefill import SequenceGroup
from dyntemp.generation.request import Request
from dyntemp.kernels.rows import Rows, as_rows, check_row
from dyntemp.language.signals import MAX_DIVERGENCE
from dyntemp.models import Model
from dyntemp.models.hidden import HiddenFunction, HiddenModel, HiddenStates, numbers


class RowContexts:
    """Measures, for the rows of a loop, what its policies read beside them.

    Args:
        model: The model that the rows come from.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self._functions: list[HiddenFunction] = []
        self._hidden: HiddenStates | None = None

    def add(self, requests: Sequence[Request]) -> None:
        """Prepare for these requests, before the model reads their prompts.

        Raises:
            ModelError: If a function needs hidden states that the model does not have.
        """
        functions = [function for request in requests for function in request.functions.values()]
        if not functions:
            return
        if not isinstance(self._model, HiddenModel):
            raise ModelError(
                f"functions were given for {self._model.name}, whose hidden states cannot be read: load the model with "
                "transformers, or give numbers"
            )
        self.close()
        self._functions += functions
        self._hidden = self._model.hidden_states(self._functions)

    def close(self) -> None:
        """Free the hidden states. Calling it again does nothing."""
        if self._hidden is not None:
            self._hidden.close()
            self._hidden = None

    def measure(self, group: SequenceGroup, rows: Sequence[int], logits: Any) -> None:
        """Give the sequences of a group the numbers of their next rows, in `measured`.

        Args:
            group: The sequences, and the rows of their second prompts.
            rows: The rows that the model has just computed, in the order of `logits`.
            logits: [rows, vocabulary].

        Raises:
            InvalidLogitsError: For a broken row of a second prompt, or of its sequence.
            ValueError: If a function does not return a number for each row.
        """
        place = {row: at for at, row in enumerate(rows)}
        if group.companions:
            found = as_rows(logits)
            for row, second in group.companions.items():
                if row in place:
                    sequence = group.sequences[row]
                    between = _divergence(found, place[row], place[second], sequence.position)
                    sequence.measured["divergence"] = min(between, MAX_DIVERGENCE)
        if self._hidden is not None:
            self._call_functions(group, rows, self._hidden.take())

    def _call_functions(self, group: SequenceGroup, rows: Sequence[int], states: dict[int | None, Any]) -> None:
        """Call each function once, with the rows of all sequences that have it."""
        places: dict[tuple[str, int], list[int]] = {}
        functions: dict[tuple[str, int], HiddenFunction] = {}
        for at, row in enumerate(rows):
            if row in group.sequences:
                for name, function in group.sequences[row].request.functions.items():
                    functions[name, id(function)] = function
                    places.setdefault((name, id(function)), []).append(at)
        for (name, key), its in places.items():
            values = numbers({name: functions[name, key]}, states, its)[name]
            for at, value in zip(its, values, strict=True):
                group.sequences[rows[at]].measured[name] = float(value)


def _divergence(rows: Rows, own: int, second: int, position: int) -> float:
    """The divergence of two rows.

    Raises:
        InvalidLogitsError: If one of them is broken.
    """
    return divergence(*(_sound(rows, row, position) for row in (own, second)))


def _sound(rows: Rows, row: int, position: int) -> NDArray[np.float64]:
    z = rows.unmasked(row)
    check_row(row, position, bool(np.isnan(z).any()), float(z.max()))
    return z
