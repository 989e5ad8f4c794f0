"""Recorded texts of a model at several static temperatures, as light numbers per token: the ground of predictions.

Each token has the signals of its row, and the row's mean surprisal at a grid of temperatures. So any policy over these
signals can be evaluated on the rows that the model shows after a text of a given heat, without the model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import inf
from pathlib import Path
from typing import Any, BinaryIO, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dyntemp.errors import PolicyError
from dyntemp.language.policy import Policy
from dyntemp.language.signals import SIGNALS
from dyntemp.theory.row_summary import RowSummary, inverse
from dyntemp.traces.token import Token

Values = NDArray[np.float64]

GRID = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0, 8.0, inf)
"""Temperatures at which the mean surprisal of each row is kept."""

BITS = 8
"""Bits of a number that are kept, an error of 1 in 512 at most, so that a file compresses well."""

DERIVED = ("perplexity", "normalized_entropy")
"""Signals that follow from entropy and support, and are not kept."""


@dataclass(frozen=True, eq=False)
class Recordings:
    """Texts of one model, each at one static temperature.

    Attributes:
        model: Name of the model.
        heats: Temperature of the text, [tokens].
        texts: Number of the text, from 0, [tokens].
        positions: Number of tokens before this one in its text, [tokens].
        surprisal: Surprisal of the token that was drawn, at temperature 1, nats, [tokens].
        signals: Value of each signal by its text, [tokens].
        curves: Mean surprisal at temperature 1 of a token drawn from the row at each temperature of `GRID`, nats,
            [tokens, grid].
    """

    model: str
    heats: Values
    texts: NDArray[np.int64]
    positions: NDArray[np.int64]
    surprisal: Values
    signals: Mapping[str, Values]
    curves: Values

    @classmethod
    def of(cls, model: str, texts: Sequence[Sequence[Token]], heats: Sequence[float]) -> Self:
        """The recordings of traced texts without filters, each at the static temperature of `heats`."""
        tokens = [token for text in texts for token in text]
        b = inverse(GRID)
        names = [name for name in tokens[0].signals if name not in DERIVED]
        return cls(
            model=model,
            heats=np.repeat(np.asarray(heats, np.float64), [len(text) for text in texts]),
            texts=np.repeat(np.arange(len(texts)), [len(text) for text in texts]),
            positions=np.array([token.position for token in tokens]),
            surprisal=_rounded([token.surprisal for token in tokens]),
            signals={name: _rounded([token.signals[name] for token in tokens]) for name in names},
            curves=_rounded([-RowSummary.of_token(token).at(b).log_p for token in tokens]),
        )

    def __len__(self) -> int:
        return len(self.heats)

    @cached_property
    def static(self) -> Values:
        """The temperatures of the texts, rising."""
        return np.unique(self.heats)

    @cached_property
    def count(self) -> int:
        """How many texts there are."""
        return int(self.texts.max()) + 1

    def lacks(self, policy: Policy) -> list[str]:
        """The signals that `policy` reads and these recordings do not hold."""
        known = {*self.signals, *DERIVED, "position", "requested"}
        return [str(s) for s in policy.program.signals if str(s) not in known and s.name != "surprisal"]

    def temperatures(self, policy: Policy) -> Values:
        """The temperature of `policy` at each token, given the recorded text before it, [tokens].

        Raises:
            PolicyError: If it reads a signal that is not recorded, or has a parameter without a value.
        """
        if lacks := self.lacks(policy):
            raise PolicyError(
                f"`{policy}` reads {', '.join(f'`{name}`' for name in lacks)}, which these recordings do not hold: "
                "give the signal a value, or record the model with it"
            )
        wanted = {str(s): self._signal(str(s)) for s in policy.program.signals if SIGNALS[s.name].source != "context"}
        if not policy.remembers:
            return policy.step(wanted or {"requested": np.ones(len(self))}, position=self.positions)
        state = policy.state(slots=self.count, window=int(self.positions.max()) + 2)
        state.observe(self.texts, self.positions, self.surprisal)
        return policy.step(wanted, state=state, slot=self.texts, position=self.positions)

    def _signal(self, name: str) -> Values:
        match name:
            case "perplexity":
                return np.asarray(np.exp(self.signals["entropy"]))
            case "normalized_entropy":
                return np.asarray(self.signals["entropy"] / np.log(np.maximum(self.signals["support"], 2)))
            case _:
                return self.signals[name]

    def mean_surprisal(self, temperatures: ArrayLike) -> Values:
        """The mean surprisal at temperature 1 of a token drawn at these temperatures, nats, [tokens].

        Between the temperatures of the grid it is linear in T/(1 + T).
        """
        return along(self.curves, np.broadcast_to(np.asarray(temperatures, np.float64), len(self)))

    def save(self, file: str | Path | BinaryIO) -> None:
        """Write a compressed NumPy archive."""
        floats = {"heats": self.heats, "surprisal": self.surprisal, "curves": self.curves}
        floats |= {f"signal {name}": values for name, values in self.signals.items()}
        whole = {"texts": self.texts, "positions": self.positions}
        arrays: dict[str, Any] = {name: values.astype(np.float32) for name, values in floats.items()}
        arrays |= {name: values.astype(np.int16) for name, values in whole.items()}
        np.savez_compressed(file, model=np.array(self.model), grid=np.array(GRID), **arrays)

    @classmethod
    def load(cls, file: str | Path) -> Self:
        """The recordings that `save` wrote.

        Raises:
            ValueError: For another file, or one of another version.
        """
        with np.load(file, allow_pickle=False) as data:
            if "curves" not in data or data["grid"].tolist() != list(GRID):
                raise ValueError(f"{file} holds no recordings of this version: delete it, and record again")
            found: dict[str, Any] = {
                name: data[name].astype(np.float64) for name in data.files if data[name].dtype == np.float32
            }
            return cls(
                model=str(data["model"]),
                heats=np.round(found["heats"], 6),
                texts=data["texts"].astype(np.int64),
                positions=data["positions"].astype(np.int64),
                surprisal=found["surprisal"],
                signals={name.removeprefix("signal "): found[name] for name in found if name.startswith("signal ")},
                curves=found["curves"],
            )


WHERE = np.array([t / (1 + t) if t < inf else 1.0 for t in GRID])
"""T/(1 + T) of the grid."""


def along(curves: Values, temperatures: Values) -> Values:
    """The value of each curve over `GRID` at a temperature of its own, [tokens]."""
    finite = np.where(np.isinf(temperatures), 1.0, temperatures)
    at = np.where(np.isinf(temperatures), 1.0, finite / (1 + finite))
    left = np.clip(np.searchsorted(WHERE, at, side="right") - 1, 0, len(WHERE) - 2)
    share = (at - WHERE[left]) / (WHERE[left + 1] - WHERE[left])
    rows = np.arange(len(curves))
    return np.asarray(curves[rows, left] * (1 - share) + curves[rows, left + 1] * share)


def _rounded(values: Any) -> Values:
    """float32 numbers of `BITS` significant bits."""
    mantissa, exponent = np.frexp(np.asarray(values, np.float64))
    rounded = np.ldexp(np.round(np.ldexp(mantissa, BITS)), exponent - BITS)
    return rounded.astype(np.float32).astype(np.float64)
