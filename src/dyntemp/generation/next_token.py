"""Which token comes next in a text, and the record of how it came about."""

from __future__ import annotations

from math import exp, isnan, log
from typing import Any

import numpy as np

from dyntemp.distribution.coupling import keeps, parts
from dyntemp.distribution.draw_distribution import After, rest, top
from dyntemp.distribution.filters import Filters
from dyntemp.generation.request import Text
from dyntemp.kernels.job import Outcome
from dyntemp.kernels.rows import Rows
from dyntemp.models import Model
from dyntemp.traces.token import Alternative, Token


class Drawn:
    """What a kernel drew from some rows, and how that is told."""

    def __init__(self, model: Model, rows: Rows, chosen: Outcome) -> None:
        self._model, self._rows, self._chosen = model, rows, chosen
        self._afters: dict[int, After] = {}

    def token(self, run: Text, row: int) -> tuple[int, str]:
        """The token that comes next, and whether it was drawn, forced, kept or had to part."""
        if run.position < len(run.script):
            return run.script[run.position], "forced"
        drawn = int(self._chosen.token[row])
        path = run.ask.follow
        if run.alone or path is None or run.position >= len(path.steps):
            run.alone = True
            return drawn, "drawn"
        other, temperature, forced = path.steps[run.position]
        if forced:
            return other, "forced"
        theirs = After(self._filtered(row, path.filters, temperature), self._rows.masked_at, temperature)
        ours = self._after(row)
        noise = run.ask.seed, run.ask.request, run.position
        if keeps(exp(-ours.surprisal(other)), exp(-theirs.surprisal(other)), *noise):
            return other, "kept"
        order = np.argsort(-self._rows.widened(row), kind="stable")
        at = parts((ours.probabilities() - theirs.probabilities())[order], *noise)
        if at < 0:
            return other, "kept"
        run.alone = True
        return int(order[at]), "parted"

    def _after(self, row: int) -> After:
        if row not in self._afters:
            kept = self._rows.kept(row, self._chosen.cut, self._chosen.last)
            self._afters[row] = After(kept, self._rows.masked_at, float(self._chosen.temperature[row]))
        return self._afters[row]

    def _filtered(self, row: int, filters: Filters, temperature: float) -> Any:
        """The row as other filters leave it, -inf where they do not."""
        z = self._rows.unmasked(row)
        return np.where(filters.mask(z, temperature), z, -np.inf) if filters.active else z

    def record(self, run: Text, row: int, token: int, origin: str) -> Token:
        """Everything about the token that comes next in a text."""
        z, after = self._rows.widened(row), self._after(row)
        measured = {name: float(values[row]) for name, values in self._chosen.signals.items()}
        signals = {name: value for name, value in measured.items() if not isnan(value)}  # what others' policies read
        highest, most = float(z.max()), log(signals["max_prob"])
        likeliest = top(z, run.ask.alternatives)

        def probability(other: int) -> float:
            return exp(float(z[other]) - highest + most)

        ended = token in self._model.end_tokens
        return Token(
            request=run.ask.request,
            position=run.position,
            token=token,
            text="",
            bytes=b"" if ended else self._model.token_bytes(token),
            temperature=float(self._chosen.temperature[row]),
            signals=signals,
            probability=probability(token),
            probability_after=exp(-after.surprisal(token)),
            surprisal=max(highest - float(z[token]) - most, 0.0),
            entropy_after=after.entropy,
            surprisal_after=after.surprisal(token),
            candidates=int(self._chosen.candidates[row]),
            alternatives=tuple(
                Alternative(other, self._name(other), probability(other), exp(-after.surprisal(other)))
                for other in likeliest
            ),
            rest=rest(z, after.kept, likeliest, most) if likeliest else (),
            origin=origin,
            finish="end" if ended else "length" if run.position + 1 == run.limit else None,
        )

    def _name(self, token: int) -> str:
        """How an alternative is shown."""
        raw = self._model.token_bytes(token)
        return raw.decode(errors="backslashreplace") if raw else self._model.token_name(token)
