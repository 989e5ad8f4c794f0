"""The next token of a sequence, drawn or coupled to another sequence, and its record."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, isnan, log
from typing import Any

import numpy as np

from dyntemp.distribution.coupling import keeps, parts
from dyntemp.distribution.draw_distribution import DrawDistribution, rest, top
from dyntemp.distribution.filters import GREEDY_AT, Filters
from dyntemp.distribution.noise import coins
from dyntemp.generation.row_curves import RowCurves
from dyntemp.generation.sequence import GeneratedSequence
from dyntemp.kernels.job import Outcome
from dyntemp.kernels.rows import Rows
from dyntemp.models import Model, full_bytes
from dyntemp.traces.row_record import Figures, alternatives_of, row_record
from dyntemp.traces.token import Token


class NextTokens:
    """The next tokens of some sequences, from the outcome of a kernel.

    Args:
        model: The model that the logits come from.
        rows: The rows of logits, one for each sequence.
        outcome: The kernel's signals, temperatures and draws.
    """

    def __init__(self, model: Model, rows: Rows, outcome: Outcome) -> None:
        self._model, self._rows, self._outcome = model, rows, outcome
        self._distributions: dict[int, DrawDistribution] = {}
        self._sums: Any = None  # of all rows, since a record first needed them
        self._curves = RowCurves(rows, outcome)

    def token(self, sequence: GeneratedSequence, row: int) -> tuple[int, str]:
        """The next token, and its origin: `drawn`, `forced`, `kept` from the leader, or `parted` from it."""
        if sequence.position < len(sequence.given):
            return sequence.given[sequence.position], "forced"
        drawn = int(self._outcome.token[row])
        leader = sequence.request.leader
        if not sequence.coupled or leader is None or sequence.position >= len(leader.tokens):
            sequence.coupled = False
            return drawn, "drawn"
        other, temperature, forced = leader.tokens[sequence.position]
        if forced:
            return other, "forced"
        coin = coins(*leader.key, sequence.position)
        left = self._filtered(row, leader.filters, temperature, coin)
        theirs = DrawDistribution(left, self._rows.masked_at, temperature)
        ours = self._distribution(row)
        if keeps(exp(-ours.surprisal(other)), exp(-theirs.surprisal(other)), *sequence.noise_key):
            return other, "kept"
        order = np.argsort(-self._rows.widened(row), kind="stable")
        at = parts((ours.probabilities() - theirs.probabilities())[order], *sequence.noise_key)
        if at < 0:
            return other, "kept"
        sequence.coupled = False
        return int(order[at]), "parted"

    def _distribution(self, row: int) -> DrawDistribution:
        """The distribution that the row's token is drawn from."""
        if row not in self._distributions:
            kept = self._rows.kept(row, self._outcome.cut, self._outcome.last, self._outcome.kept)
            self._distributions[row] = DrawDistribution(
                kept, self._rows.masked_at, float(self._outcome.temperature[row])
            )
        return self._distributions[row]

    def _filtered(self, row: int, filters: Filters, temperature: float, coin: Callable[[int], float]) -> Any:
        """The row under other filters: logits of the entries that stay, -inf elsewhere."""
        z = self._rows.unmasked(row)
        return np.where(filters.mask(z, temperature, coin), z, -np.inf) if filters.active else z

    def record(self, sequence: GeneratedSequence, row: int, token: int, origin: str) -> Token:
        """The record of the next token of a sequence."""
        count = sequence.request.settings.alternatives
        likeliest = top(self._rows.widened(row), count) if count else []
        light = not count and origin == "drawn" and self._outcome.backend == "cpu" and self._outcome.kept is None
        figures = self._summed(row, token) if light else self._read(row, token)
        measured = {name: float(values[row]) for name, values in self._outcome.signals.items()}
        # a signal is NaN where only the policies of other rows read it
        signals = {name: value for name, value in measured.items() if not isnan(value)}
        ended = token in self._model.end_tokens
        raw = b"" if ended else self._model.token_bytes(token)
        return row_record(
            token,
            figures,
            signals,
            text="",
            request=sequence.request.number,
            position=sequence.position,
            bytes=raw,
            temperature=float(self._outcome.temperature[row]),
            candidates=int(self._outcome.candidates[row]),
            origin=origin,
            finish="end" if ended else "length" if sequence.position + 1 == sequence.limit else None,
            curve=self._curves.of(row, token) if sequence.request.curves else (),
            name="" if raw else full_bytes(self._model, [token]).decode(errors="replace"),
            **self._named(row, likeliest, log(signals["max_prob"])),
        )

    def _read(self, row: int, token: int) -> Figures:
        """The figures of a row and a token, from a read of the row."""
        after = self._distribution(row)
        highest = float(self._rows.widened(row).max())
        return Figures(self._rows.value(row, token), highest, after.entropy, after.surprisal(token))

    def _summed(self, row: int, token: int) -> Figures:
        """As `_read`, of a token that was drawn, from sums that compiled code takes over all rows at once."""
        if self._sums is None:
            from dyntemp.kernels.cpu.draw_sums import draw_sums

            self._sums = draw_sums(self._rows, self._outcome)
        temperature, value = float(self._outcome.temperature[row]), self._rows.value(row, token)
        highest, log_total, entropy = self._sums[:, row].tolist()
        below = (highest - value) / max(temperature, GREEDY_AT)  # 0 for a greedy draw
        return Figures(value, highest, entropy, max(log_total + below, 0.0))

    def _named(self, row: int, likeliest: list[int], most: float) -> dict[str, Any]:
        """The fields that hold the likeliest tokens and the rest; `most` is ln of the largest probability."""
        if not likeliest:
            return {"alternatives": (), "rest": (), "dropped": ()}
        z, after = self._rows.widened(row), self._distribution(row)
        return {
            "alternatives": alternatives_of(z, after, likeliest, most, self._name),
            "rest": rest(z, after.kept, likeliest, most),
            "dropped": self._dropped(row, likeliest),
        }

    def _dropped(self, row: int, likeliest: list[int]) -> tuple[int, ...]:
        """The places of the alternatives that filters dropped, where these need not keep the likeliest."""
        kept = self._outcome.kept
        return () if kept is None else tuple(at for at, other in enumerate(likeliest) if not kept[row][other])

    def _name(self, token: int) -> str:
        """The text of an alternative."""
        raw = self._model.token_bytes(token)
        return raw.decode(errors="backslashreplace") if raw else self._model.token_name(token)
