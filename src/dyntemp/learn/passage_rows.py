"""The rows of a model at the tokens of given texts, in short: read once, in batches that stay in a folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from dyntemp.distribution.curves_of_rows import curves_of_rows
from dyntemp.distribution.draw_curve import DrawCurves
from dyntemp.distribution.filters import Filters
from dyntemp.errors import PolicyError
from dyntemp.evaluation.exact.reading import read
from dyntemp.language.policy import Policy
from dyntemp.language.signals import SIGNALS
from dyntemp.learn.passage_tokens import PassageTokens
from dyntemp.learn.tokens import Tokens
from dyntemp.models import Model
from dyntemp.sampling import measure

AT_ONCE = 16
"""Texts of a batch."""

FROM_PLACE = ("position", "surprisal")
"""Signals that follow from a token's place in its text, and from the tokens before it."""

ALWAYS = ("entropy", "max_prob")
"""Signals that are kept for every policy."""


class PassageRows(NamedTuple):
    """The scored tokens of some texts, and how the rows of logits before them look.

    Attributes:
        tokens: The tokens.
        likeliest: True where the token is its row's likeliest, [tokens]; among equal ones, the first.
    """

    tokens: Tokens
    likeliest: NDArray[np.bool_]

    def part(self, chosen: NDArray[np.bool_]) -> Self:
        """The tokens of the texts that are chosen, [texts]."""
        return type(self)(self.tokens.part(chosen), self.likeliest[chosen[self.tokens.text]])


def signals_for(template: Policy, vocabulary: int) -> tuple[list[str], dict[str, float]]:
    """The signals that a template reads and that rows have to be measured for, and those with one value for all rows.

    Raises:
        PolicyError: For a signal that a given text does not have.
    """
    measured, constant = list(ALWAYS), {}
    for signal in template.program.signals:
        if SIGNALS[signal.name].measured:
            measured.append(str(signal))
        elif signal.name == "requested":
            constant[str(signal)] = 1.0
        elif signal.name == "entries":
            constant[str(signal)] = float(vocabulary)
        elif signal.name not in FROM_PLACE:
            raise PolicyError(
                f"`{template}` reads `{signal}`, which nobody supplies for a given text: leave it out, or learn on "
                "a task"
            )
    return list(dict.fromkeys(measured)), constant


def rows_of(
    model: Model, passages: Sequence[PassageTokens], template: Policy, filters: Filters, folder: Path,
    progress: Callable[[int, int], None] | None = None,
) -> PassageRows:  # fmt: skip
    """The rows of all passages. Batches that are in the folder already are not read again.

    Args:
        model: The model.
        passages: The passages, each with a token that is scored.
        template: The policy, whose signals are kept.
        filters: The chain before the temperature.
        folder: Holds a file for each batch, `000.npz` and on.
        progress: Called with the texts that are read, and their tokens.

    Raises:
        PolicyError: For a signal that a given text does not have.
        InvalidLogitsError: For broken rows.
    """
    measured, constant = signals_for(template, model.vocabulary)
    folder.mkdir(parents=True, exist_ok=True)
    parts, done, tokens = [], 0, 0
    for number, begin in enumerate(range(0, len(passages), AT_ONCE)):
        path, batch = folder / f"{number:03}.npz", passages[begin : begin + AT_ONCE]
        if not path.exists():
            _write(path, _read(model, batch, measured, filters))
        with np.load(path, allow_pickle=False) as data:
            parts.append({name: data[name] for name in data.files})
        done, tokens = done + len(batch), tokens + sum(len(one.scored) for one in batch)
        if progress:
            progress(done, tokens)
    lengths = [len(one.scored) for one in passages]
    whole = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return PassageRows(
        Tokens(
            signals={name: whole[f"signal {name}"] for name in measured}
            | {name: np.full(sum(lengths), value) for name, value in constant.items()},
            curves=DrawCurves(whole["value"], whole["totals"]),
            text=np.repeat(np.arange(len(passages)), lengths),
            position=np.concatenate([np.arange(length) for length in lengths]),
            surprisal=whole["surprisal"],
        ),
        whole["likeliest"],
    )


def _read(
    model: Model, batch: Sequence[PassageTokens], signals: Sequence[str], filters: Filters
) -> dict[str, NDArray[np.generic]]:
    """The arrays of a batch by name, text by text."""
    places: list[tuple[int, int]] = []
    steps: list[dict[str, NDArray[np.generic]]] = []
    for step in read(model, [one.prompt for one in batch], [one.scored for one in batch], AT_ONCE):
        rows = [row for row, (text, count) in enumerate(zip(step.texts, step.counts, strict=True))
                if count < len(batch[text].scored)]  # fmt: skip
        if rows:
            own = [(step.texts[row], step.counts[row]) for row in rows]
            tokens = np.array([batch[text].scored[count] for text, count in own])
            places += own
            steps.append(_short(np.asarray(step.logits)[rows], tokens, signals, filters))
    order = sorted(range(len(places)), key=places.__getitem__)
    return {name: np.concatenate([step[name] for step in steps])[order] for name in steps[0]}


def _short(
    logits: NDArray[np.floating], tokens: NDArray[np.int64], signals: Sequence[str], filters: Filters
) -> dict[str, NDArray[np.generic]]:
    """The figures of some rows and the token behind each, by name, [rows, ...]."""
    found = measure(logits, *signals)
    each = np.arange(len(tokens))
    depth = logits.max(axis=1).astype(np.float64) - logits[each, tokens]
    kept = logits
    if filters.active:
        kept = np.stack([np.where(filters.mask(row.astype(np.float64)), row, -np.inf) for row in logits])
    curves = curves_of_rows(kept, tokens)
    return {
        **{f"signal {name}": np.asarray(values, np.float64) for name, values in found.items()},
        "surprisal": np.maximum(depth - np.log(np.asarray(found["max_prob"], np.float64)), 0.0),
        "likeliest": np.argmax(kept, axis=1) == tokens,
        "value": curves.value,
        "totals": curves.totals,
    }


def _write(path: Path, arrays: dict[str, NDArray[np.generic]]) -> None:
    """Write an archive of NumPy, whole or not at all."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    with partial.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]  # names of arrays are no options
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
