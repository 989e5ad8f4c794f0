"""The records of a text that a host writes: rows wait until the host tells the token that it drew.

The host draws after it was given a temperature, and tells the token later. Then the record is computed and written, so
that a trace holds whole tokens only. Records end before a token that no policy decided, such as one of a broken row.

Signals and probabilities are those of the row as the policy measured it. Probabilities in the draw are those at the
policy's temperature, under the truncation that the host is known to apply afterwards.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterable, Mapping
from math import isnan, log
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dyntemp.distribution.draw_distribution import DrawDistribution, rest, top
from dyntemp.distribution.filters import Filters
from dyntemp.distribution.noise import coins
from dyntemp.engines.arrays import on_host
from dyntemp.engines.batch import Batch
from dyntemp.engines.row_settings import RowSettings
from dyntemp.engines.vocabulary import Vocabulary
from dyntemp.kernels import backend_of
from dyntemp.kernels.job import NO_FILTERS, Job
from dyntemp.kernels.rows import Rows, as_rows
from dyntemp.traces.row_record import MEASURED, RECORDED, Figures, alternatives_of, row_record
from dyntemp.traces.settings import ALTERNATIVES
from dyntemp.traces.token import Token


class Decision(NamedTuple):
    """A row, before its token is known.

    Attributes:
        row: The row at temperature 1, as the policy measured it.
        temperature: The temperature that the policy gave it.
        signals: The signals that the policy read.
        tokens: The token of each entry; None where entries have the numbers of tokens.
    """

    row: Rows
    temperature: float
    signals: Mapping[str, float]
    tokens: NDArray[np.int32] | None


class SequenceRecord:
    """The records of one text that a host writes.

    Args:
        write: Writes a record.
        vocabulary: The tokens of the model.
        number: Number of the text in the trace.
        filters: The truncation of the draw.
        seed: The seed of the draws, for filters with a random part; 0 where it is not known.
        first: Position of the first record.

    Attributes:
        next: Position of the next record.
        ended: True if no record follows: a token ended the text, or the rest of it is not known.
    """

    def __init__(
        self, write: Callable[[Token], None], vocabulary: Vocabulary, number: int = 0, *, filters: Filters = NO_FILTERS,
        seed: int = 0, first: int = 0,
    ) -> None:  # fmt: skip
        self.next = first
        self.ended = False
        self._write, self._vocabulary, self._number = write, vocabulary, number
        self._filters, self._seed = filters, seed
        self._waiting: dict[int, Decision] = {}
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def decide(self, position: int, decision: Decision) -> None:
        """Keep a row until its token is known. A position that is run again replaces the earlier row."""
        if position >= self.next and not self.ended:
            self._waiting[position] = decision

    def know(self, tokens: Iterable[int]) -> None:
        """Write the records of the tokens that the host drew at the next positions.

        Raises:
            TraceError: If the file cannot be written further; no record follows then.
        """
        for token in tokens:
            decision = self._waiting.pop(self.next, None)
            if self.ended or decision is None:
                self.end()
                return
            self.ended = True  # unless it is written
            self._write(self._record(int(token), decision))
            self.ended = token in self._vocabulary.ends
            self.next += 1

    def end(self) -> None:
        """Write no further record."""
        self.ended = True
        self._waiting.clear()

    def _record(self, token: int, decision: Decision) -> Token:
        rows, temperature, tokens = decision.row, decision.temperature, decision.tokens
        entry = token if tokens is None else int(np.flatnonzero(tokens == token)[0])
        found = backend_of(rows.data, None).run(rows.data, Job(also=(*MEASURED, *RECORDED))).signals
        signals = {name: float(values[0]) for name, values in found.items()} | dict(decision.signals)
        z, kept = rows.widened(0), self._kept(rows, temperature)
        after = DrawDistribution(kept, rows.masked_at, temperature)
        most, likeliest = log(signals["max_prob"]), top(z, ALTERNATIVES)
        ended = token in self._vocabulary.ends
        raw = b"" if ended else self._vocabulary.token_bytes(token)
        return row_record(
            token,
            Figures(rows.value(0, entry), float(z.max()), after.entropy, after.surprisal(entry)),
            signals,
            text=self._decoder.decode(raw),
            request=self._number,
            position=self.next,
            bytes=raw,
            temperature=temperature,
            candidates=int(np.count_nonzero(kept > -np.inf)),
            alternatives=alternatives_of(z, after, likeliest, most, self._vocabulary.shown, tokens),
            rest=rest(z, kept, likeliest, most),
            finish="end" if ended else None,
            name="" if raw else self._vocabulary.text([token]),
            dropped=() if self._filters.cut else tuple(at for at, one in enumerate(likeliest) if kept[one] == -np.inf),
        )

    def _kept(self, rows: Rows, temperature: float) -> NDArray[Any]:
        """The row, -inf where it is masked or the filters remove an entry."""
        if not self._filters.active:
            return rows.kept(0, None, None)
        coin = coins(self._seed, self._number, self.next)
        return rows.kept(0, None, None, self._filters.mask(rows.unmasked(0), temperature, coin)[None])


def hand_over(
    records: Mapping[int, SequenceRecord], batch: Batch, rows: RowSettings, temperature: Any, signals: Mapping[str, Any]
) -> None:
    """Hand copies of the rows that got a temperature to the records of their slots.

    Args:
        records: The records, by slot.
        batch: The rows at temperature 1.
        rows: The settings of each row.
        temperature: The temperature of each row, [rows]; NaN for rows that stay as they are.
        signals: The signals that the policies read, by name, [rows] each; NaN where the row's own policy does not.
    """
    decided = on_host(temperature)
    shown = {name: on_host(values) for name, values in signals.items()}
    for row, slot in enumerate(rows.slots.tolist()):
        if slot not in records or isnan(decided[row]):
            continue
        measured = {name: float(values[row]) for name, values in shown.items()}
        known = {name: value for name, value in measured.items() if not isnan(value)}
        tokens = None if batch.tokens is None else np.array(batch.tokens[row])
        copied = as_rows(np.array(on_host(batch.logits[row : row + 1])))
        records[slot].decide(int(rows.position[row]), Decision(copied, float(decided[row]), known, tokens))
